"""appliances: left_on (stove, iron: on for too long and nobody in its room), and unused_today (the kettle).

left_on: only where the configuration gives a limit for that appliance. Every sign of a person in its room begins the
wait anew; it is said again each time the limit passes after one. Since the appliance itself can tell that it is still
on only by not having said off, one whose sensor is lost is left out.
unused_today: an appliance that was first used by a certain time on nearly all of the last days has not been today, an
hour after the latest of these times. Learned for each; days with an empty flat or a blind sensor count for nothing.
"""

import math

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Concern, Input, Sign, SignKind
from gateway.detect.routines.kinds import Notice, NoticeKind
from gateway.detect.routines.night import DAY_S
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings
from gateway.model.finding import FindingKind

KEPT, ENOUGH = 28, 14
MOST_DAYS = 0.9
MARGIN_S = 3600.0
SEEN_S = 3600.0
"""A day is whole only if the gateway has watched for so long without a break at every moment of it."""
BEGINS_S = 4 * 3600.0
"""Of the day that is meant by today: tea at one o'clock in the night is of the day before."""
SCORE = 0.8


class On(msgspec.Struct, frozen=True):
    """An appliance that is on: in which room, since when, and since when nobody has been with it."""

    room: str
    since_s: float
    alone_s: float
    told: bool = False


class Use(msgspec.Struct, frozen=True):
    """First use on each of the last days in seconds of the day, None for a day without; of today, and whether told."""

    firsts_s: tuple[float | None, ...] = ()
    today_s: float | None = None
    told: bool = False


class State(msgspec.Struct, frozen=True):
    """`on` and `uses` by appliance. `day`: today, counted from 1970; `whole`: all of it was watched so far."""

    on: dict[str, On] = {}
    uses: dict[str, Use] = {}
    day: int | None = None
    whole: bool = False
    due_s: float = -math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Concern | Notice, ...]]:
    """Take one input; return what is known of the appliances, and what was left on or has not been used."""
    at_s, day = happened.at_s, state.day
    told: tuple[Concern | Notice, ...] = ()
    if isinstance(happened, Sign):
        if happened.kind is SignKind.APPLIANCE:
            state = _used(state, scene, happened, settings)
        elif state.on and human:
            state = _attended(state, happened.room, at_s, settings)
    if at_s >= state.due_s:
        state, told = _by_the_clock(state, scene, at_s, settings)
    if state.whole and (scene.empty() or (day is not None and not scene.seen_since(at_s - SEEN_S))):
        state = replace(state, whole=False)
    return state, told


def _used(state: State, scene: Scene, sign: Sign, settings: Settings) -> State:
    on, uses = dict(state.on), state.uses
    if not sign.on:
        on.pop(sign.sensor, None)
    elif sign.sensor in settings.left_on_min and sign.sensor not in on:
        on[sign.sensor] = On(sign.room, sign.at_s, sign.at_s)
    use = uses.get(sign.sensor, Use())
    if sign.on and use.today_s is None and scene.ahead_s is not None:
        of_day_s = (sign.at_s + scene.ahead_s - BEGINS_S) % DAY_S
        uses = uses | {sign.sensor: replace(use, today_s=of_day_s)}
    return replace(state, on=on, uses=uses, due_s=_due_s(on, sign.at_s, settings, state.due_s))


def _attended(state: State, room: str, at_s: float, settings: Settings) -> State:
    if all(one.room != room for one in state.on.values()):
        return state
    on = {sensor: replace(one, alone_s=at_s, told=False) if one.room == room else one
          for sensor, one in state.on.items()}
    return replace(state, on=on, due_s=_due_s(on, at_s, settings, state.due_s))


def _due_s(on: dict[str, On], at_s: float, settings: Settings, before_s: float) -> float:
    """No later than `before_s`: looking too early costs nothing."""
    waits = [one.alone_s + settings.left_on_min[sensor] * 60 for sensor, one in on.items()
             if not one.told and sensor in settings.left_on_min]
    return min([*waits, before_s, at_s + DAY_S])


def _by_the_clock(
    state: State, scene: Scene, at_s: float, settings: Settings
) -> tuple[State, tuple[Concern | Notice, ...]]:
    """What is due now."""
    told: list[Concern | Notice] = []
    on = dict(state.on)
    for sensor, one in state.on.items():
        limit_s = settings.left_on_min.get(sensor, math.inf) * 60
        if not one.told and at_s >= one.alone_s + limit_s and sensor not in scene.lost:
            on[sensor] = replace(one, told=True)
            words = f"{sensor} is on, and nobody has been in its room for {(at_s - one.alone_s) / 60:.0f} min"
            evidence: dict[str, float] = {"on_s": round(at_s - one.since_s), "alone_s": round(at_s - one.alone_s)}
            told.append(Concern(FindingKind.LEFT_ON, at_s, SCORE, words, evidence))
    state = replace(state, on=on)
    due_s = math.inf
    if scene.ahead_s is not None:
        local_s = at_s + scene.ahead_s - BEGINS_S
        state = _today(state, scene, int(local_s // DAY_S))
        due_s = (local_s // DAY_S + 1) * DAY_S - local_s + at_s
        uses = dict(state.uses)
        for sensor, use in state.uses.items():
            by_s = _by_s(use)
            if use.told or use.today_s is not None or by_s is None:
                continue
            if local_s % DAY_S < by_s:
                due_s = min(due_s, at_s + by_s - local_s % DAY_S)
            elif state.whole and sensor not in scene.lost:
                uses[sensor] = replace(use, told=True)
                words = f"{sensor} has not been used today"
                told.append(Notice(NoticeKind.UNUSED_TODAY, at_s, words, {"usual_s": round(by_s)}, sensor))
        state = replace(state, uses=uses)
    return replace(state, due_s=_due_s(on, at_s, settings, due_s)), tuple(told)


def _today(state: State, scene: Scene, day: int) -> State:
    """The state on this day; a day that is over is learned if it was watched."""
    if day == state.day:
        return state
    uses = {}
    for sensor, use in state.uses.items():
        whole = state.whole and sensor not in scene.lost
        firsts_s = (*use.firsts_s, use.today_s)[-KEPT:] if whole or use.today_s is not None else use.firsts_s
        uses[sensor] = Use(firsts_s)
    return replace(state, uses=uses, day=day, whole=True)


def _by_s(use: Use) -> float | None:
    """Second of the day by which it is used; None for what is not used nearly daily."""
    used_s = [first_s for first_s in use.firsts_s if first_s is not None]
    if len(use.firsts_s) < ENOUGH or len(used_s) < MOST_DAYS * len(use.firsts_s):
        return None
    by_s = max(used_s) + MARGIN_S
    return by_s if by_s < DAY_S else None
