"""Made homes: days of one resident, a minute's resolution, with whatever is to happen in them."""

import random
from collections.abc import Iterator

from gateway.detect.home import Input, Sign, SignKind, Tick
from gateway.detect.inactivity import Settings, State, step
from gateway.detect.inactivity.detector import Told

DAY_S, HOUR_S = 86400.0, 3600.0
SETTINGS = Settings()
RISES_H, RETIRES_H = 7.0, 22.5


def motion(at_s: float, room: str = "kitchen", sensor: str = "", *, clock: bool = True) -> Sign:
    return Sign(at_s, at_s if clock else None, sensor or f"pir-{room}", SignKind.MOTION, room, True)


def door(at_s: float) -> Sign:
    return Sign(at_s, at_s, "front", SignKind.DOOR, "hall", True)


def tick(at_s: float, *, clock: bool = True) -> Tick:
    return Tick(at_s, at_s if clock else None)


def day(number: int, *, clock: bool = True, until_h: float = 24.0) -> Iterator[Input]:
    """A day: kitchen, living room and bathroom by turns every few minutes, the bathroom once at night.

    On every third day an hour out of the house, after 15 h.
    """
    dice = random.Random(number)
    at_s, rises_s = number * DAY_S + 3.2 * HOUR_S, number * DAY_S + (RISES_H + dice.uniform(-0.4, 0.4)) * HOUR_S
    if until_h > 3.2:
        yield motion(at_s, "bathroom", clock=clock)
    at_s, out = rises_s, not clock
    while at_s < number * DAY_S + min(until_h, RETIRES_H) * HOUR_S:
        if not number % 3 and not out and at_s > number * DAY_S + 15 * HOUR_S:
            out = True
            yield door(at_s)
            at_s += HOUR_S
            yield door(at_s)
        for room in dice.choice((("hall", "kitchen"), ("hall", "living"), ("hall", "bathroom"))):
            yield motion(at_s, room, clock=clock)
            at_s += dice.uniform(20.0, 60.0)
        at_s += dice.choice((120.0, 300.0, 900.0, 2400.0)) * dice.uniform(0.7, 1.3)


def lived(days: int, state: State | None = None, *, clock: bool = True, settings: Settings = SETTINGS
          ) -> tuple[State, list[Told]]:
    """The state after so many days with ticks every ten minutes, and what was told in them."""
    state, told = state or State(), []
    for number in range(days):
        for happened in with_ticks(day(number, clock=clock), number * DAY_S, clock=clock):
            state, more = step(state, happened, settings)
            told += more
    return state, told


def with_ticks(events: Iterator[Input], begin_s: float, *, clock: bool = True) -> Iterator[Input]:
    next_s = begin_s
    for happened in events:
        while next_s < happened.at_s:
            yield tick(next_s, clock=clock)
            next_s += 600.0
        yield happened


def silence(state: State, begin_s: float, hours: float, *, clock: bool = True, settings: Settings = SETTINGS
            ) -> tuple[State, list[Told]]:
    """What is told in so many hours without a sign, ticks every minute from `begin_s` on."""
    told: list[Told] = []
    for minute in range(int(hours * 60) + 1):
        state, more = step(state, tick(begin_s + minute * 60.0, clock=clock), settings)
        told += more
    return state, told
