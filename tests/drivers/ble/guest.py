"""Layer L3: the same bus and bracelet, with the real bluetoothd and the kernel's Bluetooth between (`make hil`)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from drivers.bus.ble import BleBus
from drivers.devices.polar import DRIVER
from hil.bluez.air import Air
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.devices.bracelet.verity import verity
from hil.devices.bracelet.wearer import Wearer
from hil.uml.bluetoothd import Bluetoothd, Chip, bluetoothd, missing
from tests.drivers.ble.kit import Radio, ended, environment, running, until

NEEDS_GUEST = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@dataclass
class RealRadio(Radio):
    """A bus over the real bluetoothd; the daemon and the chip below it."""

    daemon: Bluetoothd | None = None
    chip: Chip | None = None


@asynccontextmanager
async def l3() -> AsyncIterator[RealRadio]:
    before = asyncio.all_tasks()
    air = Air()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            async with verity(air, Wearer()) as bracelet, bluetoothd(air) as (daemon, chip):  # noqa: SIM117 - as it is read
                async with running(BleBus("hci0", "bluez", time.monotonic, drivers=lambda: [DRIVER])) as bus:
                    await until(lambda: bus.health()["state"] == "up", 30.0)
                    yield RealRadio(bus, bracelet, None, bus_address, daemon, chip)
    await ended(before)
