"""What the table beside the peer says: who is ahead, and where not, whatever the figures."""

from dataclasses import replace

import pytest

from tests.bench.thingsboard.comparison import HIGHER, LOWER, PEER, Comparison, lost, markdown, verdict

LATE = Comparison("latency", "ms", LOWER, 2.5, 105.0, "it answers before it writes")


@pytest.mark.parametrize(("better", "value", "peer_value", "ahead"), [
    (LOWER, 2.0, 3.0, True), (LOWER, 3.0, 2.0, False), (HIGHER, 3.0, 2.0, True), (HIGHER, 2.0, 3.0, False),
    (LOWER, 0.0, 0.0, None), (HIGHER, None, 3.0, None), (LOWER, 2.0, None, None),
    (LOWER, 100.01, 100.04, None),
])
def test_who_is_ahead_depends_on_what_is_better(better: str, value: float | None, peer_value: float | None,
                                                ahead: bool | None) -> None:
    row = Comparison("x", "", better, value, peer_value, "because")
    assert row.ahead is ahead
    assert row.as_json()["ahead"] is ahead


def test_a_row_is_whole_as_json() -> None:
    assert LATE.as_json() == {"name": "latency", "unit": "ms", "better": LOWER, "value": 2.5, "peer": PEER,
                              "peer_value": 105.0, "ahead": True, "why": "it answers before it writes"}


def test_a_row_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="latency: say why"):
        replace(LATE, why=" ")


def test_a_row_must_say_what_is_better() -> None:
    with pytest.raises(ValueError, match="give 'lower' or 'higher'"):
        replace(LATE, better="faster")


def test_the_table_says_plainly_where_the_peer_is_ahead_and_why() -> None:
    rows = [row.as_json() for row in (
        LATE,
        Comparison("flat out", "events/s", HIGHER, 14_000.0, 83_000.0, "no fsync | none"),
        Comparison("loss", "events", LOWER, 0, 0, "neither loses"),
        Comparison("cut", "", LOWER, None, None, "no fuse"),
    )]
    lines = markdown({"rows": rows, "settings": {"Events": "171 bytes"}}).splitlines()
    assert lines[2:] == [
        "| latency | 2.5 ms | 105 ms | ahead | it answers before it writes |",
        "| flat out | 14,000 events/s | 83,000 events/s | **behind** | no fsync \\| none |",
        "| loss | 0 events | 0 events | level | neither loses |",
        "| cut | – | – | not measured | no fuse |",
        "",
        "Anju is ahead in 1 of 4 rows; behind: “flat out”; level: “loss”; not measured: “cut”.",
        "",
        "- Events: 171 bytes",
    ]
    assert PEER in lines[0]


def test_a_brief_table_still_says_why_where_anju_is_not_ahead() -> None:
    rows = [row.as_json() for row in (LATE, replace(LATE, name="other", peer_value=1.0), replace(LATE, peer_value=2.5))]
    lines = markdown({"rows": rows, "settings": {}}, brief=True).splitlines()
    assert lines[2] == "| latency | 2.5 ms | 105 ms | ahead |  |"
    assert [LATE.why in line for line in lines[2:5]] == [False, True, True]


def test_where_all_is_well_the_verdict_is_short() -> None:
    assert verdict([LATE.as_json()]) == "Anju is ahead in 1 of 1 rows."


def test_lost_is_what_was_accepted_and_is_not_kept() -> None:
    assert lost([1, 2, 3, 4], [4, 2, 9]) == [1, 3]
