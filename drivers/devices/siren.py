"""Sirens: they sound while the status light blinks fast, that is while an alarm is open and nobody has it yet.

A siren is told again until the frame is acknowledged, and again before its own time runs out. IAS WD: ZCL 8.4.
"""

import asyncio
import itertools
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from drivers.devices import tuya
from drivers.devices.ias import about_itself
from drivers.devices.zigbee_rules import BATTERY, IAS_WD, TUYA, Rule
from drivers.devices.zigbee_session import (
    ALIVE,
    BATTERY_SILENCE_S,
    MAINS_SILENCE_S,
    IeeeSettings,
    check_model,
    listen,
)
from gateway.model.light import LightPattern
from gateway.model.reading import BinaryKind, Measurement, QuantityKind
from gateway.spi import Driver, Light, Link, LinkError, Tested, ZclMessage, ZigbeePort, ZoneStatus

START_WARNING = 0x00  # ZCL 8.4.2.3.1
EMERGENCY, STROBE, VERY_HIGH = 3, 1, 3  # mode, strobe and level, ZCL tables 8-20 to 8-22
HALF_ON, BRIGHT = 50, 1  # strobe duty cycle in %, strobe level
RETRY_S = 2.0
NEO_ALARM, NEO_DURATION = 104, 103  # datapoints of the Neo NAS-AB02B0


class SirenSettings(IeeeSettings, frozen=True, kw_only=True):
    """`sound_s`: how long it sounds without being told again, should the gateway die over an alarm."""

    sound_s: Annotated[int, msgspec.Meta(ge=10, le=1800)] = 180


def warning(active: bool, sound_s: int) -> bytes:
    """Return the payload of Start Warning: an emergency with strobe, or the end of it."""
    how = EMERGENCY << 4 | STROBE << 2 | VERY_HIGH if active else 0
    return struct.pack("<BHBB", how, sound_s if active else 0, HALF_ON if active else 0, BRIGHT if active else 0)


Sound = Callable[[ZigbeePort, bool, int], Awaitable[None]]


async def _ias_sound(port: ZigbeePort, active: bool, sound_s: int) -> None:
    await port.command(IAS_WD, START_WARNING, warning(active, sound_s))


def _neo_sound() -> Sound:
    numbers = itertools.count(1)

    async def sound(port: ZigbeePort, active: bool, sound_s: int) -> None:
        if active:
            await port.command(TUYA, tuya.SET, tuya.setting(next(numbers), NEO_DURATION, tuya.VALUE, sound_s))
        await port.command(TUYA, tuya.SET, tuya.setting(next(numbers), NEO_ALARM, tuya.BOOL, int(active)))

    return sound


async def follow(link: Link[SirenSettings], port: ZigbeePort, sound: Sound) -> None:
    """Do as the light is told, for ever."""
    wanted: asyncio.Queue[bool] = asyncio.Queue()

    async def take() -> None:
        async for order in link.orders():
            if isinstance(order, Light):
                wanted.put_nowait(order.pattern is LightPattern.FAST)

    taking = asyncio.ensure_future(take())
    active: bool | None = None  # an earlier session may have left it sounding: the first order is always followed
    wait_s: float | None = None
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    new = await wanted.get()
                    if new == active and wait_s is None:
                        continue
                    active = new
            try:
                await sound(port, bool(active), link.settings.sound_s)
                wait_s = link.settings.sound_s * 0.8 if active else None
            except LinkError:
                wait_s = RETRY_S
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


class _Itself:
    """An IAS siren's zone status is about itself."""

    def read(self, message: ZclMessage) -> list[Measurement]:
        return list(about_itself(message.bits)) if isinstance(message, ZoneStatus) else []


# 101 power (3: battery low, 4: mains), 105 temperature in tenths, 106 humidity
NEO_RULES: tuple[Rule, ...] = (
    tuya.PointLevel(101, BinaryKind.BATTERY_LOW, frozenset({3})),
    tuya.PointNumber(105, QuantityKind.TEMPERATURE, per=10), tuya.PointNumber(106, QuantityKind.HUMIDITY))


async def _ias(link: Link[SirenSettings], port: ZigbeePort) -> None:
    check_model("ias-siren", port, only_known=False)
    await listen(link, port, (_Itself(), BATTERY), asked=(ALIVE,), beside=lambda: follow(link, port, _ias_sound))


async def _neo(link: Link[Any], port: ZigbeePort) -> None:
    check_model("neo-siren", port, only_known=True)
    await listen(link, port, NEO_RULES, beside=lambda: follow(link, port, _neo_sound()))


_TESTED = (Tested.VECTORS, Tested.EMULATED)

IAS: Driver[SirenSettings, ZigbeePort] = Driver(
    "ias-siren", "Zigbee siren on mains power (IAS WD: HEIMAN WarningDevice)", "zigbee", SirenSettings, _ias,
    gives=("tamper", "battery_low", "fault", "battery"), takes=("light",), silence_s=MAINS_SILENCE_S, tested=_TESTED)
NEO: Driver[SirenSettings, ZigbeePort] = Driver(
    "neo-siren", "Neo NAS-AB02B0 siren (Tuya datapoints)", "zigbee", SirenSettings, _neo,
    gives=("battery_low", "temperature", "humidity"), takes=("light",), silence_s=BATTERY_SILENCE_S, tested=_TESTED)
