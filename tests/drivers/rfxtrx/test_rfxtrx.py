"""433 MHz: packets without a checksum, sensors that only send, and a receiver that comes and goes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import rfxtrx as bus_module
from drivers.bus.rfxtrx import Receiver, RfxtrxSettings
from drivers.devices import rfx_packets as rfx
from drivers.devices import rfxtrx
from drivers.devices.framing import split
from drivers.devices.rfx_packets import Packet
from drivers.devices.rfxtrx import CLEAR_S, DOORS, REPEAT_S, SMOKE_ALARMS, Level, Presses
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Binary, BinaryKind, Button, Press
from gateway.spi import BusContext, BusUnavailable
from hil.devices.rfxtrx.receiver import Rfxtrx
from hil.resources import control
from hil.resources.process import Program

OPEN, SHUT = Binary(BinaryKind.CONTACT, active=True), Binary(BinaryKind.CONTACT, active=False)
SMOKE, NO_SMOKE = Binary(BinaryKind.SMOKE, active=True), Binary(BinaryKind.SMOKE, active=False)
SOS = Press(Button.SOS)
DOOR = {"protocol": "security1", "id": "d3dc54"}


# -- packets ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("frame", "packet"), [
    ("08 20 00 4d d3dc54 00 89", Packet("security1", 0, "d3dc54", 0, False, False, False)),  # X10 door, normal
    ("08 20 00 4e d3dc54 82 80", Packet("security1", 0, "d3dc54", 0, True, True, True)),  # alarm, tamper, battery 0
    ("08 20 03 00 1c2b3a 06 80", Packet("security1", 3, "1c2b3a", 0, True)),  # KD101
    ("08 20 02 00 1c2b3a 0d 89", Packet("security1", 2, "1c2b3a", 0, None)),  # X10 remote, disarm
    ("0b 11 00 05 00c2a1f6 0a 01 0f 70", Packet("lighting2", 0, "00c2a1f6", 10, True)),
    ("0b 11 00 05 00c2a1f6 0a 03 00 70", Packet("lighting2", 0, "00c2a1f6", 10, False)),
    ("0a 14 00 07 f0a1b2 03 01 00 80", Packet("lighting5", 0, "f0a1b2", 3, True)),
    ("0a 14 00 07 f0a1b2 03 07 00 80", Packet("lighting5", 0, "f0a1b2", 3, None)),  # mood 3: neither on nor off
])
def test_a_packet_says_what_the_guide_says(frame: str, packet: Packet) -> None:
    assert rfx.decode(bytes.fromhex(frame)) == packet


def test_a_packet_of_another_sensor_is_passed_over_whole() -> None:
    thermometer = bytes.fromhex("0a52 0111 7002 00a7 2d 00 89")
    door = bytes.fromhex("0820004dd3dc540089")
    found = split(thermometer + door, rfx.SHAPE)
    assert (found.frames, found.rest, found.noise) == ([thermometer, door], b"", 0)


@pytest.mark.parametrize("begin", ["0920", "0720", "0c11", "0b14", "0e01", "0300", "2952", "0400", "0a81"])
def test_a_type_with_a_length_that_is_not_its_own_is_no_packet(begin: str) -> None:
    assert rfx.length(bytes.fromhex(begin)) == 0


@given(noise=st.binary(max_size=200), cut=st.integers(0, 200))
def test_any_bytes_are_split_and_read_without_an_end_and_none_are_lost_or_doubled(noise: bytes, cut: int) -> None:
    first = split(noise[:cut], rfx.SHAPE)
    second = split(first.rest + noise[cut:], rfx.SHAPE, quiet=True)
    frames = first.frames + second.frames
    for frame in frames:
        rfx.decode(frame)
    assert sum(map(len, frames)) + first.noise + second.noise + len(second.rest) == len(noise)


# -- sensors ----------------------------------------------------------------------------------------------------------

def security(status: int, subtype: int = rfx.X10_DOOR, battery: int = 9) -> Packet:
    packet = rfx.decode(bytes([8, 0x20, subtype, 0, 0xd3, 0xdc, 0x54, status, battery]))
    assert packet is not None
    return packet


def test_a_door_is_told_when_it_changes_with_what_it_says_of_itself() -> None:
    door = Level(BinaryKind.CONTACT, DOORS)
    whole = [Binary(BinaryKind.TAMPER, active=False), Binary(BinaryKind.BATTERY_LOW, active=False)]
    assert door.heard(security(rfx.NORMAL), 0.0) == [SHUT, *whole]
    assert door.heard(security(rfx.NORMAL), 1.0) == []
    assert door.heard(security(rfx.ALARM), 2.0) == [OPEN]
    assert door.heard(security(rfx.ALARM | rfx.TAMPER, battery=0), 3.0) == [
        Binary(BinaryKind.TAMPER, active=True), Binary(BinaryKind.BATTERY_LOW, active=True)]
    assert door.passed(1e9) == []


def test_a_smoke_alarm_ends_when_it_has_not_been_heard_for_a_while_and_can_sound_again() -> None:
    smoke = Level(BinaryKind.SMOKE, SMOKE_ALARMS, CLEAR_S)
    assert smoke.heard(security(rfx.PANIC, rfx.KD101), 0.0) == [SMOKE]
    assert smoke.heard(security(rfx.PANIC, rfx.KD101), 100.0) == []
    assert smoke.passed(100 + CLEAR_S - 1) == []
    assert smoke.passed(100 + CLEAR_S) == [NO_SMOKE]
    assert smoke.passed(1000.0) == []
    assert smoke.heard(security(rfx.PANIC, rfx.KD101), 2000.0) == [SMOKE]


def test_a_sensor_of_another_kind_under_the_same_id_is_not_taken_for_it() -> None:
    assert Level(BinaryKind.SMOKE, SMOKE_ALARMS).heard(security(rfx.ALARM, rfx.X10_DOOR), 0.0) == []
    assert Level(BinaryKind.CONTACT, DOORS).heard(security(rfx.PANIC, rfx.KD101), 0.0) == []


def test_a_press_that_is_sent_again_and_again_is_one_and_a_later_one_another() -> None:
    button = Presses(Button.SOS)
    told = [button.heard(security(rfx.PANIC, rfx.X10_REMOTE), at_s) for at_s in (0.0, 1.0, 4.0, 4.0 + REPEAT_S)]
    assert told == [[SOS], [], [], [SOS]]
    assert button.heard(security(rfx.PANIC_END, rfx.X10_REMOTE), 100.0) == []


@given(packets=st.lists(st.tuples(st.floats(0, 1e6), st.binary(min_size=9, max_size=12)), max_size=20))
def test_no_packet_that_says_neither_on_nor_alarm_nor_panic_is_one(packets: list[tuple[float, bytes]]) -> None:
    door, button = Level(BinaryKind.CONTACT, DOORS), Presses(Button.SOS)
    for at_s, frame in packets:
        kind = (rfx.LIGHTING2, rfx.LIGHTING5, rfx.SECURITY1)[frame[0] % 3]
        packet = rfx.decode((frame[:1] + bytes([kind]) + frame[2:]).ljust(12, b"\x00"))
        assert packet is not None
        if not packet.on:
            said = door.heard(packet, at_s) + button.heard(packet, at_s)
            assert OPEN not in said
            assert SOS not in said


# -- the receiver -----------------------------------------------------------------------------------------------------

@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[tuple[Rfxtrx, Receiver]]:
    """A receiver on a real line, and the bus that runs it."""
    stick = Rfxtrx(folder / "usb-rfx")
    stick.line.plug()
    bus = Receiver(RfxtrxSettings(port=str(folder / "usb-rfx")), BusContext(folder, time.monotonic))
    running = asyncio.create_task(bus.run())
    try:
        yield stick, bus
    finally:
        running.cancel()
        await asyncio.wait([running])
        stick.line.unplug()


@asynccontextmanager
async def session(bus: Receiver, driver: Any, **settings: Any) -> AsyncIterator[RecordedLink[Any]]:
    link = RecordedLink(driver.settings(**settings))
    async with bus.open("d", link.settings) as port:
        task = asyncio.create_task(driver.run(link, port))
        await link.is_ready.wait()
        yield link
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


async def until(true: Any, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RESET_S", 0.02), ("PAUSE_S", 0.02), ("ANSWER_S", 0.3)):
        monkeypatch.setattr(bus_module, name, value)


async def test_each_kind_of_sensor_is_heard_through_noise(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (stick, bus):
        async with session(bus, rfxtrx.CONTACT, **DOOR) as link:
            await stick.handle("noise", {"hex": "ff08"})
            await asyncio.sleep(0.3)  # after a pause what is incomplete is noise
            await stick.handle("security1", DOOR | {"subtype": 0, "status": 2, "times": 3})
            await link.until(lambda: OPEN in link.values and link.lives == 2)
        async with session(bus, rfxtrx.SMOKE, protocol="security1", id="1C2B3A") as link:
            await stick.handle("security1", {"subtype": 3, "id": "1c2b3a", "status": 6, "battery": 0})
            await link.until(lambda: link.values == [SMOKE])
        async with session(bus, rfxtrx.BUTTON, protocol="lighting2", id="00c2a1f6", unit=10) as link:
            await stick.handle("lighting2", {"id": "00c2a1f6", "unit": 9, "command": 1})
            await stick.handle("lighting2", {"id": "00c2a1f6", "unit": 10, "command": 1, "times": 5})
            await link.until(lambda: link.lives == 4)
            assert link.values == [SOS]
        async with session(bus, rfxtrx.BUTTON, protocol="lighting5", id="f0a1b2", unit=1, button="cancel") as link:
            await stick.handle("lighting5", {"id": "f0a1b2", "unit": 1, "command": 1})
            await link.until(lambda: link.values == [Press(Button.CANCEL)])
        health = bus.health()
        assert (health["state"], health["receiver"], health["noise_bytes"]) == ("up", "433.92 MHz, firmware 65", 2)
        assert (health["packets"], health["lost"]) == (11, 0)
        assert "no" in health["supervision"]


async def test_a_receiver_that_is_pulled_out_is_told_and_heard_again_when_it_is_back(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (stick, bus):
        link = RecordedLink(rfxtrx.CONTACT.settings(**DOOR))
        async with bus.open("d", link.settings) as port:
            stick.line.unplug()
            with pytest.raises(BusUnavailable, match="is gone"):
                await rfxtrx.CONTACT.run(link, port)
        assert bus.health()["cure"]
        stick._listening = False
        stick.line.plug()
        await until(lambda: bus.health()["state"] == "up")
        async with session(bus, rfxtrx.CONTACT, **DOOR) as link:
            await until(lambda: stick._listening)
            await stick.handle("security1", DOOR | {"subtype": 0, "status": 2})
            await link.until(lambda: OPEN in link.values)


async def test_a_receiver_that_hangs_is_found_though_nothing_happens_in_the_home(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "WATCH_S", 0.05)
    async with receiving(tmp_path) as (stick, bus):
        await until(lambda: stick.commands >= 5 and bus.health()["state"] == "up")  # asked again and again, and answers
        await stick.handle("deaf", {"on": True})
        await until(lambda: bus.health()["state"] == "down")
        assert bus.health()["reason"] == f"no RFXtrx answers at {tmp_path / 'usb-rfx'}"
        await stick.handle("deaf", {"on": False})
        await until(lambda: bus.health()["state"] == "up")


async def test_what_was_heard_before_a_session_is_its_first_and_strangers_are_found(tmp_path: Path) -> None:
    async with receiving(tmp_path) as (stick, bus):
        await until(lambda: stick._listening)
        await stick.handle("security1", DOOR | {"subtype": 0, "status": 2})
        await stick.handle("lighting2", {"id": "00c2a1f6", "unit": 3, "command": 1})
        await until(lambda: bus.health()["packets"] == 2)
        assert [one["settings"] for one in await bus.discover(0.0)] == [
            {"protocol": "security1", "id": "d3dc54", "unit": 0},
            {"protocol": "lighting2", "id": "00c2a1f6", "unit": 3}]
        async with session(bus, rfxtrx.CONTACT, **DOOR) as link:
            await link.until(lambda: OPEN in link.values)


def test_packets_that_were_lost_on_the_line_are_counted_and_a_repeat_of_the_line_is_one(tmp_path: Path) -> None:
    bus = Receiver(RfxtrxSettings(port="/dev/null"), BusContext(tmp_path, time.monotonic))
    for sequence in (254, 254, 255, 0, 3):
        bus.hear(0.0, bytes([8, 0x20, 0, sequence, 0xd3, 0xdc, 0x54, 2, 0x89]))
    assert (bus.health()["packets"], bus.health()["lost"]) == (4, 2)


async def test_the_bench_runs_the_receiver_as_a_process(tmp_path: Path) -> None:
    program = Program.module("hil.devices.rfxtrx", "--link", tmp_path / "line", "--control", tmp_path / "sock",
                             log=tmp_path / "log")
    await program.start_ready()
    bus = Receiver(RfxtrxSettings(port=str(tmp_path / "line")), BusContext(tmp_path, time.monotonic))
    running = asyncio.create_task(bus.run())
    async with session(bus, rfxtrx.CONTACT, **DOOR) as link:
        while (await control.call(tmp_path / "sock", "stats"))["commands"] < 3:
            await asyncio.sleep(0.01)
        await control.call(tmp_path / "sock", "security1", subtype=0, id="d3dc54", status=2)
        await link.until(lambda: OPEN in link.values)
    with pytest.raises(control.ControlError, match="no operation 'explode'"):
        await control.call(tmp_path / "sock", "explode")
    running.cancel()
    await asyncio.wait([running])
    assert await program.stop() == 0
