"""Cuff: an emulated blood pressure monitor of the Bluetooth profile, awake only while it has something to tell.

Blood Pressure Service 1.1 with Current Time and Battery: it advertises, waits for a subscriber, indicates what it
measured, and switches itself off a moment later, as such monitors do to save their battery.
"""

import asyncio
from datetime import datetime
from typing import Any

from bumble.att import Attribute
from bumble.device import Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from hil.bluez.air import Air
from hil.bluez.controller import Radio, named, offering, peripheral

ADDRESS = "C0:FF:00:00:18:10"
_ADVERTISING_MS = 100
_LINGERS_S = 2.0  # time enough for a gateway to read battery and clock
_P = Characteristic.Properties
_READ, _WRITE = Attribute.Permissions.READABLE, Attribute.Permissions.WRITEABLE


def date_time(moment: datetime) -> bytes:
    """Date Time, 2A08."""
    return moment.year.to_bytes(2, "little") + bytes([moment.month, moment.day, moment.hour, moment.minute,
                                                      moment.second])


class Cuff:
    """`clock`: what it takes for the time; a gateway that sets it is noted in `set_to`. power_on() first."""

    def __init__(self, air: Air, clock: datetime, address: str = ADDRESS) -> None:
        self.air, self.clock, self.address = air, clock, address
        self.set_to: bytes | None = None
        self._pressure: Characteristic[Any] = Characteristic("2A35", _P.INDICATE, _READ)
        self._subscribed = asyncio.Event()
        self._device: Device
        self._radio: Radio

    async def power_on(self) -> None:
        """Make it, asleep: nobody hears it."""
        self._pressure.on("subscription", self._on_subscription)
        clock: Characteristic[Any] = Characteristic(
            "2A2B", _P.READ | _P.WRITE, _READ | _WRITE,
            CharacteristicValue(read=lambda _link: date_time(self.clock) + bytes(3), write=self._set))
        battery: Characteristic[Any] = Characteristic(
            "2A19", _P.READ | _P.NOTIFY, _READ, CharacteristicValue(read=lambda _link: bytes([80])))
        services = [Service("1810", [self._pressure]), Service("1805", [clock]), Service("180F", [battery])]
        self.air.away.add(self.address)
        self._device, self._radio = await peripheral(self.air, "Cuff", self.address, _ADVERTISING_MS, services,
                                                     offering("1810"), named("Cuff"))

    async def power_off(self) -> None:
        await self._device.power_off()

    async def measure(self, systolic: int, diastolic: int, pulse: int, taken: datetime) -> None:
        """Wake up, tell one measurement to whoever subscribes, and sleep again."""
        self._subscribed.clear()
        self.air.away.discard(self.address)
        await self._subscribed.wait()
        mean = (systolic + 2 * diastolic) // 3
        time_and_pulse = 0x06
        value = (bytes([time_and_pulse]) + b"".join(n.to_bytes(2, "little") for n in (systolic, diastolic, mean))
                 + date_time(taken) + pulse.to_bytes(2, "little"))
        await self._device.indicate_subscribers(self._pressure, value)
        await asyncio.sleep(_LINGERS_S)
        self.air.away.add(self.address)
        self.air.drop_links(self._radio)

    def _on_subscription(self, _link: object, _notify: bool, indicate: bool) -> None:
        if indicate:
            self._subscribed.set()

    def _set(self, _link: object, value: bytes) -> None:
        self.set_to = bytes(value)
