"""Daemon and driver host over their real Unix socket: nothing that may not drop is lost when either end goes."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.finding import FallSource
from gateway.model.reading import Binary, BinaryKind, FallFlag
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime import frames, hosted
from gateway.runtime.host import Host
from gateway.runtime.hosted import HostedBus
from gateway.runtime.registry import Registry
from gateway.spi import Light, LightPattern
from tests.unit.runtime import kit

SMOKE = Binary(BinaryKind.SMOKE, active=True)


@asynccontextmanager
async def running(*mains: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(main.run()) for main in mains]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [error for error in ended if isinstance(error, Exception)]
        assert not failed, failed


def host(socket: Path) -> tuple[Host, list[kit.TestBus]]:
    kind, made = kit.bus_kind(own_process=True)
    registry = cast(Registry, SimpleNamespace(drivers=kit.DRIVERS, buses={"test": kind}))
    return Host("test", socket, registry, kit.LoopClock("boot"), random.random, lambda: None), made


def daemon(folder: Path, sink: kit.Sink, act: str = "smoke") -> HostedBus:
    bus = HostedBus("test", folder / "host.sock", folder, kit.means(sink), spawn=None)
    bus.apply(kit.BusSettings(), {"d": kit.device("d", act)})
    return bus


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_readings_and_states_come_through(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    process, made = host(tmp_path / "host.sock")
    async with running(bus, process):
        await until(lambda: sink.readings and sink.states("d")[-1] == "up")
        assert sink.readings[0].value == SMOKE
        assert bus.statuses()["d"].state is DeviceState.UP
        assert made[0].context.state_dir == tmp_path / "test"
        assert await bus.discover(0.1) == [{"name": "found", "seconds": 0.1}]


async def test_a_fall_flag_comes_through_whole_numbered_as_what_may_not_drop(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink, "fall")
    process, _ = host(tmp_path / "host.sock")
    async with running(bus, process):
        await until(lambda: sink.readings)
        assert sink.readings[0].value == FallFlag(FallSource.RADAR, active=True, number=3)
        assert sink.takens[0] is not None, "the host keeps it until it is on disk"


class SyncedClock(kit.LoopClock):
    """What the daemon knows of the time, and a host that started earlier does not."""

    def stamp(self, mono_s: float | None = None) -> Stamp:
        at_s = self.mono_s() if mono_s is None else mono_s
        return Stamp(self.boot_id, at_s, 1_780_000_000.0 + at_s, ClockQuality.SYNCED)


async def test_a_reading_carries_the_hosts_moment_and_the_daemons_wall_time(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = HostedBus("test", tmp_path / "host.sock", tmp_path, replace(kit.means(sink), clock=SyncedClock("boot")), None)
    bus.apply(kit.BusSettings(), {"d": kit.device("d", "smoke")})
    began_s = asyncio.get_running_loop().time()
    process, _ = host(tmp_path / "host.sock")
    async with running(bus, process):
        await until(lambda: sink.readings)
        at = sink.readings[0].at
        assert began_s <= at.mono_s <= asyncio.get_running_loop().time()
        assert at == Stamp("boot", at.mono_s, 1_780_000_000.0 + at.mono_s, ClockQuality.SYNCED)


async def test_an_alarm_is_sent_again_until_the_daemon_has_it_on_disk(tmp_path: Path) -> None:
    first, second, third = kit.Sink(), kit.Sink(), kit.Sink()
    process, _ = host(tmp_path / "host.sock")
    async with running(process):
        async with running(daemon(tmp_path, first)):
            await until(lambda: first.readings)  # the daemon dies before it has committed
        async with running(daemon(tmp_path, second)):
            await until(lambda: second.readings)
            taken = second.takens[0]
            assert taken is not None
            taken()
            await until(lambda: not process._outlet._kept)
        async with running(daemon(tmp_path, third)):
            await until(lambda: third.states("d")[-1:] == ["up"])
            assert third.readings == []
    assert first.readings == second.readings


async def test_a_daemon_that_reconnects_takes_no_reading_twice(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    process, _ = host(tmp_path / "host.sock")
    async with running(bus, process):
        await until(lambda: sink.readings)
        assert bus._writer is not None
        bus._writer.close()  # the connection breaks, both ends live
        await until(lambda: "blind" in sink.states("d") and sink.states("d")[-1] == "up")
        assert len(sink.readings) == 1
        taken = sink.takens[0]
        assert taken is not None
        taken()
        await until(lambda: not process._outlet._kept)


async def test_devices_are_blind_while_their_host_is_down(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    process, _ = host(tmp_path / "host.sock")
    async with running(bus):
        assert bus.statuses()["d"].state is DeviceState.BLIND
        async with running(process):
            await until(lambda: bus.statuses()["d"].state is DeviceState.UP)
        await until(lambda: bus.statuses()["d"].state is DeviceState.BLIND)
        assert "host is down" in bus.statuses()["d"].reason


async def test_a_light_stands_for_each_host_that_comes_so_that_a_siren_sounds_on(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink, "light")
    async with running(bus):
        bus.order("d", Light(LightPattern.FAST))  # its host is not there yet
        for number in (1, 2):
            process, _ = host(tmp_path / "host.sock")
            async with running(process):
                await until(lambda number=number: len(sink.readings) == number)
            assert sink.readings[-1].value == Binary(BinaryKind.TEST, active=True)


async def test_a_second_host_is_refused(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    first, _ = host(tmp_path / "host.sock")
    async with running(bus, first):
        await until(lambda: bus.statuses()["d"].state is DeviceState.UP)
        second, made = host(tmp_path / "host.sock")
        async with asyncio.timeout(5):
            await second.run()
        assert made == []
        assert bus.statuses()["d"].state is DeviceState.UP


async def test_a_host_that_does_not_come_is_started_and_ended_with_the_daemon(tmp_path: Path) -> None:
    sink = kit.Sink()
    started: list[asyncio.subprocess.Process] = []

    async def spawn(bus: str) -> asyncio.subprocess.Process:
        started.append(await asyncio.create_subprocess_exec("sleep", "1000"))
        return started[-1]

    bus = HostedBus("test", tmp_path / "host.sock", tmp_path, kit.means(sink), spawn)
    bus.apply(kit.BusSettings(), {"d": kit.device("d")})
    async with running(bus):
        await until(lambda: started)
        started[0].kill()
        await until(lambda: len(started) == 2)
        assert "ended with code -9" in bus.statuses()["d"].reason
    assert started[1].returncode is not None


async def test_a_host_that_hangs_is_let_go_and_its_devices_are_blind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosted, "DEAF_S", 0.5)
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    async with running(bus):
        await until((tmp_path / "host.sock").exists)
        _, writer = await asyncio.open_unix_connection(tmp_path / "host.sock")
        writer.write(frames.encode(frames.Hello("test", "hangs", 0)))
        writer.write(frames.encode(frames.Status(DeviceStatus("d", DeviceState.UP, 0.0))))
        await until(lambda: bus.statuses()["d"].state is DeviceState.UP)
        await until(lambda: bus.statuses()["d"].state is DeviceState.BLIND)
        writer.close()
        process, _ = host(tmp_path / "host.sock")
        async with running(process):
            await until(lambda: bus.statuses()["d"].state is DeviceState.UP)


async def test_a_host_that_never_connects_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosted, "CONNECT_S", 0.5)
    started: list[asyncio.subprocess.Process] = []

    async def spawn(bus: str) -> asyncio.subprocess.Process:
        started.append(await asyncio.create_subprocess_exec("sleep", "1000"))
        return started[-1]

    bus = HostedBus("test", tmp_path / "host.sock", tmp_path, kit.means(kit.Sink()), spawn)
    async with running(bus):
        async with asyncio.timeout(10):
            while len(started) < 2:
                await asyncio.sleep(0.02)
        assert started[0].returncode == -9


async def test_a_late_word_about_an_earlier_host_is_not_told_the_next(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    async with running(bus):
        first, _ = host(tmp_path / "host.sock")
        async with running(first):
            await until(lambda: len(sink.readings) == 1)
        second, _ = host(tmp_path / "host.sock")
        async with running(second):
            await until(lambda: len(sink.readings) == 2)
            old, new = sink.takens
            assert old is not None
            assert new is not None
            old()
            await asyncio.sleep(0.05)
            assert second._outlet._kept, "its own reading is not on disk yet"
            new()
            await until(lambda: not second._outlet._kept)


async def test_what_is_no_frame_ends_the_connection_only(tmp_path: Path) -> None:
    sink = kit.Sink()
    bus = daemon(tmp_path, sink)
    async with running(bus):
        await until((tmp_path / "host.sock").exists)
        for garbage in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\xc1\xc1", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "host.sock")
            writer.write(garbage)
            writer.write_eof()
            await reader.read()
            writer.close()
        process, _ = host(tmp_path / "host.sock")
        async with running(process):
            await until(lambda: sink.readings)


async def test_a_frame_larger_than_the_limit_is_refused() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data((frames.MAX_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(frames.FrameError):
        await frames.read(reader)
