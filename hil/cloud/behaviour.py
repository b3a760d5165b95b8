"""Behaviours of a city that is not as docs/protocol.md wants it, to see what a gateway makes of it. Pure.

behaviour    what such a city does
well         commits, then acknowledges
late         acknowledges `after_s` later
double       says every acknowledgement `copies` times
reorder      says after every acknowledgement the one that it said before, an older one of the same lane
silent       commits and does not acknowledge; `lane`: that one lane alone
refuse       cannot take the event `id`: it is not committed, and no acknowledgement goes beyond it
wrong        says another `what` than the right one: a number never given, the id of no event, another epoch, garbage
forget       loses everything that it ever committed, after each commit and before it acknowledges
crash        ends at once `before` the commit of what has arrived, or between the commit and its acknowledgement (ack)

Each lasts until the city is told otherwise, or `for_s` seconds, or for `times` commits.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from hil.cloud.envelope import Arrival
from hil.cloud.ledger import LaneAck

_NEVER_GIVEN = 1000  # so far beyond what it has


class Mishap(Enum):
    """What befalls the city at one moment."""

    NOTHING = "nothing"
    FORGET = "forget"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is published on a gateway's acknowledgement topic, and how much later."""

    gateway: str
    body: bytes
    after_s: float = 0.0


Answers = Callable[[Sequence[LaneAck]], list[Answer]]


def acknowledge(acks: Sequence[LaneAck]) -> list[Answer]:
    """Say what is due."""
    return [_answer(ack) for ack in acks]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`answers`: what is said in place of what is due. `takes`: whether an arrival is committed."""

    answers: Answers = acknowledge
    takes: Callable[[Arrival], bool] = lambda arrival: True
    before_commit: Mishap = Mishap.NOTHING
    before_ack: Mishap = Mishap.NOTHING


WELL = Behaviour()


def _late(after_s: float) -> Behaviour:
    return Behaviour(lambda acks: [replace(answer, after_s=after_s) for answer in acknowledge(acks)])


def _double(copies: int = 2) -> Behaviour:
    return Behaviour(lambda acks: [answer for answer in acknowledge(acks) for _ in range(copies)])


def _reorder() -> Behaviour:
    before: dict[tuple[str, str, str], LaneAck] = {}

    def answers(acks: Sequence[LaneAck]) -> list[Answer]:
        said = []
        for ack in acks:
            key = (ack.gateway, ack.epoch, ack.lane)
            said += [_answer(ack), _answer(before.get(key, ack))]
            before[key] = ack
        return said

    return Behaviour(answers)


def _silent(lane: str | None = None) -> Behaviour:
    return Behaviour(lambda acks: acknowledge([ack for ack in acks if lane not in (None, ack.lane)]))


def _refuse(id: str) -> Behaviour:
    return Behaviour(takes=lambda arrival: arrival.id != id)


def _wrong(what: str) -> Behaviour:
    if what not in _WRONG:
        raise ValueError(f"nothing wrong by the name of {what!r}: there are {', '.join(_WRONG)}")
    return Behaviour(lambda acks: [_WRONG[what](ack) for ack in acks])


def _crash(before: str) -> Behaviour:
    if before not in ("commit", "ack"):
        raise ValueError(f"no crash before {before!r}: there are commit, ack")
    return Behaviour(before_commit=Mishap.CRASH) if before == "commit" else Behaviour(before_ack=Mishap.CRASH)


_WRONG: dict[str, Callable[[LaneAck], Answer]] = {
    "number": lambda ack: _answer(replace(ack, upto=ack.upto + _NEVER_GIVEN)),
    "id": lambda ack: _answer(replace(ack, id="the id of no event")),
    "epoch": lambda ack: _answer(replace(ack, epoch="another epoch")),
    "garbage": lambda ack: Answer(ack.gateway, b'{"epoch": \xff'),
}

BEHAVIOURS: dict[str, Callable[..., Behaviour]] = {
    "well": lambda: WELL,
    "late": _late,
    "double": _double,
    "reorder": _reorder,
    "silent": _silent,
    "refuse": _refuse,
    "wrong": _wrong,
    "forget": lambda: Behaviour(before_ack=Mishap.FORGET),
    "crash": _crash,
}


@dataclass(slots=True)
class Conduct:
    """A behaviour and how long it lasts; then the city behaves well again."""

    behaviour: Behaviour = WELL
    until_s: float = math.inf
    commits: float = math.inf

    def next(self, now_s: float) -> Behaviour:
        """Return how to behave at the next commit."""
        if now_s >= self.until_s or self.commits <= 0:
            return WELL
        self.commits -= 1
        return self.behaviour


def conduct(name: str, now_s: float, for_s: float = math.inf, times: float = math.inf, **arguments: Any) -> Conduct:
    """Return a behaviour of the table. Raises ValueError and TypeError where there is no such."""
    if name not in BEHAVIOURS:
        raise ValueError(f"no behaviour {name!r}: there are {', '.join(BEHAVIOURS)}")
    return Conduct(BEHAVIOURS[name](**arguments), now_s + for_s, times)


def _answer(ack: LaneAck) -> Answer:
    body = {"epoch": ack.epoch, "lane": ack.lane, "upto": ack.upto, "id": ack.id}
    return Answer(ack.gateway, json.dumps(body).encode())
