"""A real broker, an emulated Zigbee2MQTT, the bus and the sessions of devices, for the tests of the whole way."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.bus.zigbee2mqtt import Zigbee2MqttSettings as BusSettings
from drivers.bus.zigbee2mqtt import _make
from drivers.devices.zigbee2mqtt import DRIVER, Zigbee2MqttSettings
from gateway.config import Device
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.reading import Measurement, Reading
from gateway.runtime.clock import Clock
from gateway.runtime.session import Means, Sessions
from gateway.spi import Bus, BusContext
from hil.devices.zigbee2mqtt.bridge import Bridge
from tests.system.broker import Mosquitto, mosquitto

IEEE = "0x00158d0001020304"


@dataclass
class Home:
    """What the gateway hears of one Zigbee2MQTT."""

    broker: Mosquitto
    bridge: Bridge
    bus: Bus
    group: asyncio.TaskGroup
    readings: list[Reading] = field(default_factory=list)
    sessions: dict[str, Sessions] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        del taken
        self.readings.append(reading)
        self.changed.set()
        return True

    def status(self, status: DeviceStatus) -> None:
        del status
        self.changed.set()

    async def do(self, op: str, /, **arguments: Any) -> None:
        await self.bridge.handle(op, arguments)

    async def pair(self, name: str, profile: str, ieee: str = IEEE, *, retain: bool = False) -> None:
        """Pair a device, and wait until the bus knows it, where it runs."""
        await self.do("pair", ieee=ieee, name=name, profile=profile, retain=retain)
        if len(self.tasks) > 1:
            devices = (await self.bridge.handle("stats", {}))["devices"]
            await self.until(lambda: self.bus.health()["devices"] == devices)

    def watch(self, name: str, ieee: str = IEEE, **settings: Any) -> None:
        """Configure a device."""
        device = Device(name=name, driver="zigbee2mqtt", settings=Zigbee2MqttSettings(ieee=ieee, **settings))
        means = Means(self, Clock("boot"), asyncio.sleep, lambda: 0.0)
        self.sessions[name] = Sessions(device, DRIVER, self.bus, means)
        self.start(self.sessions[name].run())

    def start(self, running: Any) -> None:
        self.tasks.append(self.group.create_task(running))

    def values(self, device: str = "d") -> list[Measurement]:
        return [one.value for one in self.readings if one.device == device]

    def state(self, device: str = "d") -> DeviceState:
        return self.sessions[device].status.state

    async def until(self, true: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait until what is heard makes `true` so."""
        try:
            async with asyncio.timeout(timeout_s):
                while not true():
                    self.changed.clear()
                    try:
                        async with asyncio.timeout(0.05):
                            await self.changed.wait()
                    except TimeoutError:
                        continue
        except TimeoutError:
            states = {name: one.status for name, one in self.sessions.items()}
            raise AssertionError(f"{self.readings} {states} {self.bus.health()}") from None

    async def until_up(self, device: str = "d") -> None:
        await self.until(lambda: self.state(device) is DeviceState.UP)


@asynccontextmanager
async def home(folder: Path, *broker_lines: str, started: bool = True, **settings: Any) -> AsyncIterator[Home]:
    """A broker with Zigbee2MQTT, and a bus that reads it; `started`: the bus runs from the beginning."""
    async with mosquitto(folder, *broker_lines) as broker, asyncio.TaskGroup() as group:
        bus = _make(BusSettings(host="127.0.0.1", port=broker.port, **settings), BusContext(folder, time.monotonic))
        one = Home(broker, Bridge(broker.port), bus, group)
        one.start(one.bridge.run())
        if started:
            one.start(bus.run())
        try:
            yield one
        finally:
            for task in one.tasks:
                task.cancel()
