"""Ladder: what to try when the radio does not work, from the mildest to the last resort. No I/O and no clock in here.

One rung at a time, each so often in a row, and then given time to work. When that has passed without a sign of life,
the next rung that can cure the symptom has its turn; above the last the climb begins anew after ROUND_S. A sign of life
ends it; how long a rung rests between two uses goes on being counted.

What proves a fault climbs to the top. Silence proves none: a flat where nobody is heard may be one where nobody is. It
never unbinds a radio or reboots the gateway, and never costs a link that stands, but where a device that raises alarms
is awaited, the links of those that raise none.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

ROUND_S = 60.0
FORGOTTEN_S = 600.0  # a fault so long after the last rung is another fault


class Symptom(StrEnum):
    SILENT = "silent"  # somebody is awaited and nobody at all is heard
    BROKEN = "broken"  # bluetoothd answers, but what it is asked for fails
    GONE = "gone"  # bluetoothd does not run, or does not answer
    LOST = "lost"  # bluetoothd has no such adapter any more
    MISSING = "missing"  # nor has it had one since we run: it may be pulled, or never have been there


class Rung(StrEnum):
    RESCAN = "rescan"  # scan anew; without a bluetoothd or an adapter: look again whether they are there
    POWER_CYCLE = "power_cycle"  # the adapter off and on
    RESTART = "restart_bluetoothd"
    REBIND = "rebind"  # take the adapter from its driver, USB or UART, and give it back
    REBOOT = "reboot"  # the whole gateway


_S = Symptom


@dataclass(frozen=True, slots=True)
class Rule:
    """`tries`: in a row. `settle_s`: how long it may take to work. `rest_s`: least time between two uses.

    `cuts`: every link ends. `since_boot`: the machine's start counts as a use, so that no reboot follows upon another.
    """

    cures: Set[Symptom]
    tries: int
    settle_s: float
    rest_s: float
    cuts: bool = True
    since_boot: bool = False


LADDER: Mapping[Rung, Rule] = MappingProxyType({
    Rung.RESCAN: Rule({_S.SILENT, _S.GONE, _S.LOST, _S.MISSING}, tries=2, settle_s=12, rest_s=0, cuts=False),
    Rung.POWER_CYCLE: Rule({_S.SILENT, _S.BROKEN}, tries=1, settle_s=15, rest_s=5 * 60),
    Rung.RESTART: Rule({_S.SILENT, _S.BROKEN, _S.GONE, _S.LOST, _S.MISSING}, tries=1, settle_s=30, rest_s=30 * 60),
    Rung.REBIND: Rule({_S.BROKEN, _S.LOST}, tries=1, settle_s=30, rest_s=30 * 60),
    Rung.REBOOT: Rule({_S.BROKEN, _S.GONE, _S.LOST}, tries=1, settle_s=600, rest_s=6 * 3600, since_boot=True),
})
_ORDER = tuple(LADDER)


@dataclass(frozen=True, slots=True)
class Climb:
    """Where we stand. `used_s`: when each rung was last used, by the monotonic clock, which counts from the boot."""

    rung: Rung = _ORDER[0]
    tries: int = 0
    wait_until_s: float = 0.0
    used_s: Mapping[Rung, float] = field(default_factory=dict)

    @property
    def at_rest(self) -> bool:
        return self.wait_until_s == 0.0


def step(climb: Climb, symptom: Symptom, now_s: float, possible: Set[Rung], links: int) -> tuple[Climb, Rung | None]:
    """Return what to do now about a symptom that is there: one of the `possible` rungs, or None for waiting.

    `links`: how many stand that silence must not cost.
    """
    if now_s < climb.wait_until_s:
        return climb, None
    if now_s > climb.wait_until_s + FORGOTTEN_S:
        climb = at_foot(climb)
    for rung in _ORDER[_ORDER.index(climb.rung):]:
        rule, tries = LADDER[rung], climb.tries if rung is climb.rung else 0
        used_s = climb.used_s.get(rung, 0.0 if rule.since_boot else -rule.rest_s)
        if (symptom in rule.cures and rung in possible and tries < rule.tries and now_s >= used_s + rule.rest_s
                and not (symptom is Symptom.SILENT and rule.cuts and links)):
            return Climb(rung, tries + 1, now_s + rule.settle_s, {**climb.used_s, rung: now_s}), rung
    return replace(at_foot(climb), wait_until_s=now_s + ROUND_S), None


def at_foot(climb: Climb) -> Climb:
    """The climb after a sign of life: it begins anew, but rungs rest as long as before."""
    return Climb(used_s=climb.used_s)


def failed(climb: Climb, now_s: float) -> Climb:
    """The rung just tried could not even be tried: nothing to wait for."""
    return replace(climb, tries=LADDER[climb.rung].tries, wait_until_s=now_s)
