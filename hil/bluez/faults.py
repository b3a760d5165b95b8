"""Faults: what the emulated BlueZ is to do wrong, in order of need."""

import asyncio
from collections import defaultdict, deque

HANG = "HANG"


class BlueZError(Exception):
    """An error reply: D-Bus name and text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


class Faults:
    """`deaf`: discovery is on but hears nothing, as when the kernel's and bluetoothd's ideas of it part.

    `slow_s`: how long a method takes before it does anything. `always`: what it answers until that is taken back.
    """

    def __init__(self) -> None:
        self.deaf = False
        self.slow_s: dict[str, float] = {}
        self.always: dict[str, str] = {}
        self._answers: dict[str, deque[str]] = defaultdict(deque)
        self.met: list[str] = []

    def expect(self, method: str, answers: list[str]) -> None:
        """Let the next calls of a method ("Device1.Connect") fail with these errors ("NAME:TEXT"), or HANG."""
        self._answers[method].extend(answers)

    async def meet(self, method: str) -> None:
        """Fail as told: always, or once for each answer; HANG until cancelled."""
        await asyncio.sleep(self.slow_s.get(method, 0.0))
        if not self._answers[method] and method not in self.always:
            return
        answer = self.always.get(method) or self._answers[method].popleft()
        self.met.append(f"{method} {answer}")
        if answer == HANG:
            await asyncio.Event().wait()
        name, _, text = answer.partition(":")
        raise BlueZError(name, text)
