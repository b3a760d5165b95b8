"""Sessions with an InfiniTime watch over a fake peer: its motion comes in blocks of 10 Hz, beside the rest."""

import asyncio
import struct
from collections.abc import Awaitable

from drivers.devices import infinitime
from drivers.devices.gatt_values import HEART_RATE_MEASUREMENT
from drivers.devices.infinitime import BLOCK, MOTION, STEP_COUNT
from drivers.devices.monitor import BAD_IN_A_ROW, MonitorSettings
from drivers.testkit.ble import FakePeer
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.detect.falls import grid
from gateway.detect.life_signs import moved
from gateway.model.reading import Accel, Quantity, QuantityKind
from gateway.spi import LinkError
from tests.drivers.ble.kit import played

WATCH = {HEART_RATE_MEASUREMENT: b"", STEP_COUNT: b"", MOTION: b""}


def link() -> RecordedLink[MonitorSettings]:
    return RecordedLink(MonitorSettings(address="C0:00:00:00:00:01"))


def during(peer: FakePeer, heard: RecordedLink[MonitorSettings], act: Awaitable[None]) -> BaseException | None:
    return run_virtual(played(infinitime.DRIVER.run(heard, peer), act))


async def move(peer: FakePeer, count: int, each_s: float = 0.1) -> None:
    """Turn the wrist to and fro, each sample another."""
    for number in range(count):
        peer.notify(MOTION, struct.pack("<3h", 1024 * (-1) ** number, number, 0))
        await asyncio.sleep(each_s)


def blocks(heard: RecordedLink[MonitorSettings]) -> list[Accel]:
    return [value for value in heard.values if isinstance(value, Accel)]


def test_motion_comes_in_blocks_of_a_second_in_milli_g_that_say_10_hz() -> None:
    peer, heard = FakePeer(WATCH), link()
    assert during(peer, heard, move(peer, 2 * BLOCK)) is None
    first, second = blocks(heard)
    assert (first.rate_hz, first.full_scale_g, first.n) == (10.0, 2.0, BLOCK)
    assert (first.first_index, second.first_index) == (0, BLOCK)
    assert first.samples()[:3] == [(1000, 0, 0), (-1000, 1, 0), (1000, 2, 0)]


def test_no_block_of_it_can_be_judged_for_falls_and_each_tells_that_the_wrist_moved() -> None:
    peer, heard = FakePeer(WATCH), link()
    during(peer, heard, move(peer, BLOCK))
    (block,) = blocks(heard)
    assert moved(block)
    assert not grid.is_sound(block)


def test_samples_that_never_came_make_the_number_jump_and_a_radios_delay_does_not() -> None:
    peer, heard = FakePeer(WATCH), link()

    async def act() -> None:
        await move(peer, 3)
        await asyncio.sleep(0.15)  # delayed
        await move(peer, 3)
        await asyncio.sleep(1.0)  # ten are missing
        await move(peer, BLOCK)

    during(peer, heard, act())
    assert [(block.first_index, block.n) for block in blocks(heard)] == [(0, 6), (16, BLOCK)]


def test_heart_rate_and_steps_come_beside_the_motion() -> None:
    peer, heard = FakePeer(WATCH), link()

    async def act() -> None:
        await move(peer, 5)
        peer.notify(HEART_RATE_MEASUREMENT, b"\x00\x48")
        peer.notify(STEP_COUNT, b"\x39\x30\0\0")
        await move(peer, 5)

    during(peer, heard, act())
    assert [value for value in heard.values if isinstance(value, Quantity)] == [
        Quantity(QuantityKind.HEART_RATE, 72), Quantity(QuantityKind.STEPS, 12345)]
    assert len(blocks(heard)) == 1


def test_a_firmware_without_motion_gives_the_rest() -> None:
    peer, heard = FakePeer({HEART_RATE_MEASUREMENT: b"", STEP_COUNT: b""}), link()

    async def act() -> None:
        peer.notify(HEART_RATE_MEASUREMENT, b"\x00\x48")
        await asyncio.sleep(0)

    assert during(peer, heard, act()) is None
    assert heard.values == [Quantity(QuantityKind.HEART_RATE, 72)]


def test_a_damaged_sample_costs_itself_and_nothing_but_damage_ends_the_session() -> None:
    peer, heard = FakePeer(WATCH), link()

    async def act() -> None:
        for _ in range(BAD_IN_A_ROW + 1):
            peer.notify(MOTION, b"\1")
            await move(peer, 1)

    assert during(peer, heard, act()) is None
    assert len(blocks(heard)) == 1
    peer = FakePeer(WATCH)

    async def bad() -> None:
        for _ in range(BAD_IN_A_ROW):
            peer.notify(MOTION, b"\1")
            await asyncio.sleep(0)

    assert isinstance(during(peer, link(), bad()), LinkError)
