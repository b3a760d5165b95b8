"""Control: what a scenario may do with the bracelet, its wearer, and the emulated BlueZ around it."""

from collections.abc import Awaitable, Callable
from typing import Any

from hil.bluez.service import FakeBlueZ
from hil.devices.bracelet import motion
from hil.devices.bracelet.motion import Motion
from hil.devices.bracelet.recordings import Recordings
from hil.devices.bracelet.verity import Verity

Op = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_DEFAULT_MOVE_S = 20.0


class Control:
    """One table of operations: hil.resources.control calls handle()."""

    def __init__(self, bracelet: Verity, bluez: FakeBlueZ | None, recordings: Recordings | None) -> None:
        self._bracelet, self._bluez, self._recordings = bracelet, bluez, recordings
        self._falls_played = 0
        self._ops: dict[str, Op] = {
            "fall": self._fall, "move": self._move, "heart_rate": self._heart_rate, "battery": self._battery,
            "away": self._away, "back": self._back, "drop": self._drop, "stats": self._stats, "fault": self._fault,
            "restart_bluez": self._restart_bluez,
        }

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation. Raises ValueError."""
        if op not in self._ops:
            raise ValueError(f"unknown operation {op!r}: known are {', '.join(sorted(self._ops))}")
        return await self._ops[op](arguments)

    async def _fall(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """{"trial": N, optional}: fall, whatever goes on. Answers when the impact is sampled, on CLOCK_MONOTONIC."""
        what = self._next_fall(arguments.get("trial"))
        index = self._bracelet.wearer.play(what, at_once=True)
        if index is None:
            raise ValueError(f"{what.words} is no fall")
        return {"impact_mono_s": self._bracelet.mono_of(index), "impact_index": index, "words": what.words}

    def _next_fall(self, trial: int | None) -> Motion:
        if self._recordings is None:
            if trial is not None:
                raise ValueError("there are no recordings: start with --falls")
            return motion.fall(self._bracelet.wearer.random)
        if not self._recordings.falls:
            raise ValueError("the recordings hold no fall")
        if trial is None:
            trial = self._recordings.falls[self._falls_played % len(self._recordings.falls)]
            self._falls_played += 1
        return self._recordings.motion(trial)

    async def _move(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """{"name": walk | clap | sit_down | sitting, "seconds": S} or {"trial": N}: move."""
        seconds = float(arguments.get("seconds", _DEFAULT_MOVE_S))
        if "trial" in arguments:
            if self._recordings is None:
                raise ValueError("there are no recordings: start with --falls")
            what = self._recordings.motion(int(arguments["trial"]))
        elif (name := arguments.get("name")) in motion.MOVES:
            what = motion.MOVES[name](seconds, self._bracelet.wearer.random)
        else:
            raise ValueError(f"unknown move {name!r}: known are {', '.join(sorted(motion.MOVES))}")
        self._bracelet.wearer.play(what)
        return {"words": what.words, "seconds": len(what.samples) / motion.RATE_HZ}

    async def _heart_rate(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._bracelet.bpm = _within(arguments["bpm"], 0, 255)
        return {}

    async def _battery(self, arguments: dict[str, Any]) -> dict[str, Any]:
        await self._bracelet.set_battery(_within(arguments["percent"], 0, 100))
        return {}

    async def _away(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        self._bracelet.away()
        return {}

    async def _back(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        self._bracelet.back()
        return {}

    async def _drop(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        self._bracelet.drop()
        return {}

    async def _stats(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        bracelet = self._bracelet
        return {"frames_sent": bracelet.frames_sent, "samples_sent": bracelet.samples_sent,
                "connected": bracelet.connected, "streaming": bracelet.measurement.running}

    async def _fault(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Any of {"method": "Device1.Connect", "answers": ["NAME:TEXT" | "HANG", ...]}, {"deaf": bool},
        {"adapter": "pull" | "plug" | "off" | "on"}, {"in_charger": bool}.
        """
        if "in_charger" in arguments:
            self._bracelet.measurement.in_charger = bool(arguments["in_charger"])
            return {}
        bluez = self._bluez_or_refuse()
        match arguments:
            case {"method": method, "answers": answers}:
                bluez.faults.expect(method, answers)
            case {"deaf": deaf}:
                bluez.faults.deaf = bool(deaf)
            case {"adapter": "pull"}:
                await bluez.pull_adapter()
            case {"adapter": "plug"}:
                bluez.plug_adapter()
            case {"adapter": "off" | "on" as wanted}:
                await bluez.switch(wanted == "on")
            case _:
                raise ValueError(f"unknown fault {arguments}")
        return {"met": bluez.faults.met}

    async def _restart_bluez(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """{"down_s": S, optional}: bluetoothd is killed, and comes back."""
        await self._bluez_or_refuse().restart(float(arguments.get("down_s", 0.5)))
        return {}

    def _bluez_or_refuse(self) -> FakeBlueZ:
        if self._bluez is None:
            raise ValueError("there is no BlueZ in mode l1")
        return self._bluez


def _within(value: Any, low: int, high: int) -> int:
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"{number} is not within {low} to {high}")
    return number
