"""The board: what is wired to the pins, and what the gateway does with them. It outlives every gateway process.

A pin is an input until the gateway makes it an output. An input's level is what the wiring drives; where the wiring
drives nothing the pull resistor decides, and with no pull the level stays as it was. Every change of a level gets a
number, so that a connected pin factory can ask for all changes after the last one that it saw.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

WATCH_S = 0.5  # how long "watch" waits for news before it answers that there are none
KEPT = 4096  # changes, of the board and of each pin


@dataclass
class Pin:
    """One pin. `wired`: the level that the wiring forces, None while it is open."""

    function: str = "input"
    pull: str = "floating"
    high: bool = False
    wired: bool | None = None
    history: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def present(self) -> bool:
        """The level that the pin must have now."""
        if self.function == "output":
            return self.high
        if self.wired is not None:
            return self.wired
        return {"up": True, "down": False}.get(self.pull, self.high)


class Board:
    """All pins, by BCM number."""

    def __init__(self) -> None:
        self.pins = _bare()
        self._number = 0
        self._changes: deque[tuple[int, int, float, bool]] = deque(maxlen=KEPT)
        self._news = asyncio.Event()  # replaced at each change
        self._hands = {number: asyncio.Lock() for number in self.pins}  # one finger at a button

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do an operation of a scenario (press, level, pins, reset) or of a pin factory (configure, drive, watch)."""
        match op:
            case "press":
                return await self._press(arguments["pin"], arguments.get("hold_s", 0.2), arguments.get("bounces", 0),
                                         bool(arguments.get("to_supply", False)))
            case "level":
                wired = bool(arguments.get("to_supply", False)) if arguments["active"] else None
                return {"mono_s": self._wire(arguments["pin"], wired)}
            case "pins":
                return {"pins": {str(number): self._told(pin) for number, pin in self.pins.items()}}
            case "reset":
                self.pins = _bare()
                return {}
            case "configure":
                pin = self.pins[arguments["pin"]]
                pin.function, pin.pull = arguments["function"], arguments["pull"]
                self._settle(arguments["pin"])
                return {"high": pin.high, "number": self._number}
            case "drive":
                pin = self.pins[arguments["pin"]]
                if pin.function != "output":
                    raise ValueError(f"pin {arguments['pin']} is no output")
                return {"mono_s": self._change(arguments["pin"], bool(arguments["high"]))}
            case "watch":
                return await self._watch(arguments.get("after"))
        raise ValueError(f"no operation {op!r}")

    async def _press(self, number: int, hold_s: float, bounces: int, to_supply: bool) -> dict[str, Any]:
        """Close the contact for `hold_s`, after so many short bounces; answer when it is open again."""
        async with self._hands[number]:
            mono_s = self._wire(number, to_supply)
            for _ in range(bounces):
                self._wire(number, None)
                await asyncio.sleep(0.001)
                self._wire(number, to_supply)
                await asyncio.sleep(0.001)
            await asyncio.sleep(hold_s)
            return {"mono_s": mono_s, "released_mono_s": self._wire(number, None)}

    async def _watch(self, after: int | None) -> dict[str, Any]:
        """Return all changes after the one with the number `after` ([number, pin, mono_s, high] each)."""
        if after is None:
            return {"changes": [], "number": self._number}
        if after == self._number:
            try:
                async with asyncio.timeout(WATCH_S):
                    await self._news.wait()
            except TimeoutError:
                return {"changes": [], "number": after}  # not the newest: what came since the time was up is untold
        changes = [change for change in self._changes if change[0] > after]
        if changes and changes[0][0] != after + 1:
            raise RuntimeError(f"{changes[0][0] - after - 1} changes came too fast for this board: press more slowly")
        return {"changes": changes, "number": self._number}

    def _wire(self, number: int, wired: bool | None) -> float:
        self.pins[number].wired = wired
        return self._settle(number)

    def _settle(self, number: int) -> float:
        return self._change(number, self.pins[number].present())

    def _change(self, number: int, high: bool) -> float:
        """Give a pin its level; return the time, on CLOCK_MONOTONIC."""
        pin, mono_s = self.pins[number], time.monotonic()
        if pin.high is not high:
            pin.high = high
            self._number += 1
            pin.history.append((mono_s, high))
            self._changes.append((self._number, number, mono_s, high))
            self._news.set()
            self._news = asyncio.Event()
        return mono_s

    @staticmethod
    def _told(pin: Pin) -> dict[str, Any]:
        return {"function": pin.function, "pull": pin.pull, "high": pin.high, "wired": pin.wired,
                "history": list(pin.history)}


def _bare() -> dict[int, Pin]:
    """Pins to which nothing is wired."""
    return {number: Pin() for number in range(28)}
