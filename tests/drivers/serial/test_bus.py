import asyncio
import os
import time
from pathlib import Path

import pytest

from drivers.bus.serial import BUS, KEPT_BYTES, SerialSettings
from drivers.testkit import serial as conformance
from drivers.testkit.serial import FakeLine
from gateway.spi import BusUnavailable, DeviceRejected, LinkLost
from tests.drivers.serial.kit import LineSettings, PtyEnd, bus, plugged

# -- conformance: the same checks on the fake and on the bus with a real line -----------------------------------------

async def test_the_bus_conforms(tmp_path: Path) -> None:
    async with plugged(tmp_path) as (end, _, port):
        async def lose() -> None:
            end.line.unplug()

        await conformance.check_reading(port, end, time.monotonic)
        await conformance.check_silence(port)
        await conformance.check_writing(port, end)
        await conformance.check_loss(port, end, lose)


async def test_the_fake_conforms() -> None:
    fake = FakeLine()

    async def lose() -> None:
        fake.lose()

    await conformance.check_reading(fake, fake, asyncio.get_running_loop().time)
    await conformance.check_silence(fake)
    await conformance.check_writing(fake, fake)
    await conformance.check_loss(fake, fake, lose)


# -- the line ---------------------------------------------------------------------------------------------------------

async def test_a_read_under_way_ends_when_the_line_is_pulled(tmp_path: Path) -> None:
    async with plugged(tmp_path) as (end, _, port):
        reading = asyncio.create_task(port.read(60.0))
        await asyncio.sleep(0.01)
        end.line.unplug()
        async with asyncio.timeout(5.0):
            with pytest.raises(LinkLost, match="is gone"):
                await reading


async def test_a_line_that_comes_back_is_opened_again_and_health_names_it_meanwhile(tmp_path: Path) -> None:
    end, lines = PtyEnd(tmp_path / "usb-radar"), bus()
    settings = LineSettings(str(end.line.link))

    async def one_byte() -> bytes:
        async with lines.open("radar", settings) as port:
            return (await port.read(5.0))[1]

    for byte in (b"a", b"b"):
        waiting = asyncio.create_task(one_byte())
        await asyncio.sleep(0.05)
        assert str(lines.health()["reason"]).endswith("usb-radar of radar")
        assert "ls /dev/serial/by-id" in lines.health()["cure"]
        end.line.plug()
        async with asyncio.timeout(5.0):
            while not lines.health()["open"]:
                await asyncio.sleep(0.01)
        assert "reason" not in lines.health()
        end.send(byte)
        assert await waiting == byte
        end.line.unplug()
    assert lines.health()["lines"][settings.port]["opened"] == 2


async def test_a_second_program_on_the_line_is_refused(tmp_path: Path) -> None:
    async with plugged(tmp_path) as (end, _, _):
        with pytest.raises(BusUnavailable, match="is busy") as raised:
            async with bus().open("other", LineSettings(str(end.line.link))):
                pass
    assert "fuser" in raised.value.cure


async def test_a_file_is_no_serial_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeviceRejected, match="is no serial line"):
        async with bus().open("radar", LineSettings(str(tmp_path / "file"))):
            pass


async def test_what_nobody_reads_is_bounded_the_newest_stays_and_the_loss_is_counted(tmp_path: Path) -> None:
    async with plugged(tmp_path) as (end, lines, port):
        sent, path = 0, str(end.line.link)
        while not lines.health()["lines"][path]["dropped_bytes"]:
            end.send(bytes([sent % 251]) * 1000)
            sent += 1
            await asyncio.sleep(0.001)
        end.send(b"the newest")
        await asyncio.sleep(0.05)
        came = b""
        while (data := (await port.read(0.05))[1]):
            came += data
        counts = lines.health()["lines"][path]
    assert came.endswith(b"the newest")
    assert len(came) <= KEPT_BYTES
    assert len(came) + counts["dropped_bytes"] == counts["read_bytes"]


async def test_a_device_that_takes_nothing_ends_the_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bus.serial.WRITE_S", 0.05)
    async with plugged(tmp_path) as (end, _, port):
        asyncio.get_running_loop().remove_reader(_our_end(end))
        with pytest.raises(LinkLost, match="takes nothing"):
            await port.write(bytes(1 << 20))
        asyncio.get_running_loop().add_reader(_our_end(end), lambda: os.read(_our_end(end), 65536))


def _our_end(end: PtyEnd) -> int:
    assert end.line._ends is not None
    return end.line._ends[0]


async def test_noise_that_a_driver_tells_of_stands_in_the_health(tmp_path: Path) -> None:
    async with plugged(tmp_path) as (end, lines, port):
        port.noise(7)
        port.noise(4)
        assert lines.health()["lines"][str(end.line.link)]["noise_bytes"] == 11


async def test_discovery_finds_nothing_by_itself() -> None:
    assert await bus().discover(0.1) == []


def test_the_kind_is_registered_under_its_name() -> None:
    assert (BUS.name, BUS.own_process, BUS.settings) == ("serial", False, SerialSettings)
