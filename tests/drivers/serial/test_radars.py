"""The radars: their frames, what becomes of them, and sessions over fake and real lines."""

import asyncio
import math
import random
import struct
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import ld2410, ld2450, mr60
from drivers.devices.radar import STRANGE_BYTES, Held, hold
from drivers.testkit.link import RecordedLink
from drivers.testkit.serial import FakeLine
from gateway.model.finding import FallSource
from gateway.model.reading import Binary, BinaryKind, FallFlag, Quantity, QuantityKind
from gateway.spi import DeviceRejected
from hil.devices.radar import frames as real
from hil.devices.radar.line import Radar, running
from tests.drivers.serial.kit import bus, heard

PRESENCE, MOTION = BinaryKind.PRESENCE, BinaryKind.MOTION
DRIVERS: dict[str, tuple[Any, type[msgspec.Struct]]] = {
    "ld2410": (ld2410.DRIVER, ld2410.Ld2410Settings), "ld2450": (ld2450.DRIVER, ld2450.Ld2450Settings),
    "mr60fda2": (mr60.FALLS, mr60.Mr60Settings), "mr60bha2": (mr60.VITALS, mr60.Mr60Settings)}


# -- vectors ----------------------------------------------------------------------------------------------------------

def test_a_known_ld2410_report_is_read() -> None:
    frame = bytes.fromhex("f4f3f2f1 0d00 02aa 02 5100 00 0000 3b 0000 5500 f8f7f6f5")
    assert ld2410.decode(frame) == ld2410.Report(False, True, 81, 0, 0, 59, 0)


def test_an_engineering_report_is_read_as_far_as_the_basic_one() -> None:
    gates = bytes([8, 8]) + bytes(range(18)) + b"\x19\x01"
    payload = b"\x01\xaa\x03" + struct.pack("<HBHBH", 30, 60, 45, 100, 40) + gates + b"\x55\x00"
    frame = ld2410.HEAD + struct.pack("<H", len(payload)) + payload + ld2410.END
    assert ld2410.decode(frame) == ld2410.Report(True, True, 30, 60, 45, 100, 40)


@pytest.mark.parametrize("state", [4, 5, 6, 255])
def test_a_state_that_is_no_word_on_anybody_is_left_alone(state: int) -> None:
    assert ld2410.decode(real.ld2410(state, 100, 50)) is None


def test_a_known_ld2450_report_is_read() -> None:
    frame = bytes.fromhex("aaff0300 0e03b18610004001 0000000000000000 0000000000000000 55cc")
    assert ld2450.decode(frame) == [ld2450.Target(-782, 1713, -16, 320)]


def test_the_mr60_requests_are_those_that_are_known_to_work() -> None:
    assert mr60.frame(mr60.PARAMETERS) == bytes.fromhex("01000000000e06f6")


def test_mr60_frames_are_read() -> None:
    assert mr60.decode(bytes.fromhex("0100000001 0e02 f1 01 fe".replace(" ", ""))) == FallFlag(FallSource.RADAR)
    assert mr60.decode(real.fall(False)) == FallFlag(FallSource.RADAR, active=False)
    assert (mr60.decode(real.person(True, 1)), mr60.decode(real.person(False, 2))) == (True, False)
    assert mr60.decode(real.breath(14.5)) == Quantity(QuantityKind.RESPIRATION, 14.5)
    assert mr60.decode(real.heart(71.26)) == Quantity(QuantityKind.HEART_RATE, 71.3)
    assert mr60.decode(real.parameters()) is None


@pytest.mark.parametrize("value", [0.0, -3.0, 400.0, math.nan, math.inf])
def test_a_breath_that_nobody_can_have_is_marked(value: float) -> None:
    told = mr60.decode(real.breath(value))
    assert isinstance(told, Quantity)
    assert (told.plausible, math.isfinite(told.value)) == (False, True)


@given(state=st.integers(0, 3), distance=st.integers(0, 600), energy=st.integers(0, 100))
def test_whatever_an_ld2410_sees_is_read_as_it_was_sent(state: int, distance: int, energy: int) -> None:
    report = ld2410.decode(real.ld2410(state, distance, energy))
    assert report is not None
    assert (report.moving, report.still) == (bool(state & 1), bool(state & 2))
    assert report.detection_cm == distance


@given(st.lists(st.tuples(st.integers(-6000, 6000), st.integers(0, 6000), st.integers(-500, 500)), max_size=3))
def test_whatever_an_ld2450_sees_is_read_as_it_was_sent(targets: list[tuple[int, int, int]]) -> None:
    assert [(one.x_mm, one.y_mm, one.speed_cm_s) for one in ld2450.decode(real.ld2450(targets))] == targets


# -- what is held -----------------------------------------------------------------------------------------------------

def test_somebody_counts_at_once_and_is_gone_only_after_a_while() -> None:
    held, told = Held(), []
    for mono_s, seen in ((0, False), (1, True), (2, False), (5, True), (14, False), (15, False), (16, False)):
        held, tell = hold(held, seen, mono_s, 10)
        told.append(tell)
    assert told == [False, True, None, None, None, False, None]


# -- sessions in virtual time -----------------------------------------------------------------------------------------

def test_a_fall_is_told_and_told_again_while_it_lasts_and_its_end_once() -> None:
    async def script(line: FakeLine, link: RecordedLink[Any]) -> None:
        for active in (False, False, True, True, False, False):
            line.send(real.fall(active))
            await asyncio.sleep(0.2)

    said = heard(mr60.run_falls, mr60.Mr60Settings(port="x"), script)
    assert [value.active for value in said if isinstance(value, FallFlag)] == [False, True, True, False]


def test_a_fall_behind_a_head_made_of_noise_is_told_once_the_line_is_quiet() -> None:
    async def script(line: FakeLine, link: RecordedLink[Any]) -> None:
        line.send(mr60.frame(mr60.FALL, bytes(200))[:20] + real.fall(True))
        await asyncio.sleep(0.15)
        assert FallFlag(FallSource.RADAR) in link.values
        assert line.noise_bytes == 20

    heard(mr60.run_falls, mr60.Mr60Settings(port="x"), script)


def test_the_fall_radar_is_asked_now_and_then_so_that_it_shows_its_life() -> None:
    async def script(line: FakeLine, link: RecordedLink[Any]) -> None:
        await asyncio.sleep(25)
        assert line.written == mr60.frame(mr60.PARAMETERS) * 3
        line.send(real.parameters())
        await asyncio.sleep(0.1)
        assert (link.is_ready.is_set(), link.lives) == (True, 1)

    assert heard(mr60.run_falls, mr60.Mr60Settings(port="x"), script) == []


@pytest.mark.parametrize("model", DRIVERS)
def test_a_line_full_of_noise_from_the_start_is_told_as_the_wrong_device(model: str) -> None:
    driver, settings = DRIVERS[model]
    source = random.Random(3)

    async def script(line: FakeLine, link: RecordedLink[Any]) -> None:
        for _ in range(STRANGE_BYTES // 100 + 10):
            line.send(bytes(source.choice(b"\xaa\xf4\x02\x00\x55") for _ in range(100)))
            await asyncio.sleep(0.01)

    with pytest.raises(ExceptionGroup if model == "mr60fda2" else DeviceRejected) as raised:
        heard(driver.run, settings(port="x"), script)
    error = raised.value.exceptions[0] if isinstance(raised.value, ExceptionGroup) else raised.value
    assert isinstance(error, DeviceRejected)
    assert "baudrate" in error.cure


def test_noise_after_good_frames_ends_nothing_and_is_counted() -> None:
    async def script(line: FakeLine, link: RecordedLink[Any]) -> None:
        line.send(real.ld2410(2, 100, 50))
        for _ in range(200):
            line.send(b"\xf4\xf3\x00" * 20)
            await asyncio.sleep(0.01)
        line.send(real.ld2410(1, 100, 50))
        await asyncio.sleep(0.2)
        assert line.noise_bytes == 200 * 60

    said = heard(ld2410.run, ld2410.Ld2410Settings(port="x"), script)
    assert said == [Binary(PRESENCE, True), Binary(MOTION, False), Binary(MOTION, True)]


# -- sessions on a real line, with the emulated radar -----------------------------------------------------------------

@pytest.mark.parametrize("model", DRIVERS)
async def test_a_person_before_the_emulated_radar_is_seen_amid_noise_and_after_a_replug(model: str,
                                                                                       tmp_path: Path) -> None:
    driver, settings = DRIVERS[model]
    radar, lines = Radar(tmp_path / "usb-radar", model), bus()
    chosen = settings(port=str(tmp_path / "usb-radar"), clear_s=0.2)
    await radar.handle("noise", {"share": 0.5, "bytes": 9})
    task = asyncio.create_task(running(radar))
    try:
        for _ in range(2):
            link = RecordedLink(chosen)
            async with lines.open("radar", chosen) as port:
                session = asyncio.create_task(driver.run(link, port))
                await asyncio.wait_for(link.is_ready.wait(), 10)
                set_mono_s = (await radar.handle("person", {"there": True, "moving": True}))["mono_s"]
                await link.until(lambda link=link: Binary(PRESENCE, True) in link.values)
                await radar.handle("person", {"there": False})
                await link.until(lambda link=link: link.values[-1] == Binary(PRESENCE, False)
                                 or Binary(PRESENCE, False) in link.values[1:])
                assert set_mono_s <= next(at for at, value in link.said if value == Binary(PRESENCE, True))
                radar.line.unplug()
                with pytest.raises(Exception, match=r"is gone|unhandled errors in a TaskGroup"):
                    await asyncio.wait_for(session, 5)
            radar.line.plug()
        counts = lines.health()["lines"][chosen.port]
        assert counts["opened"] == 2
        assert counts["noise_bytes"] > 0
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_fall_before_the_emulated_radar_reaches_the_link(tmp_path: Path) -> None:
    radar, lines = Radar(tmp_path / "usb-radar", "mr60fda2"), bus()
    settings = mr60.Mr60Settings(port=str(tmp_path / "usb-radar"))
    link = RecordedLink(settings)
    task = asyncio.create_task(running(radar))
    try:
        async with lines.open("radar", settings) as port:
            session = asyncio.create_task(mr60.run_falls(link, port))
            await asyncio.wait_for(link.is_ready.wait(), 10)
            before_s = time.monotonic()
            await radar.handle("fall", {"active": True})
            await link.until(lambda: FallFlag(FallSource.RADAR) in link.values)
            assert before_s <= next(at for at, value in link.said if value == FallFlag(FallSource.RADAR))
            assert (await radar.handle("stats", {}))["asked"] >= 1
            session.cancel()
            await asyncio.wait([session])
    finally:
        task.cancel()
        await asyncio.wait([task])
