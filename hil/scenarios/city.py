"""What the city has, as a story follows it: events in the order of their commit."""

import asyncio
from collections.abc import Callable
from typing import Any

from hil.resources import control
from hil.scenarios.board import Board
from hil.strategies.home import Home

POLL_S = 0.05
Event = dict[str, Any]

_WORDS = {
    "anju.alarm.raised": "ALARM {kind} from {subject}",
    "anju.alarm.repeated": "alarm {kind} again from {subject}",
    "anju.alarm.cancelled": "{kind} cancelled by the resident",
    "anju.alarm.closed": "{kind} closed",
    "anju.sensor.changed": "{subject}: {kind} {active}",
    "anju.device.state": "{subject} is {state}",
    "anju.cover.changed": "{what} watched: {covered}",
    "anju.vitals.summary": "{subject}: {kind} {median} {unit}",
}


class Missing(Exception):
    """Something that the city should have had by now is not there."""


class CityWatch:
    """Follows the city's table. Latencies come from the city's own commit times, so polling costs no precision."""

    def __init__(self, home: Home, board: Board) -> None:
        self._home, self._board = home, board
        self.events: list[Event] = []
        self._news = asyncio.Condition()

    async def run(self) -> None:
        """Follow for ever."""
        row = 0
        while True:
            try:
                answer = await self._home.do("city", "events", since_row=row)
            except (OSError, TimeoutError, control.ControlError):
                answer = {"events": []}
            if answer["events"]:
                row = answer["events"][-1]["row"]
                for event in answer["events"]:
                    self.events.append(event)
                    self._board.received(describe(event))
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(POLL_S)

    def mark(self) -> int:
        """Where the table ends now; wait() from there sees only what is new."""
        return len(self.events)

    async def wait(self, what: str, matches: Callable[[Event], bool], since: int = 0, timeout_s: float = 30.0) -> Event:
        """Return the first event from `since` on that matches. Raises Missing, naming `what`."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while True:
                    for event in self.events[since:]:
                        if matches(event):
                            return event
                    await self._news.wait()
        except TimeoutError:
            raise Missing(f"the city has no {what} after {timeout_s:g} s") from None


def alarm(kind: str, device: str) -> Callable[[Event], bool]:
    """Match a raised alarm."""
    return lambda event: (event["type"] == "anju.alarm.raised" and event["subject"] == device
                          and event["data"]["kind"] == kind)


def cause_mono_s(answer: dict[str, Any]) -> float:
    """When what a device was told to do really happened: the press, or the impact of a fall."""
    at_s: float = answer["impact_mono_s"] if "impact_mono_s" in answer else answer["mono_s"]
    return at_s


def describe(event: Event) -> str:
    """One line for people."""
    words = _WORDS.get(event["type"], event["type"].removeprefix("anju.") + " {subject}")
    data = {"kind": "", "active": "", "state": "", "median": "", "unit": "", "what": "", "covered": ""} | event["data"]
    text: str = words.format(**(data | {"subject": event["subject"]}))
    return f"(late) {text}" if event["historical"] else text
