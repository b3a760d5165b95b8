"""One radar on a line and what a scenario may do to it.

op            arguments                    the radar then ...
person        there, moving                sees somebody, who moves or sits still
targets       targets: [[x, y, speed]]     sees these (ld2450)
fall          active                       sees somebody lie (mr60fda2)
vitals        breath, heart                measures these, a minute each (mr60bha2)
noise         share, bytes                 spoils this share of its frames by so many random bytes before each
silent        on                           says nothing
raw           hex                          says exactly this, once
unplug, plug                               goes with its adapter, and comes back
stats                                      tells frames, asked, plugged
"""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hil.devices.radar import frames
from hil.resources.pty import PtyLine

PERIOD_S = 0.1
MODELS = ("ld2410", "ld2450", "mr60fda2", "mr60bha2")


class Radar:
    """run() reports ten times a second until cancelled."""

    def __init__(self, link: Path, model: str, seed: int = 1) -> None:
        if model not in MODELS:
            raise ValueError(f"no radar {model!r}: take one of {', '.join(MODELS)}")
        self.line = PtyLine(link, self._heard)
        self._model = model
        self._there = self._moving = self._fallen = self._silent = False
        self._targets: list[tuple[int, int, int]] = []
        self._breath, self._heart = 0.0, 0.0
        self._noise_share, self._noise_bytes = 0.0, 0
        self._random = random.Random(seed)
        self._stats: Counter[str] = Counter()

    async def run(self) -> None:
        while True:
            if not self._silent:
                for frame in self._reports():
                    self._say(frame)
            await asyncio.sleep(PERIOD_S)

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation of a scenario; `mono_s` is when it took effect."""
        match op:
            case "person":
                self._there, self._moving = bool(arguments["there"]), bool(arguments.get("moving", False))
                self._targets = [(120, 1500, 12 if self._moving else 0)] if self._there else []
            case "targets":
                self._targets = [(int(x), int(y), int(speed)) for x, y, speed in arguments["targets"]]
            case "fall":
                self._fallen = bool(arguments["active"])
                self._say(frames.fall(self._fallen))
            case "vitals":
                self._breath, self._heart = float(arguments["breath"]), float(arguments["heart"])
            case "noise":
                self._noise_share, self._noise_bytes = float(arguments["share"]), int(arguments["bytes"])
            case "silent":
                self._silent = bool(arguments["on"])
            case "raw":
                self.line.send(bytes.fromhex(arguments["hex"]))
            case "unplug":
                self.line.unplug()
            case "plug":
                self.line.plug()
            case "stats":
                return {"plugged": self.line.plugged, "frames": self._stats["frames"], "asked": self._stats["asked"]}
            case _:
                raise ValueError(f"no operation {op!r}")
        return {"mono_s": time.monotonic()}

    def _reports(self) -> list[bytes]:
        match self._model:
            case "ld2410":
                return [frames.ld2410((1 if self._moving else 2) if self._there else 0, 150, 60 if self._there else 0)]
            case "ld2450":
                return [frames.ld2450(self._targets)]
            case "mr60fda2":
                return [frames.person(self._there, 1), frames.fall(self._fallen)]
            case _:
                return [frames.person(self._there, 2), frames.breath(self._breath), frames.heart(self._heart)]

    def _say(self, frame: bytes) -> None:
        if self._random.random() < self._noise_share:
            self.line.send(self._random.randbytes(self._noise_bytes))
        self._stats["frames"] += 1
        self.line.send(frame)

    def _heard(self, data: bytes) -> None:
        """An MR60FDA2 answers a request for its parameters; the others are asked nothing."""
        self._stats["asked"] += 1
        if self._model == "mr60fda2" and bytes.fromhex("01000000000e06f6") in data and not self._silent:
            self._say(frames.parameters())


async def running(radar: Radar) -> None:
    """Plug the radar in and run it; it is unplugged in the end."""
    radar.line.plug()
    try:
        await radar.run()
    finally:
        radar.line.unplug()
