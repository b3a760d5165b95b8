"""The Polar driver's session over a fake peer: negotiation, numbering, and what it does with nonsense."""

import asyncio
import struct
from collections.abc import Awaitable
from typing import Any

import msgspec
import numpy as np
import pytest

from drivers.devices import pmd
from drivers.devices.device_information import CHARACTERISTICS as CHARACTERISTICS_180A
from drivers.devices.gatt_values import BATTERY_LEVEL, HEART_RATE_MEASUREMENT
from drivers.devices.polar import DRIVER, H10, H10Settings, PolarSettings, SampleCount, choose
from drivers.testkit.ble import FakePeer
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.finding import FallSource
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind
from gateway.spi import DeviceRejected, LinkError, LinkLost
from hil.devices.bracelet import pmd as sensor
from tests.drivers.ble.kit import FakeLink, played

CHARACTERISTICS = {
    pmd.CONTROL_POINT: b"\x0f\x04\x00", pmd.DATA: b"", HEART_RATE_MEASUREMENT: b"", BATTERY_LEVEL: b"\x53"}
RATE = 52


def bracelet(**without: Any) -> tuple[FakePeer, sensor.Measurement]:
    """A fake peer whose control point is the emulated sensor's own."""
    measurement = sensor.Measurement()

    def on_write(uuid: str, data: bytes) -> list[tuple[str, bytes]]:
        return [(pmd.CONTROL_POINT, measurement.answer(data))]

    return FakePeer(CHARACTERISTICS, on_write, **without), measurement


def frame(first: int, count: int) -> bytes:
    """Samples number first... of a sensor that counts time from 0."""
    raw = np.array([[4096, index % 100, 0] for index in range(first, first + count)], np.int16)
    return sensor.frame(raw, (first + count - 1) * 10**9 // RATE + 10**9)


async def during(peer: FakePeer, link: FakeLink, act: Awaitable[None]) -> BaseException | None:
    """Run a session while `act` plays the bracelet; what ended the session, None if it had to be cancelled."""
    return await played(DRIVER.run(link, peer), act)


async def send(peer: FakePeer, *frames: bytes) -> None:
    for data in frames:
        peer.notify(pmd.DATA, data)
        await asyncio.sleep(0)


def test_the_stream_is_started_with_one_value_of_each_setting() -> None:
    peer, measurement = bracelet()
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36))))
    requests = [data.hex(" ") for _uuid, data in peer.written]
    assert requests == ["01 02", "02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03", "03 02"]
    assert not measurement.running, "the last request stops the stream"
    assert link.is_ready.is_set()


def test_a_frame_becomes_a_block_in_milli_g() -> None:
    peer, _measurement = bracelet()
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 3))))
    (block,) = link.blocks
    assert (block.rate_hz, block.full_scale_g, block.first_index) == (52, 8, 0)
    assert struct.unpack("<9h", block.samples_mg) == (1000, 0, 0, 1000, 0, 0, 1000, 0, 0)


def test_the_link_is_ready_with_the_first_frame_and_not_before() -> None:
    peer, _measurement = bracelet()
    run_virtual(during(peer, link := FakeLink(), send(peer)))
    assert not link.is_ready.is_set()


def test_a_stream_that_nobody_stopped_is_stopped_and_started_anew() -> None:
    peer, measurement = bracelet()
    measurement.running = True
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36))))
    assert [data[0] for _uuid, data in peer.written] == [pmd.Op.GET_SETTINGS, pmd.Op.START, pmd.Op.STOP, pmd.Op.START,
                                                         pmd.Op.STOP]
    assert len(link.blocks) == 1


def test_frames_of_the_old_stream_are_not_taken_for_ours() -> None:
    peer, measurement = bracelet()
    measurement.running = True

    async def early() -> None:
        task = asyncio.ensure_future(DRIVER.run(link, peer))
        while pmd.DATA not in peer.subscribed:
            await asyncio.sleep(0)
        peer.notify(pmd.DATA, frame(900, 36))
        await asyncio.sleep(0.1)
        peer.notify(pmd.DATA, frame(1000, 36))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    link = FakeLink()
    run_virtual(early())
    assert [block.first_index for block in link.blocks] == [0]
    assert link.samples() == 36


def test_a_lost_frame_makes_the_index_jump_by_its_samples() -> None:
    peer, _measurement = bracelet()
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36), frame(36, 40), frame(100, 36))))
    assert [block.first_index for block in link.blocks] == [0, 36, 100]


def test_a_damaged_frame_is_dropped_and_seen_as_a_gap() -> None:
    peer, _measurement = bracelet()
    act = send(peer, frame(0, 36), frame(36, 36)[:-1], frame(72, 36))
    assert run_virtual(during(peer, link := FakeLink(), act)) is None
    assert [block.first_index for block in link.blocks] == [0, 72]


def test_damaged_frames_without_end_are_an_error_that_may_pass() -> None:
    peer, _measurement = bracelet()
    error = run_virtual(during(peer, FakeLink(), send(peer, *[b"\x02nonsense"] * 10)))
    assert isinstance(error, LinkError)
    assert "damaged" in error.reason


def test_heart_rate_and_battery_are_quantities() -> None:
    peer, _measurement = bracelet()

    async def act() -> None:
        peer.notify(HEART_RATE_MEASUREMENT, bytes([0x06, 72]))
        peer.notify(HEART_RATE_MEASUREMENT, bytes([0x04, 0]))
        peer.notify(BATTERY_LEVEL, bytes([12]))

    run_virtual(during(peer, link := FakeLink(), act()))
    assert [value for value, _at in link.emitted if isinstance(value, Quantity)] == [
        Quantity(QuantityKind.BATTERY, 83),
        Quantity(QuantityKind.HEART_RATE, 72),
        Quantity(QuantityKind.HEART_RATE, 0, plausible=False),  # not worn
        Quantity(QuantityKind.BATTERY, 12),
    ]


def levels(link: FakeLink) -> list[tuple[BinaryKind, bool]]:
    return [(value.kind, value.active) for value in link.values if isinstance(value, Binary)]


def test_skin_contact_is_told_when_it_changes() -> None:
    peer, _measurement = bracelet()
    no_skin, skin = bytes([0x04, 0]), bytes([0x06, 72])

    async def act() -> None:
        for data in (skin, skin, no_skin, no_skin, skin):
            peer.notify(HEART_RATE_MEASUREMENT, data)

    run_virtual(during(peer, link := FakeLink(), act()))
    assert [active for kind, active in levels(link) if kind is BinaryKind.WORN] == [True, False, True]


def test_a_sensor_that_cannot_tell_skin_says_nothing_of_it() -> None:
    peer, _measurement = bracelet()

    async def act() -> None:
        peer.notify(HEART_RATE_MEASUREMENT, bytes([0x02, 72]))

    run_virtual(during(peer, link := FakeLink(), act()))
    assert BinaryKind.WORN not in dict(levels(link))


def test_a_bracelet_that_measures_is_not_in_its_charger_and_one_that_refuses_is() -> None:
    for in_charger in (False, True):
        peer, measurement = bracelet()
        measurement.in_charger = in_charger
        run_virtual(during(peer, link := FakeLink(), send(peer)))
        assert levels(link) == [(BinaryKind.CHARGING, in_charger)]


def test_the_bracelet_watches_over_falls_by_the_wrist() -> None:
    assert DRIVER.falls is FallSource.WRIST
    assert {"worn", "charging"} <= set(DRIVER.gives)


def test_a_bracelet_without_battery_service_still_streams() -> None:
    peer, _measurement = bracelet()
    del peer.values[BATTERY_LEVEL]
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36))))
    assert len(link.blocks) == 1


def test_a_bracelet_that_refuses_heart_rate_and_battery_still_watches_over_falls() -> None:
    class Stubborn(FakePeer):
        async def read(self, uuid: str) -> bytes:
            raise LinkError(f"reading {uuid} failed", "pair")

        async def subscribe(self, uuid: str) -> None:
            if uuid in (HEART_RATE_MEASUREMENT, BATTERY_LEVEL):
                raise LinkError(f"subscribing to {uuid} failed", "pair")
            await super().subscribe(uuid)

    measurement = sensor.Measurement()
    peer = Stubborn(CHARACTERISTICS, lambda _uuid, data: [(pmd.CONTROL_POINT, measurement.answer(data))])
    assert run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36)))) is None
    assert len(link.blocks) == 1


def test_a_lost_link_ends_the_session() -> None:
    peer, _measurement = bracelet()

    async def act() -> None:
        peer.lose()

    assert isinstance(run_virtual(during(peer, FakeLink(), act())), LinkLost)
    assert peer.written[-1][1][0] == pmd.Op.START, "nothing is asked of a bracelet that is gone"


def test_a_bracelet_in_its_charger_is_told_with_the_cure() -> None:
    peer, measurement = bracelet()
    measurement.in_charger = True
    error = run_virtual(during(peer, FakeLink(), send(peer)))
    assert isinstance(error, LinkError)
    assert "put it on" in error.cure


def test_a_silent_control_point_ends_the_session_in_time() -> None:
    peer = FakePeer(CHARACTERISTICS)

    async def wait() -> None:
        await asyncio.sleep(6)

    error = run_virtual(during(peer, FakeLink(), wait()))
    assert isinstance(error, LinkError)
    assert "does not answer GET_SETTINGS" in error.reason


def test_a_device_without_acceleration_is_rejected() -> None:
    peer = FakePeer(CHARACTERISTICS, lambda _uuid, data: [(pmd.CONTROL_POINT, bytes([0xF0, data[0], 2, 3, 0]))])
    assert isinstance(run_virtual(during(peer, FakeLink(), send(peer))), DeviceRejected)


def test_a_rate_that_is_not_offered_is_rejected_with_those_that_are() -> None:
    peer, _measurement = bracelet()
    link = FakeLink(PolarSettings(address="C0:00:00:00:00:01", rate_hz=26))
    error = run_virtual(during(peer, link, send(peer)))
    assert isinstance(error, DeviceRejected)
    assert error.cure == "set rate_hz to one of 52"


def test_the_range_is_the_smallest_that_holds_a_fall() -> None:
    setting = pmd.Setting
    offered: pmd.Settings = {setting.SAMPLE_RATE: (26, 52), setting.RANGE: (2, 4, 8, 16), setting.RESOLUTION: (16,)}
    assert choose(offered, 52) == {setting.SAMPLE_RATE: (52,), setting.RANGE: (8,), setting.RESOLUTION: (16,)}
    assert choose(offered | {setting.RANGE: (2, 4)}, 26)[setting.RANGE] == (4,)


@pytest.mark.parametrize("drift", [0.96, 1.0, 1.04])
def test_an_inexact_sensor_clock_is_no_loss(drift: float) -> None:
    count, index = SampleCount(RATE), 0
    for number in range(200):
        size = 20 + number % 50
        index += size
        block = pmd.AccFrame(int(index / RATE / drift * 1e9), [(0, 0, 0)] * size)
        assert count.first_index(block, 0.0) == index - size
    assert count.lost == 0


def test_a_small_frame_lost_before_a_large_one_is_noticed() -> None:
    count = SampleCount(RATE)
    count.first_index(pmd.AccFrame(59 * 10**9 // RATE, [(0, 0, 0)] * 60), 0.0)
    assert count.first_index(pmd.AccFrame(131 * 10**9 // RATE, [(0, 0, 0)] * 60), 0.0) == 72


def test_a_clock_that_was_set_falls_back_on_the_time_of_arrival() -> None:
    count = SampleCount(RATE)
    count.first_index(pmd.AccFrame(10**9, [(0, 0, 0)] * 52), 100.0)
    assert count.first_index(pmd.AccFrame(800_000_000 * 10**9, [(0, 0, 0)] * 52), 101.0) == 52
    assert count.first_index(pmd.AccFrame(0, [(0, 0, 0)] * 52), 103.0) == 156
    assert count.lost == 52


@pytest.mark.parametrize("address", ["", "C0:00", "C0-00-00-00-00-01", "C0:00:00:00:00:0G", "C0:00:00:00:00:01:02"])
def test_an_address_that_is_none_is_refused_by_the_settings(address: str) -> None:


    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"address": address}, PolarSettings)


def told(link: FakeLink, kind: QuantityKind) -> list[tuple[float, bool]]:
    quantities = [value for value in link.values if isinstance(value, Quantity)]
    return [(value.value, value.plausible) for value in quantities if value.kind is kind]


def strap() -> FakePeer:
    """A peer that answers as an H10: 200 Hz down to 25, 16 bit, three ranges, no channels, no factor."""
    offered = bytes.fromhex("00 04 1900 3200 6400 c800 01 01 1000 02 03 0200 0400 0800")

    def on_write(_uuid: str, data: bytes) -> list[tuple[str, bytes]]:
        return [(pmd.CONTROL_POINT, bytes([0xF0, data[0], data[1], 0, 0]) + (offered if data[0] == 1 else b""))]

    return FakePeer(CHARACTERISTICS, on_write)


def test_a_chest_strap_gives_acceleration_that_is_not_judged_as_a_wrists() -> None:
    peer, link = strap(), FakeLink(H10Settings(address="C0:00:00:00:00:01"))  # type: ignore[arg-type]
    data = bytes.fromhex("02 00 94 35 77 00 00 00 00 01 e8 03 18 fc 00 00")
    run_virtual(played(H10.run(link, peer), send(peer, data)))
    assert [data.hex(" ") for _, data in peer.written][1] == "02 02 00 01 32 00 01 01 10 00 02 01 08 00"
    (block,) = link.blocks
    assert (block.rate_hz, block.full_scale_g, block.at_wrist) == (50, 8, False)
    assert struct.unpack("<3h", block.samples_mg) == (1000, -1000, 0)
    assert not [value for value in link.values if isinstance(value, Binary) and value.kind is BinaryKind.CHARGING]
    assert H10.falls is None


@pytest.mark.parametrize("wanted", [True, False])
def test_a_straps_intervals_come_with_its_heart_rate_where_they_are_asked_for(wanted: bool) -> None:
    peer, link = strap(), FakeLink(H10Settings(address="C0:00:00:00:00:01", intervals=wanted))  # type: ignore[arg-type]

    async def beat() -> None:
        peer.notify(HEART_RATE_MEASUREMENT, bytes([0x16, 60, 0x00, 0x04, 0x00, 0x02]))  # 1024 and 512 of 1/1024 s

    run_virtual(played(H10.run(link, peer), beat()))
    assert told(link, QuantityKind.BEAT_INTERVAL) == ([(1000.0, True), (500.0, True)] if wanted else [])


def test_pulse_intervals_are_a_stream_of_their_own_and_marked_in_movement() -> None:
    answers = sensor.Measurement()

    def on_write(_uuid: str, data: bytes) -> list[tuple[str, bytes]]:
        ppi = bytes([0xF0, data[0], data[1], 0, 0])
        return [(pmd.CONTROL_POINT, ppi if data[1] == pmd.PPI else answers.answer(data))]

    peer = FakePeer(CHARACTERISTICS, on_write)
    link = FakeLink(PolarSettings(address="C0:00:00:00:00:01", intervals=True))
    frame_of_two = bytes.fromhex("03 0000000000000000 00" "3c e803 0a00 06" "3c 2003 0a00 07")
    run_virtual(during(peer, link, send(peer, frame_of_two)))
    assert "02 03" in [data.hex(" ") for _, data in peer.written]
    assert told(link, QuantityKind.BEAT_INTERVAL) == [(1000, True), (800, False)]


def test_a_bracelet_without_intervals_still_watches_over_falls() -> None:
    peer, _measurement = bracelet()  # its control point knows acceleration only
    link = FakeLink(PolarSettings(address="C0:00:00:00:00:01", intervals=True))
    run_virtual(during(peer, link, send(peer, frame(0, 36))))
    assert len(link.blocks) == 1


def test_what_the_bracelet_says_about_itself_is_told_once_a_connection() -> None:
    peer, _measurement = bracelet()
    peer.values |= {CHARACTERISTICS_180A["model"]: b"Verity Sense", CHARACTERISTICS_180A["firmware"]: b"2.2.6\0",
                    CHARACTERISTICS_180A["serial"]: b""}
    run_virtual(during(peer, link := FakeLink(), send(peer, frame(0, 36))))
    assert link.told == {"model": "Verity Sense", "firmware": "2.2.6"}
