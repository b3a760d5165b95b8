"""Detectors: every detector's state, and what each makes of a reading or of passing time. No I/O.

A detector that raises is a fault of its own: the others still see the reading.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from gateway.config import Detect
from gateway.detect import cover, evidence, falls, supervision, triggers, watch
from gateway.detect.vitals import summary as vitals
from gateway.detect.vitals.limits import NOBODY, Person
from gateway.model.device import COVERED, DeviceStatus
from gateway.model.event import EventType, Lane
from gateway.model.evidence import Evidence
from gateway.model.finding import Finding
from gateway.model.reading import Accel, Binary, BinaryKind, Reading
from gateway.model.time import Stamp
from gateway.runtime.health import Health
from gateway.runtime.outcome import Draft, Outcome
from gateway.runtime.routine import Routine

log = logging.getLogger(__name__)

T = TypeVar("T")


ROUTINE, HEALTH = "detectors", "health"
"""The names under which what is known is saved."""

OWN_AFFAIR = frozenset({BinaryKind.WORN, BinaryKind.CHARGING})
"""Levels of a wearable that change all day: cover tells what follows from them."""


class Detectors:
    """One home's detectors. `fault(detector, error)` hears of each that failed; `watchers` tells who watches falls.

    `forest`: the model for falls at the wrist; without one wrists are not watched. `routine`: the resident's days.
    `people`: whose a device is, and what of their vital signs is watched.
    """

    def __init__(self, settings: Detect, forest: falls.Forest | None, fault: Callable[[str, Exception], None],
                 watchers: Callable[[], Mapping[str, cover.Watcher]] = dict, routine: Routine | None = None,
                 people: Callable[[str], Person] = lambda device: NOBODY) -> None:
        self._settings, self._forest, self._fault, self._watchers = settings, forest, fault, watchers
        self.routine = routine or Routine(watch.Settings())
        self.health = Health(self.routine.seconds, people)
        self._triggers = triggers.State()
        self._falls: dict[str, falls.State] = {}
        self._evidence: dict[str, evidence.State] = {}  # of each wearer
        self._vitals = vitals.State()
        self._supervision: supervision.State = {}
        self._cover = cover.State()
        self._levels: dict[tuple[str, str], bool] = {}

    def saved(self) -> dict[str, bytes]:
        """What must be known again after a restart, by name: the resident's days, what was judged of their vital signs
        and the batteries. The other detectors start anew.
        """
        return {ROUTINE: self.routine.saved(), HEALTH: self.health.saved()}

    def restore(self, name: str, saved: bytes) -> None:
        """Take up what saved() said before the restart; what cannot be read is left out, as on the first day."""
        part = self.health if name == HEALTH else self.routine
        for error in part.restore(saved):
            self._fault("health" if name == HEALTH else "routine", error)

    def reading(self, reading: Reading) -> Outcome:
        """Show one reading to every detector; a stored record that comes again to none."""
        outcome = Outcome()
        if self.health.knows(reading):
            return outcome
        for name, look in (("evidence", self._look_evidence), ("triggers", self._look_triggers),
                           ("falls", self._look_falls), ("vital signs", self.health.rules),
                           ("spot checks", self.health.spot), ("changes", self._look_changes),
                           ("routine", self.routine.reading), ("vitals", self._look_vitals),
                           ("battery", self.health.battery), ("cover", self._look_cover)):
            self._guarded(name, look, reading, outcome)
        return outcome

    def tick(self, now: Stamp, statuses: Iterable[DeviceStatus]) -> Outcome:
        """Let time pass."""
        outcome = Outcome()
        self._guarded("evidence", self._tick_evidence, now, outcome)
        self._guarded("falls", self._tick_falls, now, outcome)
        self._guarded("routine", self.routine.tick, now, outcome)
        self._guarded("vitals", self._tick_vitals, now, outcome)
        known = tuple(statuses)
        self._guarded("supervision", lambda what, into: self._tick_supervision(now, what, into), known, outcome)
        self._guarded("cover", lambda what, into: self._tick_cover(now, what, into), known, outcome)
        return outcome

    def leave(self, now: Stamp) -> Outcome:
        """What must be told before the process ends: nobody would be left to know of it."""
        outcome = Outcome()
        self._guarded("falls", self._leave_falls, now, outcome)
        return outcome

    def covers(self, now_mono_s: float) -> list[cover.Cover]:
        """Who watches over falls this moment, for each wearer."""
        return cover.now(self._cover, self._watchers(), now_mono_s)

    def fell(self, finding: Finding, alarm: str, id_: str) -> Evidence | None:
        """Note a fall and the alarm that it raised or repeated; return the evidence that is awaited from now on.

        None where there is none to come: the finding's device is no bracelet, or this fall's evidence has begun.
        """
        before = self._evidence.get(finding.device)
        if before is None:
            return None
        fell = evidence.Fell(finding, alarm, id_)
        self._guarded("evidence", lambda what, into: self._evidently(finding.device, what, into), fell, Outcome())
        begun = self._evidence[finding.device].open[len(before.open):]
        return begun[0].evidence if begun else None

    def _guarded(self, name: str, look: Callable[[T, Outcome], None], what: T, outcome: Outcome) -> None:
        try:
            look(what, outcome)
        except Exception as error:  # one detector's bug must not blind the others, nor end a device's session
            log.exception("detector failed name=%s", name)
            self._fault(name, error)

    def _look_triggers(self, reading: Reading, outcome: Outcome) -> None:
        self._triggers, found = triggers.step(self._triggers, reading)
        outcome.findings += found

    def _look_falls(self, reading: Reading, outcome: Outcome) -> None:
        if isinstance(reading.value, Accel) and reading.value.at_wrist and self._forest is not None:
            state = self._falls.get(reading.device, falls.State())
            self._falls[reading.device], found = falls.step(
                state, reading.device, reading.at, reading.value, self._forest)
            outcome.findings += found

    def _tick_falls(self, now: Stamp, outcome: Outcome) -> None:
        if self._forest is None:
            return
        for device, state in self._falls.items():
            self._falls[device], found = falls.tick(state, device, now, self._forest)
            outcome.findings += found

    def _leave_falls(self, now: Stamp, outcome: Outcome) -> None:
        if self._forest is not None:
            for device, state in self._falls.items():
                outcome.findings += falls.leave(state, device, now, self._forest)

    def _look_evidence(self, reading: Reading, outcome: Outcome) -> None:
        """Before `falls`: a finding counts back from the newest sample."""
        if isinstance(reading.value, Accel) or reading.device in self._evidence:
            self._evidently(reading.device, reading, outcome)

    def _tick_evidence(self, now: Stamp, outcome: Outcome) -> None:
        for device in self._evidence:
            self._evidently(device, evidence.Tick(now), outcome)

    def _evidently(self, device: str, happened: evidence.Input, outcome: Outcome) -> None:
        state = self._evidence.get(device, evidence.State())
        self._evidence[device], complete = evidence.step(state, happened)
        outcome.evidence += complete

    def _look_changes(self, reading: Reading, outcome: Outcome) -> None:
        value = reading.value
        if not isinstance(value, Binary) or value.kind in OWN_AFFAIR:
            return
        if self._levels.get((reading.device, value.kind)) == value.active:
            return
        self._levels[reading.device, value.kind] = value.active
        data = {"kind": value.kind.value, "active": value.active}
        outcome.drafts.append(Draft(EventType.SENSOR_CHANGED, Lane.EVENT, reading.device, reading.at, data))

    def _look_vitals(self, reading: Reading, outcome: Outcome) -> None:
        self._vitals, summaries = vitals.step(self._vitals, reading, self._settings.vitals_period_s)
        _summarised(summaries, outcome)

    def _tick_vitals(self, now: Stamp, outcome: Outcome) -> None:
        self._vitals, summaries = vitals.tick(self._vitals, now, self._settings.vitals_period_s)
        _summarised(summaries, outcome)

    def _tick_supervision(self, now: Stamp, statuses: Iterable[DeviceStatus], outcome: Outcome) -> None:
        self._supervision, tell = supervision.step(self._supervision, statuses, now.mono_s)
        for status in tell:
            data = {"state": status.state.value, "covered": status.state in COVERED,
                    "reason": status.reason, "cure": status.cure}
            outcome.drafts.append(Draft(EventType.DEVICE_STATE, Lane.EVENT, status.device, now, data))
            self._guarded("routine", lambda what, into: self.routine.device(what, now, into), status, outcome)

    def _look_cover(self, reading: Reading, outcome: Outcome) -> None:
        del outcome
        self._cover = cover.heard(self._cover, reading, self._watchers())

    def _tick_cover(self, now: Stamp, statuses: Iterable[DeviceStatus], outcome: Outcome) -> None:
        self._cover, changed = cover.step(self._cover, self._watchers(), statuses, now.mono_s)
        outcome.drafts += [Draft(EventType.COVER_CHANGED, Lane.EVENT, "gateway", now, one.data()) for one in changed]


def _summarised(summaries: Iterable[vitals.Summary], outcome: Outcome) -> None:
    outcome.drafts += [Draft(EventType.VITALS_SUMMARY, Lane.TELEMETRY, summary.device, summary.at, summary.data())
                       for summary in summaries]
