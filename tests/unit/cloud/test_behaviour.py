"""What each city that is no good city says in place of what is due."""

import json
from pathlib import Path
from typing import Any

import pytest

from hil.cloud.behaviour import BEHAVIOURS, Answer, Mishap, conduct
from hil.cloud.envelope import Arrival
from hil.cloud.ledger import LaneAck

ALARM, EVENT = LaneAck("flat-12", "x", "alarm", 3, "a3"), LaneAck("flat-12", "x", "event", 9, "e9")


def said(name: str, *acks: LaneAck, **arguments: Any) -> list[tuple[str, int, str]]:
    return [told(answer) for answer in conduct(name, 0.0, **arguments).next(0.0).answers(acks)]


def told(answer: Answer) -> tuple[str, int, str]:
    body = json.loads(answer.body)
    return body["lane"], body["upto"], body["id"]


def test_a_good_city_says_what_is_due_at_once() -> None:
    assert said("well", ALARM, EVENT) == [("alarm", 3, "a3"), ("event", 9, "e9")]
    assert [answer.after_s for answer in conduct("well", 0.0).next(0.0).answers([ALARM])] == [0.0]


def test_a_late_one_says_the_same_later() -> None:
    answers = conduct("late", 0.0, after_s=4.5).next(0.0).answers([ALARM, EVENT])
    assert [(answer.after_s, told(answer)) for answer in answers] == [(4.5, ("alarm", 3, "a3")),
                                                                      (4.5, ("event", 9, "e9"))]


def test_a_doubling_one_says_it_so_often() -> None:
    assert said("double", ALARM) == [("alarm", 3, "a3")] * 2
    assert said("double", ALARM, copies=5) == [("alarm", 3, "a3")] * 5


def test_a_reordering_one_says_the_older_after_the_newer_of_the_same_lane() -> None:
    behaviour = conduct("reorder", 0.0).next(0.0)
    newer = LaneAck("flat-12", "x", "alarm", 5, "a5")
    assert [told(answer) for answer in behaviour.answers([ALARM])] == [("alarm", 3, "a3")] * 2
    assert [told(answer) for answer in behaviour.answers([EVENT, newer])] == [
        ("event", 9, "e9"), ("event", 9, "e9"), ("alarm", 5, "a5"), ("alarm", 3, "a3")]


def test_a_silent_one_says_nothing_or_nothing_of_one_lane() -> None:
    assert said("silent", ALARM, EVENT) == []
    assert said("silent", ALARM, EVENT, lane="alarm") == [("event", 9, "e9")]


def test_a_refusing_one_takes_all_but_one_event() -> None:
    takes = conduct("refuse", 0.0, id="bad").next(0.0).takes
    arrivals = [Arrival("flat-12", event_id, "t", "event", "x", 1, 0, "{}") for event_id in ("good", "bad")]
    assert [takes(arrival) for arrival in arrivals] == [True, False]


@pytest.mark.parametrize(("what", "key"), [("number", "upto"), ("id", "id"), ("epoch", "epoch")])
def test_a_wrong_one_is_wrong_in_one_thing(what: str, key: str) -> None:
    (right,), (wrong,) = (conduct(name, 0.0, **how).next(0.0).answers([ALARM])
                          for name, how in (("well", {}), ("wrong", {"what": what})))
    right_body, wrong_body = json.loads(right.body), json.loads(wrong.body)
    assert {name for name in right_body if right_body[name] != wrong_body[name]} == {key}


def test_garbage_is_no_json() -> None:
    (answer,) = conduct("wrong", 0.0, what="garbage").next(0.0).answers([ALARM])
    with pytest.raises(ValueError, match=r"utf-8|JSON|Expecting"):
        json.loads(answer.body)


@pytest.mark.parametrize(("name", "arguments", "moments"), [
    ("forget", {}, (Mishap.NOTHING, Mishap.FORGET)),
    ("crash", {"before": "commit"}, (Mishap.CRASH, Mishap.NOTHING)),
    ("crash", {"before": "ack"}, (Mishap.NOTHING, Mishap.CRASH)),
    ("well", {}, (Mishap.NOTHING, Mishap.NOTHING)),
])
def test_a_mishap_has_its_moment(name: str, arguments: dict[str, Any], moments: tuple[Mishap, Mishap]) -> None:
    behaviour = conduct(name, 0.0, **arguments).next(0.0)
    assert (behaviour.before_commit, behaviour.before_ack) == moments


def test_a_behaviour_lasts_its_time_or_its_commits_and_then_all_is_well() -> None:
    def silences(**limits: float) -> list[bool]:
        found = conduct("silent", 100.0, **limits)
        return [found.next(now_s).answers([ALARM]) == [] for now_s in (100.0, 101.0, 102.0, 103.0)]

    assert silences(for_s=2.0) == [True, True, False, False]
    assert silences(times=1) == [True, False, False, False]
    assert silences() == [True] * 4


@pytest.mark.parametrize(("name", "arguments"), [
    ("dance", {}), ("crash", {"before": "lunch"}), ("wrong", {"what": "day"}), ("late", {}), ("late", {"by_s": 1}),
])
def test_what_no_city_can_do_is_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=r"there are|argument"):
        conduct(name, 0.0, **arguments)


def test_the_table_at_the_head_has_every_behaviour() -> None:
    head = (Path(__file__).parents[3] / "hil/cloud/behaviour.py").read_text().split('"""')[1]
    assert [line.split()[0] for line in head.splitlines() if line[:1].islower()][1:] == list(BEHAVIOURS)
