"""A flat in virtual time: signs by the clock on the wall, ticks every minute between them, and what was told."""

from datetime import UTC, datetime

from gateway.detect.home import GATEWAY, Away, Concern, Input, Outage, Sign, SignKind, Tick
from gateway.detect.routines import Notice, Settings, State, step

MONDAY = datetime(2024, 1, 8, tzinfo=UTC).timestamp()
DAY_S = 86400.0
DEFAULT = Settings()
AHEAD_S = 3600.0  # the wall's clock and `at_s` differ, so that no rule may take one for the other

SENSORS = {
    "hall": (SignKind.MOTION, "hall"), "kitchen": (SignKind.MOTION, "kitchen"), "bath": (SignKind.MOTION, "bathroom"),
    "bedroom": (SignKind.MOTION, "bedroom"), "living": (SignKind.MOTION, "living"), "door": (SignKind.DOOR, "hall"),
    "bed": (SignKind.BED, "bedroom"), "kettle": (SignKind.APPLIANCE, "kitchen"),
    "stove": (SignKind.APPLIANCE, "kitchen"), "tap": (SignKind.WATER, "kitchen"),
}


class Flat:
    """`told`: (hours since Monday 0:00 on the wall, what)."""

    def __init__(self, settings: Settings = DEFAULT, *, human_only: bool = False, clock: bool = True) -> None:
        self.settings, self.human_only, self.clock = settings, human_only, clock
        self.state, self.now_s = State(), MONDAY
        self.told: list[tuple[float, Concern | Notice]] = []

    def until(self, day: int, clock: str) -> "Flat":
        """Let time pass to this clock time of day 0, 1, 2, ..."""
        hours, minutes = clock.split(":")
        end_s = MONDAY + day * DAY_S + int(hours) * 3600 + int(minutes) * 60
        while self.now_s + 60 <= end_s:
            self.now_s += 60
            self._take(Tick(*self._stamp()))
        return self

    def sign(self, day: int, clock: str, sensor: str, on: bool = True, *, certain: bool = False) -> "Flat":
        self.until(day, clock)
        kind, room = SENSORS[sensor]
        self._take(Sign(*self._stamp(), sensor, kind, room, on), certain=certain)
        return self

    def outage(self, sensor: str = GATEWAY, *, lost: bool) -> "Flat":
        self._take(Outage(*self._stamp(), sensor, lost))
        return self

    def away(self, until_day: int | None) -> "Flat":
        self._take(Away(*self._stamp(), None if until_day is None else MONDAY + until_day * DAY_S))
        return self

    def live(self, first: int, last: int, up: int = 7, bed: int = 22) -> "Flat":
        """Ordinary days: up at `up`:00, signs every 20 minutes everywhere, a walk at 15:41, to bed at `bed`:02."""
        for day in range(first, last):
            for hour in range(up, bed):
                if hour == up and day > 0:
                    self.sign(day, f"{hour}:0", "bed", on=False)
                for minute, sensor in ((0, "hall"), (20, "kitchen"), (40, "living")):
                    self.sign(day, f"{hour}:{minute}", sensor)
                if hour == up:
                    self.sign(day, f"{hour}:45", "kettle")
                if hour % 4 == 0:
                    for minute in (46, 48, 52, 56):
                        self.sign(day, f"{hour}:{minute}", "bath")
                if hour == 15:
                    self.sign(day, "15:41", "door").sign(day, "15:42", "door", on=False)
            self.sign(day, f"{bed}:0", "hall").sign(day, f"{bed}:1", "bedroom").sign(day, f"{bed}:2", "bed")
        return self

    def kinds(self) -> list[str]:
        return [one.kind.value for _, one in self.told if one.kind.value not in ("unused_today", "door_unopened")]

    def _stamp(self) -> tuple[float, float | None]:
        return self.now_s - AHEAD_S, self.now_s if self.clock else None

    def _take(self, happened: Input, *, certain: bool = False) -> None:
        self.state, told = step(self.state, happened, self.settings, human_only=self.human_only, certain=certain)
        self.told += [((self.now_s - MONDAY) / 3600, one) for one in told]
