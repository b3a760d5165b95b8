"""Watched: which sensors can be counted on, and whether only one person moves here. Pure.

Rules
 1. A person sets off several sensors within minutes. A lone motion, with no other sign LONE_S before and after, in
    three rooms and more, many times a day, is an animal's, a visitor's or a second resident's: from then on only signs
    that a hand or a body in bed gives count, and the motion of rooms where lone ones are rare: the animal does not go
    there. Judged are the last days together, MIN_DAYS at least. LONE_S is twice what a slow sensor is blind for, or
    each room would be alone. Days without a sensor of weight say nothing of it: the third room may be the one missing.
 2. A sensor that is lost takes its share of the signs with it: fewer can come. So does one that used to tell USUAL
    times a day and more, and has been still for STILL_DAYS on which the home was lively.
 3. One that has been gone for DROPPED_DAYS is no longer reckoned with: the rest is learned anew without it.
 4. A burst, BURST motions of two sensors and more in BURST_S, is a person's too where bursts are rare in the empty
    flat: from one use of the door to the next, without a sign of a hand between and with hardly a motion soon after
    the first. ALONE_H of it must have been seen, and no more than one burst in RARE_H of it.
Days are counted only if the home was lively on them: an empty flat says nothing of its sensors.
"""

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Sign, SignKind
from gateway.detect.inactivity.place import is_outside_door

LONE_S = 600.0
LONE_A_DAY, ALONE_A_DAY = 1.2, 0.5
"""Lone motions a day in the third of the rooms above which others move here, and below which the resident is alone."""
LONE_DAYS, MIN_DAYS = 10, 3
LIVELY, DOOR_DAYS = 20, 7
"""Signs that make a day lively; so many of them without a door to the outside: there is none that is watched."""
USUAL, STILL_DAYS, DROPPED_DAYS = 6.0, 3, 7
KEEP = 0.9
RARE_A_DAY = 0.4
SHARE_TOLD = 0.05
BURST, BURST_S = 4, 600.0
MOVES, SOON_S, OUTING_S = 3, 900.0, 1800.0
"""Who comes home is seen so often so soon after the door; shorter spans between two uses of it say nothing."""
ALONE_H, RARE_H = 8.0, 12.0


class Sensor(msgspec.Struct, frozen=True):
    """What one sensor tells: today, on a usual day, and how many lively days it has been still, of how many.

    `human`: not motion. `lone`, `lone_usual`: lone motions today and on a usual day.
    """

    human: bool
    today: int = 0
    lone: int = 0
    usual: float = 0.0
    still_days: int = 0
    days: int = 0
    lone_usual: float = 0.0


class Empty(msgspec.Struct, frozen=True):
    """Bursts in the empty flat: how many, in how many hours. `since_s`: the door, if it is empty now; `new`: since."""

    hours: float = 0.0
    bursts: int = 0
    since_s: float | None = None
    new: int = 0


class Watched(msgspec.Struct, frozen=True):
    """All sensors. `last`: the last sign's sensor if it may be a lone motion, and when it came.

    `motions`: the last BURST since the door, when and of which sensor.
    """

    sensors: dict[str, Sensor] = {}
    lost: tuple[str, ...] = ()
    lone_days: tuple[float, ...] = ()
    others: bool = False
    lively_days: int = 0
    last: str = ""
    last_s: float = -1e18
    motions: tuple[tuple[float, str], ...] = ()
    empty: Empty = Empty()


def heard(watched: Watched, sign: Sign) -> Watched:
    """Take a sign."""
    sensors = dict(watched.sensors)
    apart = sign.at_s - watched.last_s > LONE_S
    if apart and watched.last:
        before = sensors[watched.last]
        sensors[watched.last] = replace(before, lone=before.lone + 1)
    known = sensors.get(sign.sensor) or Sensor(sign.kind is not SignKind.MOTION)
    sensors[sign.sensor] = Sensor(known.human, known.today + 1, known.lone, known.usual, known.still_days, known.days,
                                  known.lone_usual)
    last = sign.sensor if apart and sign.kind is SignKind.MOTION else ""
    motions = watched.motions
    if sign.kind is SignKind.MOTION:
        motions = (*motions, (sign.at_s, sign.sensor))[-BURST:]
    elif is_outside_door(sign):
        motions = ()
    return Watched(sensors, watched.lost, watched.lone_days, watched.others, watched.lively_days, last, sign.at_s,
                   motions, _emptied(watched, sign, motions))


def _emptied(watched: Watched, sign: Sign, motions: tuple[tuple[float, str], ...]) -> Empty:
    """What is known of the empty flat after a sign."""
    empty = watched.empty
    if is_outside_door(sign):
        hours, bursts = empty.hours, empty.bursts
        if empty.since_s is not None and sign.at_s - empty.since_s > OUTING_S:
            hours, bursts = hours + (sign.at_s - empty.since_s) / 3600.0, bursts + empty.new
        return Empty(hours, bursts, sign.at_s)
    if empty.since_s is None:
        return empty
    if sign.kind is not SignKind.MOTION:
        return Empty(empty.hours, empty.bursts)
    if sign.at_s - empty.since_s < SOON_S:
        return Empty(empty.hours, empty.bursts) if len(motions) >= MOVES else empty
    begins = is_burst(motions) and not is_burst(watched.motions)
    return replace(empty, new=empty.new + 1) if begins else empty


def is_burst(motions: tuple[tuple[float, str], ...]) -> bool:
    """Tell whether the last motions are several of more than one sensor in a short time."""
    return (len(motions) == BURST and motions[-1][0] - motions[0][0] <= BURST_S
            and any(name != motions[0][1] for _, name in motions))


def trusts_bursts(watched: Watched) -> bool:
    """Bursts are known to be a person's here."""
    return watched.empty.hours >= ALONE_H and watched.empty.bursts <= watched.empty.hours / RARE_H


def day_over(watched: Watched) -> Watched:
    """Draw the day's line under what was told on it."""
    if sum(sensor.today for sensor in watched.sensors.values()) < LIVELY:
        fresh = {name: replace(sensor, today=0, lone=0) for name, sensor in watched.sensors.items()}
        return replace(watched, sensors=fresh)
    lone = sorted((float(sensor.lone) for sensor in watched.sensors.values()), reverse=True)
    lone_days = watched.lone_days
    if not missing(watched):
        lone_days = (*lone_days, lone[2] if len(lone) > 2 else 0.0)[-LONE_DAYS:]
    others = watched.others
    if len(lone_days) >= MIN_DAYS:
        mean = sum(lone_days) / len(lone_days)
        others = mean >= (ALONE_A_DAY if others else LONE_A_DAY)
    sensors = {name: _day_over(sensor, name in watched.lost) for name, sensor in watched.sensors.items()}
    return replace(watched, sensors=sensors, lone_days=lone_days, others=others,
                   lively_days=watched.lively_days + 1)


def _day_over(sensor: Sensor, lost: bool) -> Sensor:
    still_days = 0 if sensor.today and not lost else sensor.still_days + 1
    usual = sensor.usual
    if not still_days:
        usual = usual * KEEP + sensor.today * (1 - KEEP) if usual else float(sensor.today)
    elif still_days >= DROPPED_DAYS:
        usual = 0.0
    elif sensor.usual < USUAL:
        usual = usual * KEEP
    lone_usual = sensor.lone_usual * KEEP + sensor.lone * (1 - KEEP) if sensor.days else float(sensor.lone)
    return Sensor(sensor.human, usual=usual, still_days=still_days, days=sensor.days + 1, lone_usual=lone_usual)


def is_human(watched: Watched, sign: Sign) -> bool:
    """A sign that only the resident gives; `watched` has heard it."""
    if sign.kind is not SignKind.MOTION:
        return True
    sensor = watched.sensors.get(sign.sensor)
    return (sensor is not None and _is_human(sensor)) or (is_burst(watched.motions) and trusts_bursts(watched))


def _is_human(sensor: Sensor) -> bool:
    return sensor.human or (sensor.days >= MIN_DAYS and sensor.lone_usual < RARE_A_DAY)


def missing(watched: Watched) -> list[str]:
    """Sensors that were of weight and cannot be counted on now."""
    total = sum(sensor.usual for sensor in watched.sensors.values()) or 1.0
    return [name for name, sensor in watched.sensors.items()
            if _missing(watched, name, sensor) and sensor.usual >= SHARE_TOLD * total]


def seen(watched: Watched, *, human: bool) -> float:
    """Share of the usual signs that can come, 0.1..1."""
    total = gone = 0.0
    for name, sensor in watched.sensors.items():
        if not human or _is_human(sensor):
            total += sensor.usual
            if _missing(watched, name, sensor):
                gone += sensor.usual
    return max(1.0 - gone / total, 0.1) if total else 1.0


def tells(watched: Watched) -> float:
    """Human-only signs on a usual day."""
    return sum(sensor.usual for sensor in watched.sensors.values() if _is_human(sensor))


def _missing(watched: Watched, name: str, sensor: Sensor) -> bool:
    return name in watched.lost or (sensor.still_days >= STILL_DAYS and sensor.usual >= USUAL)
