"""One suite of checks, on the fake peer, on BlueZ's seam, on HCI's, and over the real bluetoothd."""

from collections.abc import Awaitable, Callable

import pytest

from drivers.testkit.ble import CHECKS, BleWorld, FakePeer
from tests.drivers.ble.guest import NEEDS_GUEST, l3
from tests.drivers.ble.kit import NEEDS_DBUS, SETTINGS, BraceletWorld, l1, l2

Check = Callable[[BleWorld], Awaitable[None]]
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


class FakeWorld:
    """The fake peer and its other end."""

    readable = ("0001", b"\x2a")
    writable = "0001"
    notifying = "0002"
    absent = "0003"

    def __init__(self) -> None:
        self.peer = FakePeer({"0001": b"\x2a", "0002": b""})

    async def accept(self) -> bytes:
        return b"\1"

    async def send(self, number: int) -> None:
        for _ in range(number):
            self.peer.notify(self.notifying, b"\1")

    async def lose(self) -> None:
        self.peer.lose()


@every_check
async def test_the_fake_obeys_the_port(check: Check) -> None:
    await check(FakeWorld())


@NEEDS_DBUS
@every_check
async def test_the_bus_over_bluez_obeys_the_port(check: Check) -> None:
    async with l2() as radio, radio.bus.open("wrist", SETTINGS) as peer:
        await check(BraceletWorld(peer, radio.bracelet))


@every_check
async def test_the_bus_over_hci_obeys_the_port(check: Check) -> None:
    async with l1() as radio, radio.bus.open("wrist", SETTINGS) as peer:
        await check(BraceletWorld(peer, radio.bracelet))


@NEEDS_GUEST
@every_check
async def test_the_bus_over_the_real_bluetoothd_obeys_the_port(check: Check) -> None:
    async with l3() as radio, radio.bus.open("wrist", SETTINGS) as peer:
        await check(BraceletWorld(peer, radio.bracelet))
