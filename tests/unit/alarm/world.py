"""A way to drive decide() through a story and to look at what it asked for."""

from dataclasses import dataclass, field

from gateway.alarm import (
    Alarms,
    Append,
    CancelPressed,
    Closed,
    Effect,
    Input,
    Raised,
    Received,
    Rules,
    Say,
    Sent,
    Show,
    Tick,
    decide,
)
from gateway.model.alarm import Alarm
from gateway.model.event import Event
from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.time import ClockQuality, Stamp


def at(mono_s: float, boot_id: str = "boot-1") -> Stamp:
    return Stamp(boot_id, mono_s, None, ClockQuality.UNSET)


@dataclass
class World:
    """Open alarms, the time, and every effect so far."""

    rules: Rules = field(default_factory=Rules)
    alarms: Alarms = field(default_factory=dict)
    now: Stamp = field(default_factory=lambda: at(1000))
    effects: list[Effect] = field(default_factory=list)
    raised: int = 0

    def do(self, happened: Input) -> list[Effect]:
        self.alarms, effects = decide(self.alarms, happened, self.now, self.rules)
        self.effects += effects
        return effects

    def wait(self, seconds: float) -> list[Effect]:
        """Let time go on, with a tick each second."""
        effects: list[Effect] = []
        for _ in range(round(seconds)):
            self.now = at(self.now.mono_s + 1, self.now.boot_id)
            effects += self.do(Tick())
        return effects

    def find(self, kind: FindingKind, device: str = "d", source: FallSource | None = None, score: float = 1.0
             ) -> list[Effect]:
        self.raised += 1
        finding = Finding(kind, device, self.now, score, "words", {"peak_g": 3.0}, source)
        return self.do(Raised(finding, f"id-{self.raised}"))

    def sent(self, id_: str = "id-1") -> list[Effect]:
        return self.do(Sent(id_))

    def received(self, id_: str = "id-1") -> list[Effect]:
        return self.do(Received(id_))

    def close(self, id_: str = "id-1", by: str = "command-7") -> list[Effect]:
        return self.do(Closed(id_, by))

    def cancel(self) -> list[Effect]:
        return self.do(CancelPressed("fine"))


def said(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(effect.prompt.value, effect.kind.value) for effect in effects if isinstance(effect, Say)]


def shown(effects: list[Effect]) -> list[str]:
    return [effect.pattern.value for effect in effects if isinstance(effect, Show)]


def told(effects: list[Effect]) -> list[Event]:
    return [event for effect in effects if isinstance(effect, Append) for event in effect.events]


def types(effects: list[Effect]) -> list[str]:
    return [event.type.removeprefix("anju.") for event in told(effects)]


def snapshots(effects: list[Effect]) -> list[Alarm]:
    return [effect.alarm for effect in effects if isinstance(effect, Append)]
