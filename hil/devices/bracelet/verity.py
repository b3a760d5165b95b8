"""Verity: the emulated Polar Verity Sense. Its sampling clock runs from power-on, connected or not."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from bumble import core
from bumble.att import Attribute
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from hil.bluez.air import Air
from hil.bluez.controller import Radio, named, offering, peripheral
from hil.devices.bracelet import pmd
from hil.devices.bracelet.motion import RATE_HZ, Samples
from hil.devices.bracelet.wearer import Wearer

ADDRESS = "A0:9E:1A:C0:FF:EE"
_ADVERTISING_MS = 100
_TICK_S = 0.1
_FRAME_SAMPLES = RATE_HZ  # at rest a frame would hold more; the sensor sends one at least every second
_ATT_HEADER = 3
_EPOCH_2000_S = 946_684_800  # the sensor counts nanoseconds from here
_S_IN_NS = 10**9

_P = Characteristic.Properties
_READ, _WRITE = Characteristic.READABLE, Characteristic.WRITEABLE


def name_of(address: str) -> str:
    """The advertised name: model and serial number."""
    return f"Polar Sense {address.replace(':', '')[-8:]}"


class Verity:
    """One bracelet on one wrist."""

    def __init__(self, air: Air, wearer: Wearer, address: str) -> None:
        self.air, self.wearer, self.address = air, wearer, address
        self.bpm, self.battery_percent = 68, 83
        self.measurement = pmd.Measurement()
        self.frames_sent = self.samples_sent = 0
        self._start_s = asyncio.get_running_loop().time()
        self._start_ns = int((time.time() - _EPOCH_2000_S) * _S_IN_NS)
        self._pending: Samples = np.empty((0, 3), np.int16)
        self._control: Characteristic[Any] = Characteristic(
            pmd.CONTROL_POINT, _P.READ | _P.WRITE | _P.INDICATE, _READ | _WRITE,
            CharacteristicValue(read=lambda _link: pmd.FEATURES, write=self._requested))
        self._data: Characteristic[Any] = Characteristic(pmd.DATA, _P.NOTIFY, _READ)
        self._rate: Characteristic[Any] = Characteristic("2A37", _P.NOTIFY, _READ)
        self._battery: Characteristic[Any] = Characteristic(
            "2A19", _P.READ | _P.NOTIFY, _READ, CharacteristicValue(read=lambda _link: bytes([self.battery_percent])))
        self._requests: asyncio.Queue[tuple[Connection, bytes]] = asyncio.Queue()
        self._data.on("subscription", self._subscribed)
        self._subscribers = 0
        self._device: Device
        self._radio: Radio

    @property
    def connected(self) -> bool:
        return bool(self._device.connections)

    def mono_of(self, index: int) -> float:
        """CLOCK_MONOTONIC at which a sample is taken."""
        return self._start_s + index / RATE_HZ

    def away(self) -> None:
        """Go out of range: nobody hears it, and its link is lost on both ends."""
        self.air.away.add(self.address)
        self.drop()

    async def power_off(self) -> None:
        await self._device.power_off()

    def back(self) -> None:
        self.air.away.discard(self.address)

    def drop(self) -> None:
        """Lose the link, staying in range."""
        self.air.drop_links(self._radio)

    async def beat(self) -> None:
        """Send the heart rate now, as it is sent every second."""
        contact_known_and_given = 0x06
        await self._notify(self._rate, bytes([contact_known_and_given, self.bpm]))

    async def set_battery(self, percent: int) -> None:
        self.battery_percent = percent
        await self._notify(self._battery, bytes([percent]))

    async def power_on(self) -> None:
        name = name_of(self.address)
        services = [Service("180D", [self._rate]), Service("180F", [self._battery]),
                    Service(pmd.SERVICE, [self._control, self._data])]
        self._device, self._radio = await peripheral(self.air, name, self.address, _ADVERTISING_MS, services,
                                                     offering("180D", "FEEE"), named(name))
        self._device.on("connection", self._linked)

    async def run(self) -> None:
        """Measure and send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer_requests())
            group.create_task(self._beats())
            await self._sample()

    def _linked(self, link: Connection) -> None:
        link.on("disconnection", lambda _reason: self._unlinked())

    def _unlinked(self) -> None:
        """A Verity Sense ends its measurements when it loses its last client."""
        self.measurement.running = False
        self._subscribers = 0

    def _subscribed(self, _link: Connection, notify: bool, _indicate: bool) -> None:
        self._subscribers += 1 if notify else -1

    def _requested(self, link: Connection, value: bytes) -> None:
        self._requests.put_nowait((link, bytes(value)))

    async def _answer_requests(self) -> None:
        while True:
            link, request = await self._requests.get()
            answer = self.measurement.answer(request)
            try:
                await self._device.indicate_subscriber(link, self._control, answer)
            except (core.BaseBumbleError, TimeoutError):
                continue  # the link ended under the answer

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.beat()

    async def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            due = int((loop.time() - self._start_s) * RATE_HZ) - self.wearer.next_index
            if due <= 0:
                continue
            taken = pmd.raw_units(self.wearer.take(due))
            if not self.measurement.running:
                self._pending = self._pending[:0]
                continue
            self._pending = np.concatenate([self._pending, taken])
            await self._send()

    async def _send(self) -> None:
        """Send every full frame."""
        limit_bytes = min((link.att_mtu for link in self._device.connections.values()), default=23) - _ATT_HEADER
        while len(self._pending):
            count = pmd.fitting(self._pending[:_FRAME_SAMPLES], limit_bytes)
            if count == len(self._pending) < _FRAME_SAMPLES:
                return  # more would fit: wait for it
            raw, self._pending = self._pending[:count], self._pending[count:]
            last_index = self.wearer.next_index - len(self._pending) - 1
            last_ns = self._start_ns + last_index * _S_IN_NS // RATE_HZ
            await self._notify(self._data, pmd.frame(raw, last_ns))
            if self._subscribers > 0:
                self.frames_sent += 1
                self.samples_sent += count

    async def _notify(self, characteristic: Attribute[Any], value: bytes) -> None:
        for link in list(self._device.connections.values()):
            try:
                await self._device.notify_subscriber(link, characteristic, value)
            except core.BaseBumbleError:
                continue  # the link ended under the notification


@asynccontextmanager
async def verity(air: Air, wearer: Wearer, address: str = ADDRESS) -> AsyncIterator[Verity]:
    """Wear a bracelet while the context is open."""
    bracelet = Verity(air, wearer, address)
    await bracelet.power_on()
    task = asyncio.get_running_loop().create_task(bracelet.run())
    try:
        yield bracelet
    finally:
        bracelet.drop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bracelet.power_off()
