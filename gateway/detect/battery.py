"""Battery: how long a device's battery still lasts, by a robust line through what it told, and when to say so. Pure.

Theory
    A percentage is a coarse, jumping guess of the device itself, often in steps of 5 or 10. So the line is that of
    Theil and Sen: the median of the slopes between all pairs of points at least half of the known time apart; a few
    wild values do not move it. The earliest and the latest hour come from the 10th and the 90th percentile of these
    slopes, widened by WIDEN, and from one step of the percentage. A cell does not fall along a line: many collapse near
    the end, so the earliest hour is the one at which LOW_PERCENT are left (docs/vitals.md has how often both hold).

Rules
 1. A rise of RISE_PERCENT, or a charger, begins anew: it was charged or changed.
 2. No forecast from less than DROP_PERCENT of fall, POINTS points or SPAN_S of time.
 3. It is told once a charge, with the forecast, when LOW_PERCENT are left within WARN_S or within a WARN_SHARE of a
    whole charge, whichever is longer: a bracelet of a day half a day ahead, a sensor of a year two months ahead.
 4. Without a forecast it is told once at LOW_PERCENT. Of a device that says how long it lasts by a warning of its own
    (battery_low) that warning is told by itself, as any level.
"""

from itertools import combinations, pairwise
from statistics import median, quantiles

import msgspec
from msgspec.structs import replace

from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind, Reading

RISE_PERCENT = 10.0
DROP_PERCENT, POINTS, SPAN_S = 5.0, 4, 2 * 3600.0
WARN_S, WARN_SHARE = 8 * 3600.0, 0.05
LOW_PERCENT = 15.0
KEPT = 32
WIDEN = 1.25
_HOUR_S = 3600.0


class Point(msgspec.Struct, frozen=True):
    """What was told first, or a change of it. `at_s` counts seconds over all boots (detect/home.py)."""

    at_s: float
    percent: float


class Forecast(msgspec.Struct, frozen=True):
    """Hours until it is empty, and between which hours with what is known; `latest_h` None: nobody can say."""

    flat_in_h: float
    earliest_h: float
    latest_h: float | None


class Known(msgspec.Struct, frozen=True):
    """What is known of one battery since it was last charged."""

    points: tuple[Point, ...] = ()
    charging: bool = False
    told: bool = False


class Low(msgspec.Struct, frozen=True):
    """A battery that somebody should charge or change. `forecast`: None where there is none."""

    device: str
    percent: float
    forecast: Forecast | None

    def data(self) -> dict[str, object]:
        """Data of the event."""
        hours = {name: getattr(self.forecast, name, None) for name in Forecast.__struct_fields__}
        words = f"the battery is at {self.percent:.0f} %"
        if self.forecast is not None:
            words += f" and may be empty in {_long(self.forecast.earliest_h)}"
        return {"percent": self.percent, **hours, "words": words, "cure": "charge it, or change its battery"}


State = dict[str, Known]


def step(state: State, reading: Reading, at_s: float) -> tuple[State, Low | None]:
    """Take one reading of any kind; return what is known now, and the battery that is to be told."""
    known = state.get(reading.device, Known())
    match reading.value:
        case Binary(kind=BinaryKind.CHARGING, active=active):
            return state | {reading.device: Known(charging=active)}, None
        case Quantity(kind=QuantityKind.BATTERY, value=percent, plausible=True):
            known = _noted(known, percent, at_s)
        case _:
            return state, None
    low = None if known.told or known.charging else _due(reading.device, known, percent, at_s)
    return state | {reading.device: replace(known, told=known.told or low is not None)}, low


def forecast(known: Known, now_s: float) -> Forecast | None:
    """When it will be empty, from this moment on; None where nobody can say (rule 2)."""
    points = known.points
    if known.charging or len(points) < POINTS:
        return None
    span_s, fallen = points[-1].at_s - points[0].at_s, points[0].percent - points[-1].percent
    if span_s < SPAN_S or fallen < DROP_PERCENT:
        return None
    slopes = [(b.percent - a.percent) / (b.at_s - a.at_s) for a, b in combinations(points, 2)
              if b.at_s - a.at_s >= span_s / 2]
    slope = median(slopes)
    if slope >= 0:
        return None
    level = median(point.percent - slope * point.at_s for point in points)  # of the line, at 0 s
    step_ = min((abs(a.percent - b.percent) for a, b in pairwise(points)
                 if a.percent != b.percent), default=1.0)
    left = max(0.0, min(level + slope * now_s, points[-1].percent + step_))
    cuts = quantiles(slopes, n=10, method="inclusive") if len(slopes) > 1 else [slope] * 9
    steep, gentle = min(cuts[0], slope) * WIDEN, max(cuts[-1], slope) / WIDEN
    earliest = max(0.0, left - step_ - LOW_PERCENT) / -steep
    latest = (left + step_) / -gentle / _HOUR_S if gentle < 0 else None
    return Forecast(round(left / -slope / _HOUR_S, 1), round(earliest / _HOUR_S, 1),
                    None if latest is None else round(latest, 1))


def _noted(known: Known, percent: float, at_s: float) -> Known:
    points = known.points
    if points and percent - points[-1].percent >= RISE_PERCENT:
        return Known((Point(at_s, percent),), known.charging)
    if points and percent == points[-1].percent:
        return known
    if points and at_s <= points[-1].at_s:
        return replace(known, points=(*points[:-1], Point(points[-1].at_s, percent)))
    points = (*points, Point(at_s, percent))
    if len(points) > KEPT:  # the older half thinned out: the line keeps its length
        points = (*points[: KEPT // 2 : 2], *points[KEPT // 2 :])
    return replace(known, points=points)


def _due(device: str, known: Known, percent: float, at_s: float) -> Low | None:
    """Rules 3 and 4."""
    ahead = forecast(known, at_s)
    if ahead is None:
        return Low(device, percent, None) if percent <= LOW_PERCENT else None
    whole_h = ahead.flat_in_h * 100 / max(percent, 1.0)
    low_in_h = ahead.flat_in_h - whole_h * LOW_PERCENT / 100
    return Low(device, percent, ahead) if low_in_h <= max(WARN_S / _HOUR_S, WARN_SHARE * whole_h) else None


def _long(hours: float) -> str:
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
