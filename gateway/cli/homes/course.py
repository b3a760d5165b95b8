"""Course: a home's recording goes by, minute by minute, and what would have been branches off. No I/O.

Rules
 1. A tick falls on every full TICK_S, after the events of that moment.
 2. A case branches off at its moment: what came up to then stands, and only its own events follow. The detectors' state
    is immutable, so the past is replayed once for all cases.
 3. An alert is told once until the next sign of life. In a case the count begins anew.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from gateway.detect.home import Concern, Coverage, Input, Sign, Tick
from gateway.detect.routines import URGENCY, Urgency
from gateway.detect.watch import Told

TICK_S = 60.0
REDUCED, RESTORED = "cover_reduced", "cover_restored"

Known = TypeVar("Known")
Step = Callable[[Known, Input], tuple[Known, Sequence[Told]]]


@dataclass(frozen=True)
class Case:
    """What would have been, had the resident collapsed at `at_s`: afterwards nothing happens but `then`, sorted."""

    name: str
    at_s: float
    then: Sequence[Input] = ()


@dataclass(frozen=True)
class Found:
    """One thing told. `case`: "" in the recording itself; `since_s`: the last sign of life before it."""

    case: str
    at_s: float
    kind: str
    urgent: bool
    since_s: float | None
    score: float | None
    words: str


@dataclass
class Course(Generic[Known]):
    """A home so far: what the detectors know, and what they told."""

    step: Step[Known]
    known: Known
    case: str = ""
    tick_s: float | None = None  # the next
    since_s: float | None = None
    silent: set[str] = field(default_factory=set)  # kinds told since the last sign
    found: list[Found] = field(default_factory=list)

    def take(self, happened: Input) -> None:
        """Let time pass up to an event, and then it."""
        self.pass_until(happened.at_s)
        if isinstance(happened, Sign):
            self.since_s = happened.at_s
            self.silent.clear()
        self._step(happened)

    def pass_until(self, at_s: float) -> None:
        """Let time pass, without the tick of this very moment."""
        if self.tick_s is None:
            self.tick_s = (at_s // TICK_S + 1) * TICK_S
        while self.tick_s < at_s:
            self._step(Tick(self.tick_s, self.tick_s))
            self.tick_s += TICK_S

    def branch(self, case: Case, horizon_s: float) -> list[Found]:
        """What would be told within the horizon of a case that begins now."""
        course = Course(self.step, self.known, case.name, self.tick_s, self.since_s)
        for happened in case.then:
            course.take(happened)
        course.pass_until(case.at_s + horizon_s)
        return course.found

    def _step(self, happened: Input) -> None:
        self.known, told = self.step(self.known, happened)
        for one in told:
            found = _found(one, self.case, self.since_s)
            if found.kind not in self.silent:
                self.found.append(found)
            if found.urgent:
                self.silent.add(found.kind)


def replay(course: Course[Known], inputs: Sequence[Input], cases: Sequence[Case] = (),
           horizon_s: float = 0.0) -> Iterator[float]:
    """Replay the home with its cases; afterwards `course.found` holds all, by case and time. Yields each moment."""
    told: list[list[Found]] = [[] for _ in cases]
    waiting = deque(sorted(enumerate(cases), key=lambda one: one[1].at_s))
    for happened in inputs:
        while waiting and waiting[0][1].at_s < happened.at_s:
            place, case = waiting.popleft()
            told[place] = _branched(course, case, horizon_s)
        course.take(happened)
        yield happened.at_s
    for place, case in waiting:
        told[place] = _branched(course, case, horizon_s)
    course.found += chain.from_iterable(told)


def _branched(course: Course[Known], case: Case, horizon_s: float) -> list[Found]:
    course.pass_until(case.at_s)
    return course.branch(case, horizon_s)


def _found(told: Told, case: str, since_s: float | None) -> Found:
    if isinstance(told, Coverage):
        words = "; ".join(told.reasons) or "everything is watched"
        return Found(case, told.at_s, REDUCED if told.reduced else RESTORED, False, since_s, None, words)
    urgent = told.kind not in URGENCY or URGENCY[told.kind][0] is Urgency.ALARM  # the gaps are not in it, and are
    score = told.score if isinstance(told, Concern) else None
    return Found(case, told.at_s, told.kind.value, urgent, since_s, score, told.words)
