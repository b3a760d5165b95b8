"""Watched: which sensors can be counted on, and whether only one person moves here. Pure.

Rules
 1. A person sets off several sensors within minutes. A lone motion, with no other sign LONE_S before and after, in
    three rooms and more, many times a day, is an animal's, a visitor's or a second resident's: from then on only signs
    that a hand or a body in bed gives count, and the motion of rooms where lone ones are rare: the animal does not go
    there. Judged are the last days together, MIN_DAYS at least.
 2. A sensor that is lost takes its share of the signs with it: fewer can come. So does one that used to tell USUAL
    times a day and more, and has been still for STILL_DAYS on which the home was lively.
 3. One that has been gone for DROPPED_DAYS is no longer reckoned with: the rest is learned anew without it.
Days are counted only if the home was lively on them: an empty flat says nothing of its sensors.
"""

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Sign, SignKind

LONE_S = 300.0
LONE_A_DAY, ALONE_A_DAY = 2.5, 1.2
"""Lone motions a day in the third of the rooms above which others move here, and below which the resident is alone."""
LONE_DAYS, MIN_DAYS = 10, 3
LIVELY, DOOR_DAYS = 20, 7
"""Signs that make a day lively; so many of them without a door to the outside: there is none that is watched."""
USUAL, STILL_DAYS, DROPPED_DAYS = 6.0, 3, 7
KEEP = 0.9
RARE_A_DAY = 0.4
SHARE_TOLD = 0.05


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


class Watched(msgspec.Struct, frozen=True):
    """All sensors. `last`: the last sign's sensor if it may be a lone motion, and when it came."""

    sensors: dict[str, Sensor] = {}
    lost: tuple[str, ...] = ()
    lone_days: tuple[float, ...] = ()
    others: bool = False
    lively_days: int = 0
    last: str = ""
    last_s: float = -1e18


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
    return Watched(sensors, watched.lost, watched.lone_days, watched.others, watched.lively_days, last, sign.at_s)


def day_over(watched: Watched) -> Watched:
    """Draw the day's line under what was told on it."""
    if sum(sensor.today for sensor in watched.sensors.values()) < LIVELY:
        fresh = {name: replace(sensor, today=0, lone=0) for name, sensor in watched.sensors.items()}
        return replace(watched, sensors=fresh)
    lone = sorted((float(sensor.lone) for sensor in watched.sensors.values()), reverse=True)
    lone_days = (*watched.lone_days, lone[2] if len(lone) > 2 else 0.0)[-LONE_DAYS:]
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
    """A sign that only the resident gives."""
    sensor = watched.sensors.get(sign.sensor)
    return sign.kind is not SignKind.MOTION or (sensor is not None and _is_human(sensor))


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
