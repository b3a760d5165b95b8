"""A bus and a driver of the tests' own, and the means to run them in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.config import Device
from gateway.model.device import DeviceStatus
from gateway.model.finding import FallSource
from gateway.model.reading import Binary, BinaryKind, FallFlag, Reading
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime.clock import Clock
from gateway.runtime.session import Means
from gateway.spi import BusContext, BusKind, BusUnavailable, Driver, Light, LightPattern, Link, LinkLost


class LoopClock(Clock):
    """A clock that follows the running loop, virtual or not."""

    def mono_s(self) -> float:
        return asyncio.get_running_loop().time()

    def stamp(self, mono_s: float | None = None) -> Stamp:
        return Stamp(self.boot_id, self.mono_s() if mono_s is None else mono_s, None, ClockQuality.UNSET)


@dataclass
class Sink:
    """Keeps what sessions deliver; `full` drops samples."""

    readings: list[Reading] = field(default_factory=list)
    statuses: list[DeviceStatus] = field(default_factory=list)
    takens: list[Callable[[], None] | None] = field(default_factory=list)
    full: bool = False

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        if self.full:
            return False
        self.readings.append(reading)
        self.takens.append(taken)
        return True

    def status(self, status: DeviceStatus) -> None:
        self.statuses.append(status)

    def states(self, device: str) -> list[str]:
        return [status.state.value for status in self.statuses if status.device == device]


def means(sink: Any) -> Means:
    return Means(sink, LoopClock("boot"), asyncio.sleep, lambda: 1.0)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the test device is to do."""

    act: str = "stay"


class BusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to set."""

    note: str = ""


class TestBus:
    """A bus whose devices are reachable unless named in `away`; `down` makes it unavailable."""

    __test__ = False

    def __init__(self, context: BusContext) -> None:
        self.context = context
        self.away: set[str] = set()
        self.down = False
        self.opened: list[str] = []
        self.closed: list[str] = []

    async def run(self) -> None:
        if self.down:
            raise BusUnavailable("no adapter", "plug one in")
        await asyncio.Event().wait()

    @asynccontextmanager
    async def open(self, device: str, settings: Settings) -> AsyncIterator["TestBus"]:
        while device in self.away:
            await asyncio.sleep(1)
        self.opened.append(device)
        try:
            yield self
        finally:
            self.closed.append(device)

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        return [{"name": "found", "seconds": seconds}]

    def health(self) -> dict[str, Any]:
        return {"opened": len(self.opened)}


async def run(link: Link[Settings], port: TestBus) -> None:
    """Do what the settings say."""
    now_s = asyncio.get_running_loop().time
    match link.settings.act:
        case "crash":
            raise ZeroDivisionError("a bug")
        case "cancel-itself":
            link.ready()
            raise asyncio.CancelledError
        case "never-stop":
            link.ready()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if now_s() > 5000:  # the test is over
                        raise
        case "lose":
            link.ready()
            await asyncio.sleep(1)
            raise LinkLost("gone", "come nearer")
        case "never-ready":
            await asyncio.sleep(1000)
        case "fall-silent":
            link.ready()
            link.emit(Binary(BinaryKind.CONTACT, active=True), now_s())
        case "fall":
            link.ready()
            link.emit(FallFlag(FallSource.RADAR, number=3), now_s())
        case "smoke":
            link.ready()
            link.emit(Binary(BinaryKind.SMOKE, active=True), now_s())
        case "light":
            link.ready()
            async for order in link.orders():
                if isinstance(order, Light):
                    link.emit(Binary(BinaryKind.TEST, order.pattern is LightPattern.FAST), now_s())
        case _:
            link.ready()
    await asyncio.Event().wait()


DRIVER = Driver(name="test", title="Test device", bus="test", settings=Settings, run=run, gives=("contact",),
                start_s=5.0)
SILENT_DRIVER = Driver(name="silent", title="Test device with a heartbeat", bus="test", settings=Settings, run=run,
                       gives=("contact",), start_s=5.0, silence_s=60.0)
DRIVERS = {"test": DRIVER, "silent": SILENT_DRIVER}


def bus_kind(own_process: bool = False) -> tuple[BusKind[BusSettings], list[TestBus]]:
    """A bus kind, and the buses it has made."""
    made: list[TestBus] = []

    def make(settings: BusSettings, context: BusContext) -> TestBus:
        made.append(TestBus(context))
        return made[-1]

    return BusKind("test", BusSettings, make, own_process), made


def device(name: str, act: str = "stay", driver: str = "test") -> Device:
    return Device(name=name, driver=driver, settings=Settings(act))
