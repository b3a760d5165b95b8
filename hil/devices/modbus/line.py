"""The units on one line and what a scenario may do to them."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.devices.modbus import frame
from hil.resources.pty import PtyLine

SILENCE_S = 3.5 * 11 / 9600  # ends a frame: 3.5 characters (Modbus over serial line V1.02, 2.5.1.1)


@dataclass
class Module:
    """One unit: its levels and registers, and how it misbehaves at the moment."""

    inputs: list[bool] = field(default_factory=lambda: [False] * 16)
    registers: list[int] = field(default_factory=lambda: [0] * 16)
    silent: bool = False
    nonsense: bool = False
    corrupt_share: float = 0.0
    exception: int | None = None
    delay_s: float = 0.0


class Modules:
    """All units of a line behind one link. Every operation takes an optional "unit"; the default is the first one."""

    def __init__(self, link: Path, units: list[int], seed: int = 1) -> None:
        self.units = {unit: Module() for unit in units}
        self.line = PtyLine(link, self._heard)
        self._random = random.Random(seed)
        self._stats: Counter[str] = Counter()
        self._frame = b""
        self._end: asyncio.TimerHandle | None = None

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation of a scenario; `mono_s` is when it took effect."""
        module = self.units[arguments.get("unit", next(iter(self.units)))]
        match op:
            case "input":
                module.inputs[arguments["address"]] = bool(arguments["active"])
            case "register":
                module.registers[arguments["address"]] = int(arguments["value"])
            case "silent":
                module.silent = bool(arguments["on"])
            case "nonsense":
                module.nonsense = bool(arguments["on"])
            case "corrupt":
                module.corrupt_share = float(arguments["share"])
            case "exception":
                module.exception = arguments["code"]
            case "delay":
                module.delay_s = float(arguments["seconds"])
            case "unplug":
                self.line.unplug()
            case "plug":
                self.line.plug()
            case "stats":
                return {"plugged": self.line.plugged, **{name: self._stats[name] for name in (
                    "requests", "answers", "damaged", "strange", "corrupted", "nonsense", "kept_silent")}}
            case _:
                raise ValueError(f"no operation {op!r}")
        return {"mono_s": time.monotonic()}

    def _heard(self, data: bytes) -> None:
        """Collect bytes until the line is silent: that, and nothing in the bytes, ends an RTU frame."""
        self._frame += data
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(SILENCE_S, self._whole)

    def _whole(self) -> None:
        whole, self._frame, self._end = self._frame, b"", None
        request = frame.parse(whole)
        if request is None:
            self._stats["damaged"] += 1
            return
        self._stats["requests"] += 1
        module = self.units.get(request.unit)
        if module is None:
            self._stats["strange"] += 1
            return
        if module.silent:
            self._stats["kept_silent"] += 1
            return
        reply = self._reply(request, module)
        asyncio.get_running_loop().call_later(module.delay_s, self.line.send, reply)

    def _reply(self, request: frame.Request, module: Module) -> bytes:
        """What the unit says, good or bad."""
        good = frame.answer(request, module.inputs, module.registers)
        if module.exception is not None:
            good = frame.refusal(request, module.exception)
        if module.nonsense:
            self._stats["nonsense"] += 1
            return self._random.choice((
                self._random.randbytes(self._random.randint(1, 12)),  # noise
                frame.sealed(bytes([request.unit % 247 + 1]) + good[1:-2]),  # a stranger's answer
                good[:-3],  # cut off
                frame.sealed(bytes([request.unit, request.function, 4, 1, 2, 3, 4])),  # another length
                frame.sealed(bytes([request.unit, 3, 2, 0, 1])),  # another function
            ))
        if self._random.random() < module.corrupt_share:
            self._stats["corrupted"] += 1
            where = self._random.randrange(len(good))
            return good[:where] + bytes([good[where] ^ 1 << self._random.randrange(8)]) + good[where + 1:]
        self._stats["answers"] += 1
        return good
