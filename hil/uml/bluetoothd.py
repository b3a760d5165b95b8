"""Bluetoothd: the real one in the guest, over an emulated controller on /dev/vhci, which the kernel takes as hci0.

Only inside the guest of hil/uml/boot; missing() tells. bluetoothd takes the bus that DBUS_SYSTEM_BUS_ADDRESS names.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bumble.transport import open_transport

from hil.bluez.air import Air
from hil.bluez.controller import GATEWAY_ADDRESS, Radio

VARIABLE = "ANJU_BENCH_GUEST"
PROGRAM = "/usr/libexec/bluetooth/bluetoothd"
_LOG, _BONDS = Path("/run/bluetoothd.log"), Path("/var/lib/bluetooth")


def missing() -> str | None:
    """Say why the real bluetoothd cannot be tried here, None if it can."""
    return None if os.environ.get(VARIABLE) else "the real bluetoothd runs in a guest: make hil"


class Chip(Radio):
    """The controller below bluetoothd. `hung`: its firmware takes no command and tells nothing."""

    hung = False

    def on_packet(self, packet: bytes) -> None:
        if not self.hung:
            super().on_packet(packet)

    def send_hci_packet(self, packet: Any) -> None:
        if not self.hung:
            super().send_hci_packet(packet)


class Bluetoothd:
    """One life after another of the daemon."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with _LOG.open("ab") as log:  # noqa: ASYNC230 - the guest's memory
            self._process = await asyncio.create_subprocess_exec(PROGRAM, "-n", stdout=log, stderr=subprocess.STDOUT)

    async def kill(self) -> None:
        """Kill it as the kernel would for want of memory."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def restart(self, down_s: float = 0.5) -> None:
        await self.kill()
        await asyncio.sleep(down_s)
        await self.start()


def _forget() -> None:
    for adapter in _BONDS.iterdir():
        shutil.rmtree(adapter)


@asynccontextmanager
async def bluetoothd(air: Air) -> AsyncIterator[tuple[Bluetoothd, Chip]]:
    """Run bluetoothd, new, without any bond, over a controller in the air while the context is open."""
    if why := missing():
        raise RuntimeError(why)  # the bonds would be this machine's own
    await asyncio.to_thread(_forget)
    async with await open_transport("vhci") as transport:
        chip = Chip("gateway", air, public_address=GATEWAY_ADDRESS, host_source=transport.source,
                    host_sink=transport.sink)
        daemon = Bluetoothd()
        await daemon.start()
        try:
            yield daemon, chip
        finally:
            await daemon.kill()
            air.drop_links(chip)
            chip.hung = True
            air.remove_controller(chip)
