"""HostedBus: the daemon's end of a driver host. Starts it where nobody else does, and says who is blind meanwhile."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.config import Device
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.reading import Reading
from gateway.runtime import frames
from gateway.runtime.backoff import Backoff
from gateway.runtime.session import Means
from gateway.spi import BusUnavailable, Light, Order, SpiError

log = logging.getLogger(__name__)

GRACE_S = 1.0  # a host that outlived the last daemon comes back within this
STOP_S = 5.0
LISTEN_RETRY_S = 5.0
CONNECT_S = 30.0  # a host just started may take so long to import its stack on a Pi
DEAF_S = 7.0  # a host tells its health every 2 s; three missed and it hangs, whatever its devices last said

Spawn = Callable[[str], Awaitable[asyncio.subprocess.Process]]


class HostedBus:
    """One bus in a process of its own. `spawn` starts the process; None where systemd does."""

    def __init__(self, bus: str, socket: Path, state_dir: Path, means: Means, spawn: Spawn | None) -> None:
        self._bus, self._socket, self._state_dir, self._means, self._spawn = bus, socket, state_dir, means, spawn
        self._settings: Any = None
        self._devices: dict[str, Device] = {}
        self._statuses: dict[str, DeviceStatus] = {}
        self._lights: dict[str, Light] = {}  # what each is to show, for a host that comes or comes back
        self._writer: asyncio.StreamWriter | None = None
        self._connected, self._gone = asyncio.Event(), asyncio.Event()
        self._instance, self._handled = "", 0
        self._pending: set[int] = set()
        self._asked: dict[int, asyncio.Future[frames.Discovered]] = {}
        self._ids = itertools.count(1)
        self._health: dict[str, Any] = {}
        self._absence: dict[str, str] = {}
        self._connections = 0
        self._heard_mono_s, self._pid = 0.0, 0
        self._process: asyncio.subprocess.Process | None = None
        self._spawned_mono_s = 0.0

    async def run(self) -> None:
        """Serve hosts until cancelled."""
        server = await self._listen()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_host())
                if self._spawn:
                    group.create_task(self._keep_process(self._spawn))
        finally:
            server.close()
            if self._spawn:  # whoever started the host, an earlier daemon perhaps: it ends with this one
                self._send(frames.Refuse("the daemon stops"))
            if self._writer:
                self._writer.close()
            await server.wait_closed()

    async def _listen(self) -> asyncio.Server:
        """Listen on the socket, as soon as the folder lets us."""
        while True:
            try:
                await asyncio.to_thread(self._socket.unlink, missing_ok=True)
                server = await asyncio.start_unix_server(self._serve, self._socket)
                self._socket.chmod(0o600)
            except OSError as error:
                self._blind(f"its driver host has nowhere to connect ({error})", "check the folder run_dir")
                await self._means.sleep(LISTEN_RETRY_S)
            else:
                return server

    def apply(self, settings: Any, devices: Mapping[str, Device]) -> None:
        """Run these devices from now on; `settings` None: the bus is no longer configured, its host idles."""
        gone = set(self._statuses) - set(devices)
        self._settings, self._devices = settings or self._settings, dict(devices)
        self._lights = {name: light for name, light in self._lights.items() if name in devices}
        self._statuses = {name: status for name, status in self._statuses.items() if name not in gone}
        if self._writer:
            self._configure()
        else:
            self._blind("its driver host is starting", "none needed")

    def order(self, device: str, order: Order) -> None:
        """Give a device an order; a Light is given to each host that comes, for a siren must sound on in the next."""
        if device in self._devices:
            if isinstance(order, Light):
                self._lights[device] = order
            self._send(frames.Give(device, order))

    def statuses(self) -> dict[str, DeviceStatus]:
        return dict(self._statuses)

    def health(self) -> dict[str, Any]:
        """The bus's own health as its host last told it; while there is no host, why."""
        host = {"host": "connected" if self._writer else "down", "connections": self._connections}
        return self._health | host | ({} if self._writer else self._absence)

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Look for new devices. Raises SpiError."""
        if not self._writer:
            raise BusUnavailable(f"the driver host of {self._bus} is not running", "wait, then try again")
        number = next(self._ids)
        future: asyncio.Future[frames.Discovered] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self._send(frames.Discover(number, seconds))
        try:
            async with asyncio.timeout(seconds + 10):
                answer = await future
        except TimeoutError:
            raise BusUnavailable(f"the driver host of {self._bus} does not answer", "try again") from None
        finally:
            del self._asked[number]
        if answer.reason:
            raise SpiError(answer.reason, answer.cure)
        return answer.found

    # -- the process -------------------------------------------------------------------------------------------------

    async def _keep_process(self, spawn: Spawn) -> None:
        """Start the host wherever none has connected within the grace, and again when it ends."""
        backoff = Backoff(self._means.random)
        grace_s = GRACE_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._connected.wait()
            if self._connected.is_set():
                await self._gone.wait()
                grace_s = GRACE_S
                continue
            started_mono_s = self._means.clock.mono_s()
            reason = await self._one_process(spawn)
            log.error("driver host down bus=%s reason=%r", self._bus, reason)
            self._blind(reason, "none needed: it is started again")
            await self._means.sleep(backoff.next_s(self._means.clock.mono_s() - started_mono_s))
            grace_s = 0.0  # our own host is dead: nobody will come back

    async def _watch_host(self) -> None:
        """Let go of a host that says nothing, for its devices would seem up for ever, or that never connects."""
        while True:
            await self._means.sleep(1.0)
            now_mono_s = self._means.clock.mono_s()
            if not self._writer:
                if self._process and now_mono_s - self._spawned_mono_s > CONNECT_S:
                    log.error("driver host does not connect bus=%s pid=%s", self._bus, self._process.pid)
                    self._process.kill()
                continue
            quiet_s = now_mono_s - self._heard_mono_s
            if quiet_s < DEAF_S:
                continue
            log.error("driver host hangs bus=%s pid=%s quiet_s=%.0f", self._bus, self._pid, quiet_s)
            self._writer.transport.abort()
            if self._spawn:  # ours, or an earlier daemon's: nobody else would start it again
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(self._pid, signal.SIGKILL)

    async def _one_process(self, spawn: Spawn) -> str:
        """Start the host and wait until it ends; tell why it did."""
        try:
            self._process = process = await spawn(self._bus)
        except OSError as error:
            return f"its driver host cannot be started ({error})"
        self._spawned_mono_s = self._means.clock.mono_s()
        try:
            return f"its driver host ended with code {await process.wait()}"
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            self._process = None

    # -- the connection ----------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hello = await frames.read(reader)
            if not isinstance(hello, frames.Hello) or hello.bus != self._bus or self._writer:
                writer.write(frames.encode(frames.Refuse(f"{self._bus} has a host already, or this is none")))
                return
            if hello.instance != self._instance:
                self._instance, self._handled = hello.instance, 0
                self._pending = set()
            self._writer = writer
            self._connections += 1
            self._pid, self._heard_mono_s = hello.pid, self._means.clock.mono_s()
            self._connected.set()
            self._gone.clear()
            log.info("driver host connected bus=%s pid=%s", self._bus, hello.pid)
            self._configure()
            while (frame := await frames.read(reader)) is not None:
                self._heard_mono_s = self._means.clock.mono_s()
                self._handle(frame)
        except frames.FrameError as error:
            log.error("driver host sent no frame bus=%s: %s", self._bus, error)  # noqa: TRY400 - no trace needed
        finally:
            if self._writer is writer:
                self._writer = None
                self._connected.clear()
                self._gone.set()
                self._blind("its driver host is down", "none needed: it is started again")
            writer.close()

    def _handle(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Emit(number=0):
                self._means.sink.reading(self._stamped(frame.reading))
            case frames.Emit():
                self._take(frame)
            case frames.Status():
                if frame.status.device in self._devices:
                    self._statuses[frame.status.device] = frame.status
                    self._means.sink.status(frame.status)
            case frames.Health():
                self._health = frame.health
            case frames.Discovered():
                if (future := self._asked.get(frame.id)) and not future.done():
                    future.set_result(frame)
            case _:
                log.error("unexpected frame bus=%s kind=%s", self._bus, type(frame).__name__)

    def _take(self, frame: frames.Emit) -> None:
        """Hand over a reading once, and say so once what follows from it is on disk."""
        number, pending, instance = frame.number, self._pending, self._instance

        def taken() -> None:
            pending.discard(number)
            if instance == self._instance:  # another host's numbers are not this one's
                self._send(frames.Took(number))

        if number > self._handled:
            self._handled = number
            pending.add(number)
            self._means.sink.reading(self._stamped(frame.reading), taken)
        elif number not in pending:
            taken()

    def _stamped(self, reading: Reading) -> Reading:
        """The reading with the wall time of this process: a host does not follow what becomes of the clock."""
        return Reading(reading.device, self._means.clock.stamp(reading.at.mono_s), reading.value)

    def _configure(self) -> None:
        devices = [msgspec.to_builtins(device) for device in self._devices.values()]
        self._send(frames.Configure(msgspec.to_builtins(self._settings), devices, str(self._state_dir)))
        for name, light in self._lights.items():
            self._send(frames.Give(name, light))

    def _send(self, frame: frames.Frame) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(frames.encode(frame))

    def _blind(self, reason: str, cure: str) -> None:
        now_mono_s = self._means.clock.mono_s()
        self._absence = {"reason": reason, "cure": cure}
        for name in self._devices:
            self._statuses[name] = DeviceStatus(name, DeviceState.BLIND, now_mono_s, reason, cure)
            self._means.sink.status(self._statuses[name])


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, then make it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
