"""The driver host: one bus and its devices in a process of their own, which may outlive the daemon by a while.

While the daemon is away, alarm inputs are kept here and sent again until the daemon has what follows on disk.
A host that hears of no daemon for ORPHAN_S ends; whoever started it starts it again.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gateway.config import Device
from gateway.model.device import DeviceStatus
from gateway.model.reading import Reading, may_drop
from gateway.runtime import frames
from gateway.runtime.clock import Clock
from gateway.runtime.registry import Registry
from gateway.runtime.session import Means
from gateway.runtime.supervisor import Supervisor
from gateway.spi import BusContext, SpiError

log = logging.getLogger(__name__)

ORPHAN_S = 60.0
RECONNECT_S = 0.2
HEALTH_S = 2.0
MAX_BACKLOG_BYTES = 1 << 20  # samples are dropped beyond; alarm inputs are not


class _Outlet:
    """The Sink of a host: to the daemon while it is there, kept for it while not."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._kept: dict[int, Reading] = {}
        self._number = 0

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        del taken  # a host's own sessions do not ask
        if may_drop(reading.value):
            full = self._writer is None or self._writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES
            return not full and self.send(frames.Emit(0, reading))
        self._number += 1
        self._kept[self._number] = reading
        self.send(frames.Emit(self._number, reading))
        return True

    def status(self, status: DeviceStatus) -> None:
        self.send(frames.Status(status))

    def took(self, number: int) -> None:
        self._kept.pop(number, None)

    def attach(self, writer: asyncio.StreamWriter) -> None:
        """Send to this daemon from now on, first what an earlier one did not take."""
        self._writer = writer
        for number, reading in self._kept.items():
            self.send(frames.Emit(number, reading))

    def detach(self) -> None:
        self._writer = None

    def send(self, frame: frames.Frame) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(frames.encode(frame))
        return True


class Host:
    """Runs one bus for the daemon that listens on `socket`; calls `alive` every HEALTH_S, for a watchdog."""

    def __init__(self, bus: str, socket: Path, registry: Registry, clock: Clock, random: Callable[[], float],
                 alive: Callable[[], object]) -> None:
        self._bus, self._socket, self._registry, self._clock, self._alive = bus, socket, registry, clock, alive
        self._instance = secrets.token_hex(8)
        self._outlet = _Outlet()
        self._state_dir = Path()
        means = Means(self._outlet, clock, asyncio.sleep, random)
        self._supervisor = Supervisor(registry.drivers, registry.buses, means, self._context)

    async def run(self) -> None:
        """Serve daemons until none has been there for ORPHAN_S, or one refuses us."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._supervisor.run()), group.create_task(self._tell_health())]
            heard_mono_s = self._clock.mono_s()
            while self._clock.mono_s() - heard_mono_s < ORPHAN_S:
                try:
                    reader, writer = await asyncio.open_unix_connection(self._socket)
                except OSError:
                    await asyncio.sleep(RECONNECT_S)
                    continue
                refused = await self._serve(reader, writer, group)
                heard_mono_s = self._clock.mono_s()
                if refused:
                    break
            log.info("driver host ends bus=%s", self._bus)
            for task in tasks:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                     group: asyncio.TaskGroup) -> bool:
        """Serve one daemon until it goes away; True if it refused us."""
        writer.write(frames.encode(frames.Hello(self._bus, self._instance, os.getpid())))
        attached = False
        try:
            while (frame := await frames.read(reader)) is not None:
                match frame:
                    case frames.Configure():
                        await self._configure(frame)
                        if not attached:
                            self._outlet.attach(writer)
                            attached = True
                        for status in self._supervisor.statuses().values():
                            self._outlet.status(status)
                    case frames.Took():
                        self._outlet.took(frame.number)
                    case frames.Give():
                        self._supervisor.order(frame.device, frame.order)
                    case frames.Discover():
                        group.create_task(self._discover(frame))
                    case frames.Refuse():
                        log.warning("sent away bus=%s reason=%r", self._bus, frame.reason)
                        return True
                    case _:
                        log.error("unexpected frame kind=%s", type(frame).__name__)
        except frames.FrameError as error:
            log.error("daemon sent no frame: %s", error)  # noqa: TRY400 - the trace would tell nothing more
        finally:
            self._outlet.detach()
            writer.close()
        return False

    async def _configure(self, frame: frames.Configure) -> None:
        self._state_dir = Path(frame.state_dir)
        kind = self._registry.buses[self._bus]
        devices = {}
        for table in frame.devices:
            driver = self._registry.drivers[table["driver"]]
            settings = msgspec.convert(table["settings"], driver.settings)
            devices[table["name"]] = Device(**(table | {"settings": settings}))
        await self._supervisor.apply({self._bus: msgspec.convert(frame.settings, kind.settings)}, devices)

    async def _discover(self, frame: frames.Discover) -> None:
        try:
            answer = frames.Discovered(frame.id, await self._supervisor.discover(self._bus, frame.seconds))
        except SpiError as error:
            answer = frames.Discovered(frame.id, [], error.reason, error.cure)
        self._outlet.send(answer)

    async def _tell_health(self) -> None:
        while True:
            health: dict[str, Any] = self._supervisor.health().get(self._bus, {})
            self._outlet.send(frames.Health(health | {"pid": os.getpid(), "rss_mb": await asyncio.to_thread(rss_mb)}))
            self._alive()
            await asyncio.sleep(HEALTH_S)

    def _context(self, bus: str) -> BusContext:
        folder = self._state_dir / bus
        folder.mkdir(parents=True, exist_ok=True)
        return BusContext(folder, self._clock.mono_s)


def rss_mb() -> float:
    """Resident memory of this process in MB (proc_pid_statm(5))."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
