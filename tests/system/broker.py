"""Real brokers, the reference city and an uplink for the tests: processes and sockets, nothing pretended."""

import asyncio
import contextlib
import getpass
import json
import os
import random
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.config.schema import City
from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Limits, Store
from gateway.sync import Uplink
from hil.resources import control
from hil.resources.certificates import Authority, Pair

HOST = "127.0.0.1"
GATEWAY = "flat-12"
BOOT = "3f0c1a52-boot"
HURRIED = Limits(telemetry_delay_s=0.0)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def mosquitto_path() -> str:
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None and not os.environ.get("CI"):
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    assert path is not None, "mosquitto is not installed: apt-get install mosquitto"
    return path


@asynccontextmanager
async def process(*arguments: str, ready: bool = True) -> AsyncIterator[dict[str, Any]]:
    """Run a program of ours until the context ends; yields its ready line."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE if ready else None
    )
    try:
        line: dict[str, Any] = {}
        if ready:
            assert child.stdout is not None
            async with asyncio.timeout(20):
                line = json.loads(await child.stdout.readline())
        yield line | {"pid": child.pid}
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@dataclass
class Mosquitto:
    """One real broker, stopped and started at will."""

    folder: Path
    extra: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = self.folder / f"mosquitto-{self.port}.conf"
        lines = [f"listener {self.port} {HOST}", "persistence false", "log_type none", "set_tcp_nodelay true",
                 f"user {getpass.getuser()}"]
        lines += [] if any(line.startswith("allow_anonymous") for line in self.extra) else ["allow_anonymous true"]
        config.write_text("\n".join(lines + self.extra) + "\n")
        self._child = await asyncio.create_subprocess_exec(
            mosquitto_path(), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, self.port)
                    writer.close()
                    return
                assert self._child.returncode is None, "mosquitto ended at once"
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            await self._child.wait()
            self._child = None


@asynccontextmanager
async def mosquitto(folder: Path, *extra: str) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(folder, list(extra))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def tls_lines(authority: Authority, server: Pair, *, client_certificates: bool = False) -> list[str]:
    return [f"cafile {authority.ca_file}", f"certfile {server.cert_file}", f"keyfile {server.key_file}",
            f"require_certificate {'true' if client_certificates else 'false'}"]


class CityHandle:
    """The city's process, asked over its control socket."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket_path

    async def __call__(self, op: str, **arguments: Any) -> dict[str, Any]:
        return await control.call(self._socket, op, **arguments)

    async def ids(self) -> list[str]:
        return [event["id"] for event in (await self("events"))["events"]]

    async def until(self, *ids: str, timeout_s: float = 20.0) -> list[dict[str, Any]]:
        """Wait until the city has committed these; return all its events."""
        async with asyncio.timeout(timeout_s):
            while True:
                events: list[dict[str, Any]] = (await self("events"))["events"]
                if set(ids) <= {event["id"] for event in events}:
                    return events
                await asyncio.sleep(0.02)


@asynccontextmanager
async def city(folder: Path, port: int, *extra: str) -> AsyncIterator[CityHandle]:
    socket_path = folder / "city.sock"
    arguments = ["--port", str(port), "--db", str(folder / "city.db"), "--control", str(socket_path), *extra]
    async with process("hil.cloud", *arguments):
        yield CityHandle(socket_path)


class FlatClock:
    """This machine's monotonic clock with a wall clock of a quality of our choice."""

    def __init__(self, quality: ClockQuality = ClockQuality.SYNCED) -> None:
        self.quality = quality

    def now(self) -> Stamp:
        return Stamp(BOOT, time.monotonic(), time.time(), self.quality)


async def wait_until(done: Callable[[], bool], changed: asyncio.Event) -> None:
    """Return when `done`, looked at whenever something has changed and now and then besides."""
    while not done():
        changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await changed.wait()


@dataclass
class Flat:
    """A store with its uplink, and what the uplink told."""

    store: Store
    uplink: Uplink
    clock: FlatClock
    sent: list[str]
    received: list[str]
    commands: list[Command]
    changed: asyncio.Event
    received_s: dict[str, float]  # CLOCK_MONOTONIC at which it was told of each first

    async def until(self, done: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until `done`, looked at whenever the uplink tells something and now and then besides."""
        async with asyncio.timeout(timeout_s):
            await wait_until(done, self.changed)

    async def until_state(self, state: str, timeout_s: float = 20.0) -> dict[str, Any]:
        await self.until(lambda: self.uplink.health()["state"] == state, timeout_s)
        return self.uplink.health()


@asynccontextmanager
async def flat(folder: Path, broker_port: int, *, answer_s: float = 20.0, connack_s: float = 10.0,
               clock: FlatClock | None = None, outcome: Outcome = Outcome.DONE, limits: Limits = HURRIED,
               rng: Callable[[], float] = random.random, **settings: Any) -> AsyncIterator[Flat]:
    """A gateway's store and uplink on a broker, running until the context ends. Telemetry waits for no other commit."""
    city_settings = City(**({"host": HOST, "port": broker_port, "tls": False} | settings))
    sent: list[str] = []
    received: list[str] = []
    received_s: dict[str, float] = {}
    commands: list[Command] = []
    changed = asyncio.Event()
    clock = clock or FlatClock()

    def told_received(ids: Any) -> None:
        received_s.update({event_id: time.monotonic() for event_id in ids if event_id not in received_s})
        tell(received)(ids)

    def tell(told: list[str]) -> Callable[[Any], None]:
        def told_of(ids: Any) -> None:
            told.extend(ids)
            changed.set()

        return told_of

    async def obey(command: Command) -> CommandResult:
        commands.append(command)
        return CommandResult(command.id, outcome)

    store = await Store.open(folder, limits)
    try:
        uplink = Uplink(store, city_settings, GATEWAY, now=clock.now, rng=rng, on_sent=tell(sent),
                        on_received=told_received, on_command=obey, answer_s=answer_s, connack_s=connack_s)
        running = asyncio.create_task(uplink.run())
        try:
            yield Flat(store, uplink, clock, sent, received, commands, changed, received_s)
        finally:
            assert not running.done() or running.cancelled(), running.exception()
            running.cancel()
            await asyncio.wait([running])
    finally:
        await store.close()


def event(event_id: str, lane: Lane = Lane.EVENT, clock: FlatClock | None = None) -> Event:
    event_type = EventType.ALARM_RAISED if lane is Lane.ALARM else EventType.SENSOR_CHANGED
    return Event(event_id, event_type, lane, "door", (clock or FlatClock()).now(), {"kind": "contact", "active": True})


def numbered(prefix: str, count: int, lane: Lane = Lane.EVENT) -> Iterator[Event]:
    return (event(f"{prefix}{number}", lane) for number in range(count))
