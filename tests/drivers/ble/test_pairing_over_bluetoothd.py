"""Pairing with the real bluetoothd and the kernel's Security Manager between (`make hil`)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from drivers.bus.ble import BleBus
from gateway.spi import LinkError
from hil.bluez.air import Air
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.devices.bracelet.bonded import BATTERY_PERCENT, COMPARES, DISPLAY, NOTHING, bonded
from hil.uml.bluetoothd import bluetoothd
from tests.drivers.ble.guest import NEEDS_GUEST
from tests.drivers.ble.kit import ended, environment, running, until
from tests.drivers.ble.test_pairing import CURE, World, battery, pair

pytestmark = [NEEDS_GUEST, pytest.mark.timeout(170)]


@asynccontextmanager
async def real(io=DISPLAY) -> AsyncIterator[World]:
    before = asyncio.all_tasks()
    air = Air()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            async with bonded(air, io) as band, bluetoothd(air) as (daemon, _chip):
                w = World(BleBus("hci0", "bluez", time.monotonic), band, daemon, bus_address)
                w.bus = BleBus("hci0", "bluez", w.mono_s)
                async with running(w.bus):
                    await until(lambda: w.bus.health()["state"] == "up", 30.0)
                    yield w
                await daemon.kill()
    await ended(before)


async def battery_soon(w: World) -> int:
    """A link is begun anew where it breaks, as the runtime does."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await battery(w)
            except LinkError:
                await asyncio.sleep(0.5)


@pytest.mark.parametrize(("io", "answers", "states"), [
    (DISPLAY, [World.shown], ["pairing", "passkey", "paired", "passkey"]),
    (COMPARES, [lambda _w, _step: "yes"], ["pairing", "number", "paired", "number"]),
    (NOTHING, [], ["pairing", "paired", "none"])])
async def test_within_the_window_a_device_is_bonded(io, answers, states) -> None:
    async with real(io) as w:
        assert await pair(w, *(lambda step, answer=answer: answer(w, step) for answer in answers)) == states
        assert await battery_soon(w) == BATTERY_PERCENT
        assert w.bus.health()["pairings_rejected"] == 0


@pytest.mark.parametrize("io", [DISPLAY, COMPARES, NOTHING])
async def test_outside_of_a_window_nobody_pairs(io) -> None:
    async with real(io) as w:
        while w.bus.health()["pairings_rejected"] == 0:
            with pytest.raises(LinkError):
                await battery(w)
        assert await w.band.bonds() == 0


async def test_wrong_digits_bond_nobody_and_the_right_ones_do_after_them() -> None:
    async with real() as w:
        with pytest.raises(LinkError, match="wrong passkey"):
            await pair(w, w.another)
        assert (await pair(w, w.shown))[-1] == "passkey"


async def test_a_window_that_ends_unanswered_bonds_nobody_and_the_next_one_does() -> None:
    async with real() as w:
        seen: list[str] = []
        pairing = asyncio.ensure_future(pair(w, seen=seen))
        await until(lambda: "passkey" in seen, 30.0)
        w.hurry(None)
        with pytest.raises(LinkError, match="time is up"):
            await pairing
        await until(lambda: not w.band.connected)
        assert (await pair(w, w.shown))[-1] == "passkey"
        assert await battery_soon(w) == BATTERY_PERCENT


async def test_a_bond_outlives_bluetoothd_and_a_lost_one_is_made_anew() -> None:
    async with real() as w:
        await pair(w, w.shown)
        await w.bluez.restart()
        assert await battery_soon(w) == BATTERY_PERCENT
        await w.band.reset()
        with pytest.raises(LinkError, match=CURE):
            await battery(w)  # bluetoothd 5.66 does not say why: the attempt takes its 40 s
        assert (await pair(w, w.shown))[-1] == "passkey"
        assert await battery_soon(w) == BATTERY_PERCENT
