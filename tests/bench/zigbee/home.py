"""A home of Zigbee doors: stick, driver host and the daemon's end of it, whose readings go to a list, no further."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from drivers.bus.zigbee import ZigbeeSettings
from drivers.devices.zigbee_session import IeeeSettings
from gateway.config import Device
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.reading import Binary, BinaryKind, Reading
from gateway.runtime.clock import Clock
from gateway.runtime.hosted import HostedBus
from gateway.runtime.session import Means
from tests.drivers.zigbee.bench import Stick, stick

DEVICES = 40
PATIENCE_S = 120.0
STICK, NEW_STICK = "00:12:4b:00:1e:17:ef:a8", "00:12:4b:00:aa:bb:cc:dd"
_CONFIG = """
[gateway]
id = "flat-12"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
[city]
host = "127.0.0.1"
port = 1
tls = false
[voice]
output = "wav:{folder}/voice.wav"
[bus.zigbee]
port = "{folder}/tty"
"""


class Home:
    """`heard`: (CLOCK_MONOTONIC at the pipeline's door, device, whether its door is open), in order of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heard = folder, list[tuple[float, str, bool]]()
        self.stick: Stick
        self.ieee: dict[str, str] = {}
        self._config = folder / "anju.toml"
        self.hosted = HostedBus("zigbee", folder / "run" / "host-zigbee.sock", folder / "state",
                                Means(self, Clock.of_this_boot(), asyncio.sleep, random.random), self._spawn)

    async def _spawn(self, bus: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.app", "host", bus, "--config", str(self._config),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True)

    # -- gateway.runtime.session.Sink ---------------------------------------------------------------------------------

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        if isinstance(reading.value, Binary) and reading.value.kind is BinaryKind.CONTACT:
            self.heard.append((time.monotonic(), reading.device, reading.value.active))
        if taken is not None:
            taken()
        return True

    def status(self, status: DeviceStatus) -> None: ...

    # -- what a benchmark does ----------------------------------------------------------------------------------------

    async def furnish(self) -> None:
        """Let every door join, and configure it."""
        found: set[str] = set()
        self.hosted.apply(ZigbeeSettings(port=str(self.folder / "tty")), {})
        async with asyncio.timeout(PATIENCE_S):
            while self.hosted.health().get("state") != "up":
                await asyncio.sleep(0.1)
            while len(found) < DEVICES:
                found |= {device["settings"]["ieee"] for device in await self.hosted.discover(5.0) if device["ready"]}
        self.ieee = {f"door-{number:02}": ieee for number, ieee in enumerate(sorted(found))}
        devices = {name: Device(name=name, driver="ias-contact", settings=IeeeSettings(ieee))
                   for name, ieee in self.ieee.items()}
        self.hosted.apply(ZigbeeSettings(port=str(self.folder / "tty")), devices)
        await self.all_up()

    async def all_up(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while [status.state for status in self.hosted.statuses().values()].count(DeviceState.UP) < DEVICES:
                await asyncio.sleep(0.05)

    async def heard_again_s(self, since_mono_s: float) -> float:
        """Move doors until one is heard; return how long after `since_mono_s` that was, once every device is up."""
        before = len(self.heard)
        async with asyncio.timeout(PATIENCE_S):
            for turn in range(100_000):
                with suppress(OSError):
                    await self.stick("zone", ieee=self.ieee[f"door-{turn % DEVICES:02}"], bits=1 - turn // DEVICES % 2)
                await asyncio.sleep(0.02)
                if len(self.heard) > before:
                    break
        seconds = self.heard[before][0] - since_mono_s
        await self.all_up()
        return seconds

    async def swap_stick(self) -> float:
        """Put a blank stick in the place of this one; return when."""
        await self.stick.kill()
        (self.folder / "tty").unlink(missing_ok=True)
        nvram = self.folder / "nvram.json"
        flat = json.loads(nvram.read_text())["flat"]
        nvram.unlink()
        async with stick(self.folder, "--stick-ieee", NEW_STICK):
            pass  # born blank
        (self.folder / "tty").unlink(missing_ok=True)
        nvram.write_text(json.dumps(json.loads(nvram.read_text()) | {"flat": flat}))
        self.stick = await self._new_stick("--stick-ieee", NEW_STICK)
        return time.monotonic()

    async def _new_stick(self, *more: str) -> Stick:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hil.devices.zigbee", "--link", self.folder / "tty", "--control",
            self.folder / "control", "--nvram", self.folder / "nvram.json", *more, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        await process.stdout.readline()
        return Stick(self.folder, process)

    def kill_host(self) -> float:
        """End the driver host as a crash would; return when."""
        os.kill(self.hosted.health()["pid"], signal.SIGKILL)
        return time.monotonic()


@asynccontextmanager
async def furnished(folder: Path) -> AsyncIterator[Home]:
    """A home whose 40 doors have joined and are up."""
    for name in ("run", "state"):
        (folder / name).mkdir()
    home = Home(folder)
    (folder / "anju.toml").write_text(_CONFIG.format(folder=folder))
    home.stick = await home._new_stick("--devices", ",".join(["door"] * DEVICES))
    running = asyncio.create_task(home.hosted.run())
    try:
        await home.furnish()
        yield home
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await home.stick.kill()
