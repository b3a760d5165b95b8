"""Health: spot checks, rules for vital signs and batteries, as readings come. No I/O.

The shell around gateway/detect/vitals and battery.py: it knows whose a device is (`people`) and counts the seconds over
all boots (`seconds`).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.detect import battery
from gateway.detect.vitals import rules, spot
from gateway.detect.vitals.limits import NOBODY, RESIDENT, Person
from gateway.model.event import EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel, Quantity, Reading, SpotCheck
from gateway.model.time import Stamp
from gateway.runtime.outcome import Draft, Outcome

RECORDS = 512
"""Stored records of a device that are known again: a crash lets come again what came in its last seconds."""

SPEAK_S = 60.0
"""What was measured longer ago is not said aloud: whoever measured is no longer there."""


class Saved(msgspec.Struct, frozen=True):
    """What is kept over a restart."""

    vitals: rules.State
    batteries: battery.State
    records: dict[str, tuple[str, ...]] = {}


class Health:
    """One home's. `people`: device -> whose it is and what was asked for; `seconds`: a stamp over all boots."""

    def __init__(self, seconds: Callable[[Stamp], float], people: Callable[[str], Person] = lambda device: NOBODY
                 ) -> None:
        self._seconds, self._people = seconds, people
        self._vitals = rules.State()
        self._batteries: battery.State = {}
        self._records: dict[str, tuple[str, ...]] = {}  # of each device, the newest last

    def knows(self, reading: Reading) -> bool:
        """Tell whether it is a stored record that was told before."""
        value = reading.value
        return isinstance(value, SpotCheck) and bool(value.record) and (
            value.record in self._records.get(reading.device, ()))

    def spot(self, reading: Reading, outcome: Outcome) -> None:
        """Tell what somebody measured, and let it be said where they wish."""
        if not isinstance(reading.value, SpotCheck) or not reading.value.values:
            return
        person, check = self._people(reading.device), reading.value
        if check.record:
            self._records[reading.device] = (*self._records.get(reading.device, ()), check.record)[-RECORDS:]
        at = spot.taken(check, reading.at)
        outcome.drafts.append(Draft(EventType.VITALS_MEASURED, Lane.EVENT, reading.device, at,
                                    spot.data(check, person)))
        if person.speak and reading.at.mono_s - at.mono_s <= SPEAK_S:
            outcome.aloud.append(reading)

    def rules(self, reading: Reading, outcome: Outcome) -> None:
        """Judge a reading by the limits of the person whose it is."""
        person = self._people(reading.device)
        if not person.limits or not isinstance(reading.value, Quantity | SpotCheck):
            return
        self._vitals, told = rules.step(self._vitals, reading, self._seconds(reading.at), person)
        wearer = "" if person.name == RESIDENT else person.name
        for one in told:
            if one.level is rules.Level.ALARM:
                outcome.findings.append(Finding(FindingKind.VITAL_SIGN, reading.device, reading.at, 1.0, one.words,
                                                one.evidence()))
            else:
                outcome.drafts.append(Draft(EventType.VITALS_NOTICED, Lane.EVENT, reading.device, reading.at,
                                            one.data(wearer)))

    def battery(self, reading: Reading, outcome: Outcome) -> None:
        """Follow a device's battery."""
        if isinstance(reading.value, Accel):  # many a second, and nobody's battery: the seconds need not be counted
            return
        self._batteries, low = battery.step(self._batteries, reading, self._seconds(reading.at))
        if low is not None:
            outcome.drafts.append(Draft(EventType.BATTERY_LOW, Lane.EVENT, low.device, reading.at, low.data()))

    def batteries(self, now: Stamp) -> dict[str, dict[str, Any]]:
        """What `anju status` shows of each battery: the last percentage, and its forecast where there is one."""
        now_s = self._seconds(now)
        return {device: {"percent": known.points[-1].percent, "charging": known.charging,
                         "forecast": msgspec.to_builtins(battery.forecast(known, now_s))}
                for device, known in self._batteries.items() if known.points}

    def saved(self) -> bytes:
        """What must be known again after a restart: not the streams, which begin anew in seconds."""
        vitals = msgspec.structs.replace(self._vitals, streams={})
        return msgspec.msgpack.encode(Saved(vitals, self._batteries, self._records))

    def restore(self, saved: bytes) -> list[msgspec.MsgspecError]:
        """Take up what saved() said; return why it begins anew."""
        try:
            known = msgspec.msgpack.decode(saved, type=Saved)
        except msgspec.MsgspecError as error:
            return [error]
        self._vitals, self._batteries = known.vitals, known.batteries | self._batteries
        self._records = known.records | self._records
        return []
