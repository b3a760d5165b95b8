"""The city's book: each event once, an acknowledgement only across numbers without a hole."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.cloud.envelope import Arrival, BadEnvelope, read, read_all
from hil.cloud.ledger import Book

TOPIC = "anju/v1/flat-12/up/event"


def arrival(event_id: str, seq: int, *, epoch: str = "x", settled: int = 0, lane: str = "event",
            first: int | None = None) -> tuple[Arrival, float]:
    body = json.dumps({"id": event_id})
    return Arrival("flat-12", event_id, "anju.sensor.changed", lane, epoch, seq, settled, body, first), 1.0


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path / "city.db")
    yield opened
    opened.close()


def acked(book: Book, *arrivals: tuple[Arrival, float]) -> list[tuple[str, str, int, str]]:
    return [(ack.epoch, ack.lane, ack.upto, ack.id) for ack in book.commit(arrivals)]


def test_a_batch_is_acknowledged_once_a_lane(book: Book) -> None:
    found = acked(book, arrival("a", 1), arrival("b", 2), arrival("t", 1, lane="telemetry"))
    assert found == [("x", "event", 2, "b"), ("x", "telemetry", 1, "t")]


def test_a_hole_holds_the_acknowledgement_until_it_closes(book: Book) -> None:
    assert acked(book, arrival("a", 1), arrival("c", 3)) == [("x", "event", 1, "a")]
    assert book.lanes()[0]["missing"] == 1
    assert acked(book, arrival("b", 2)) == [("x", "event", 3, "c")]
    assert book.lanes()[0]["missing"] == 0


def test_nothing_is_acknowledged_while_the_first_is_missing(book: Book) -> None:
    assert acked(book, arrival("b", 2)) == []


def test_a_duplicate_is_acknowledged_again_and_not_kept_again(book: Book) -> None:
    acked(book, arrival("a", 1))
    assert acked(book, arrival("a", 1)) == [("x", "event", 1, "a")]
    assert len(book.events(None, 0)) == 1
    assert book.tallies["flat-12"].duplicates == 1


def test_a_known_id_under_a_new_epoch_counts_as_its_number_there(book: Book) -> None:
    acked(book, arrival("a", 1), arrival("b", 2))
    assert acked(book, arrival("b", 1, epoch="y")) == [("y", "event", 1, "b")]
    assert len(book.events(None, 0)) == 2


def test_a_second_id_at_a_number_is_a_conflict_and_kept_as_an_event(book: Book) -> None:
    acked(book, arrival("a", 1))
    assert acked(book, arrival("z", 1)) == [("x", "event", 1, "a")]
    assert [event["id"] for event in book.events(None, 0)] == ["a", "z"]
    assert book.tallies["flat-12"].conflicts == 1


def test_an_unknown_lane_begins_where_the_gateway_says(book: Book) -> None:
    assert acked(book, arrival("f", 6, settled=4)) == []
    assert acked(book, arrival("e", 5, settled=4)) == [("x", "event", 6, "f")]


def test_a_book_that_went_back_in_time_goes_on_where_the_gateway_says(book: Book) -> None:
    acked(book, *(arrival(f"e{seq}", seq) for seq in range(1, 6)))
    assert acked(book, arrival("l", 12, settled=10)) == []
    assert acked(book, arrival("k", 11, settled=10)) == [("x", "event", 12, "l")]
    assert book.lanes()[0]["missing"] == 0
    assert acked(book, arrival("m", 13, settled=9)) == [("x", "event", 13, "m")]  # an older word takes nothing back


def test_the_book_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = Book(tmp_path / "city.db")
    acked(first, arrival("a", 1), arrival("c", 3))
    first.close()
    second = Book(tmp_path / "city.db")
    assert acked(second, arrival("b", 2)) == [("x", "event", 3, "c")]
    assert [event["row"] for event in second.events(None, 1)] == [2, 3]
    second.close()


def test_every_event_has_the_times_of_its_own_commit(book: Book) -> None:
    acked(book, arrival("a", 1))
    acked(book, arrival("b", 2), arrival("c", 3))
    times = [event["committed_mono_s"] for event in book.events(None, 0)]
    assert times[0] < times[1] == times[2]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40))
def test_whatever_the_order_the_acknowledgement_is_the_longest_run_from_one(order: list[int]) -> None:
    book = Book(Path(":memory:"))
    seen: set[int] = set()
    for seq in order:
        acks = book.commit([arrival(f"e{seq}", seq)])
        seen.add(seq)
        run = next(number for number in range(14) if number + 1 not in seen)
        assert [ack.upto for ack in acks] == ([run] if run else [])
    book.close()


def test_a_gap_record_bridges_the_hole_that_it_stands_for(book: Book) -> None:
    acked(book, arrival("a", 1), arrival("b", 2))
    assert acked(book, arrival("gap", 9, first=3), arrival("j", 10)) == [("x", "event", 10, "j")]
    (lane,) = book.lanes()
    assert (lane["missing"], lane["lost"]) == (0, 7)


def test_a_gap_record_bridges_no_hole_before_it(book: Book) -> None:
    assert acked(book, arrival("a", 1), arrival("gap", 9, first=4)) == [("x", "event", 1, "a")]
    assert book.lanes()[0]["missing"] == 2
    assert acked(book, arrival("b", 2), arrival("c", 3)) == [("x", "event", 9, "gap")]


def test_what_came_before_it_was_given_up_is_not_lost(book: Book) -> None:
    acked(book, *(arrival(f"e{seq}", seq) for seq in range(1, 7)))
    assert acked(book, arrival("gap", 6, first=3)) == [("x", "event", 6, "e6")]
    assert book.lanes()[0]["lost"] == 0
    assert book.tallies["flat-12"].conflicts == 0
    assert acked(book, arrival("larger", 8, first=3)) == [("x", "event", 8, "larger")]
    assert book.lanes()[0]["lost"] == 2


def test_gap_records_that_overlap_count_each_number_once(book: Book) -> None:
    assert acked(book, arrival("one", 5, first=1), arrival("two", 9, first=1), arrival("j", 12)) == [
        ("x", "event", 9, "two")]
    (lane,) = book.lanes()
    assert (lane["missing"], lane["lost"]) == (2, 9)
    book.forget()
    assert book.lanes() == []


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4)), min_size=1, max_size=20))
def test_whatever_the_gaps_the_acknowledgement_never_crosses_a_number_that_nothing_covers(
    spans: list[tuple[int, int]]
) -> None:
    book = Book(Path(":memory:"))
    covered: set[int] = set()
    for place, (first, more) in enumerate(spans):
        acks = book.commit([arrival(f"g{place}", first + more, first=first if more else None)])
        covered |= set(range(first, first + more + 1))
        run = next(number for number in range(18) if number + 1 not in covered)
        assert [ack.upto for ack in acks] == ([run] if run else [])
        (lane,) = book.lanes()
        assert lane["missing"] == max(covered | {0}) - run - len([number for number in covered if number > run])
    book.close()


GOOD: dict[str, Any] = {
    "specversion": "1.0", "id": "a", "source": "anju/flat-12", "type": "t", "subject": "door",
    "datacontenttype": "application/json", "lane": "event", "sequence": "0000000000000001",
    "settledupto": "0000000000000000", "epoch": "x", "data": {},
}


def test_a_good_envelope_is_read() -> None:
    assert read(TOPIC, json.dumps(GOOD).encode()).seq == 1


@pytest.mark.parametrize("change", [
    {"specversion": "0.3"}, {"source": "anju/another"}, {"lane": "alarm"}, {"sequence": "0"}, {"sequence": "x"},
    {"id": ""}, {"id": 7}, {"epoch": None}, {"data": []}, {"datacontenttype": "text/plain"}, {"settledupto": "-1"},
    {"sequencefrom": "2"}, {"sequencefrom": "0"}, {"sequencefrom": "x"},
])
def test_a_bad_envelope_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadEnvelope):
        read(TOPIC, json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("topic", [
    "anju/v1/flat-12/down/event", "anju/v2/flat-12/up/event", "anju/v1/flat-12/up/attic", "x",
])
def test_a_strange_topic_is_refused(topic: str) -> None:
    with pytest.raises(BadEnvelope):
        read(topic, json.dumps(GOOD).encode())


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"null", b"{}"])
def test_bytes_that_are_no_envelope_are_refused(payload: bytes) -> None:
    with pytest.raises(BadEnvelope):
        read(TOPIC, payload)


@pytest.mark.parametrize("deflate", [False, True])
def test_a_batch_is_read_one_by_one_and_what_is_none_of_ours_is_counted(deflate: bool) -> None:
    batch = [GOOD | {"id": f"e{seq}", "sequence": f"{seq:016d}"} for seq in (1, 2)] + [GOOD | {"lane": "alarm"}, 7]
    payload = json.dumps(batch).encode()
    arrivals, bad = read_all(TOPIC, zlib.compress(payload) if deflate else payload)
    assert [(found.id, found.seq, json.loads(found.body)["id"]) for found in arrivals] == [("e1", 1, "e1"),
                                                                                          ("e2", 2, "e2")]
    assert bad == 2


def test_a_gap_record_says_what_it_stands_for() -> None:
    told = GOOD | {"sequence": "0000000000000009", "sequencefrom": "0000000000000003"}
    assert read(TOPIC, json.dumps(told).encode()).first == 3


@pytest.mark.parametrize("payload", [
    zlib.compress(b"[{}]")[:-3], zlib.compress(b" " * 2**21), b"\x78garbage", b"[" * 100_000, b"[1, 2", b"",
])
def test_a_batch_that_cannot_be_unpacked_is_one_bad_thing(payload: bytes) -> None:
    assert read_all(TOPIC, payload) == ([], 1)
