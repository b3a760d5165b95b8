"""Summaries of measured quantities, one a device, kind and period: the data of `anju.vitals.summary`.

A period begins with the first value after the last one ended, so a device that rests costs nothing. It ends with the
first reading or tick past its length. Values that a driver marked as implausible are counted, not summed up. A new
boot ends a period at once, for its monotonic time begins anew.
"""

from statistics import median
from typing import Any

import msgspec

from gateway.model.reading import UNIT_OF, Quantity, QuantityKind, Reading
from gateway.model.time import Stamp
from gateway.model.vocabulary import LOINC_OF


class Period(msgspec.Struct, frozen=True):
    """The values of one running period."""

    began: Stamp
    last: Stamp
    values: tuple[float, ...] = ()
    implausible: int = 0


class State(msgspec.Struct, frozen=True):
    """The running periods: device -> kind -> period."""

    periods: dict[str, dict[QuantityKind, Period]] = {}


class Summary(msgspec.Struct, frozen=True):
    """One period of one quantity. `at`: of its last value; the numbers are None where no value was plausible."""

    device: str
    kind: QuantityKind
    at: Stamp
    span_s: float
    n: int
    implausible: int
    minimum: float | None
    median: float | None
    maximum: float | None

    def data(self) -> dict[str, Any]:
        """Data of the event."""
        return {
            "kind": self.kind.value, "unit": UNIT_OF[self.kind], "loinc": LOINC_OF.get(self.kind),
            "span_s": round(self.span_s, 3), "n": self.n, "implausible": self.implausible,
            "min": self.minimum, "median": self.median, "max": self.maximum,
        }


def step(state: State, reading: Reading, period_s: float) -> tuple[State, tuple[Summary, ...]]:
    """Take one reading of any kind; return the running periods and the summaries of those it ended."""
    state, ended = tick(state, reading.at, period_s)
    if not isinstance(reading.value, Quantity):
        return state, ended
    value = reading.value
    kinds = state.periods.get(reading.device, {})
    period = kinds.get(value.kind) or Period(reading.at, reading.at)
    if value.plausible:
        period = Period(period.began, reading.at, (*period.values, value.value), period.implausible)
    else:
        period = Period(period.began, reading.at, period.values, period.implausible + 1)
    return State(state.periods | {reading.device: kinds | {value.kind: period}}), ended


def tick(state: State, now: Stamp, period_s: float) -> tuple[State, tuple[Summary, ...]]:
    """Let time go on; return the running periods and the summaries of those that ended."""
    ended = [(device, kind, period) for device, kinds in state.periods.items() for kind, period in kinds.items()
             if _over(period, now, period_s)]
    if not ended:
        return state, ()
    over = {(device, kind) for device, kind, _ in ended}
    running = {device: {kind: period for kind, period in kinds.items() if (device, kind) not in over}
               for device, kinds in state.periods.items()}
    return State(running), tuple(_summary(*item) for item in ended)


def _over(period: Period, now: Stamp, period_s: float) -> bool:
    return now.boot_id != period.began.boot_id or now.mono_s - period.began.mono_s >= period_s


def _summary(device: str, kind: QuantityKind, period: Period) -> Summary:
    values = period.values
    low, middle, high = (min(values), median(values), max(values)) if values else (None, None, None)
    return Summary(device, kind, period.last, period.last.mono_s - period.began.mono_s, len(values),
                   period.implausible, low, middle, high)
