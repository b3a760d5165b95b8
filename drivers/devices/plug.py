"""Plugs that measure: active power in W, from Electrical Measurement (ZCL 4.9) or else Metering (ZCL 10.4).

Some firmware reports power by itself, some only when asked: a plug that has said nothing of its power for `poll_s` is
asked. The meter's scale is read once a session.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import msgspec

from drivers.devices.measured import quantity
from drivers.devices.zigbee_rules import ELECTRICAL, METERING
from drivers.devices.zigbee_session import IeeeSettings, check_model, listen
from gateway.model.reading import Measurement, QuantityKind
from gateway.spi import Attribute, Driver, Link, LinkError, Tested, ZclMessage, ZigbeePort

ACTIVE_POWER, AC_MULTIPLIER, AC_DIVISOR = 0x050B, 0x0604, 0x0605  # W = power * multiplier / divisor (ZCL 4.9.2.2.5)
ENERGY, DEMAND, MULTIPLIER, DIVISOR = 0x0000, 0x0400, 0x0301, 0x0302  # in kWh and kW, scaled likewise (ZCL 10.4.2.2)
_SCALE = {(ELECTRICAL, AC_MULTIPLIER): 0, (ELECTRICAL, AC_DIVISOR): 1,
          (METERING, MULTIPLIER): 0, (METERING, DIVISOR): 1}
_INVALID_POWER = {(ELECTRICAL, ACTIVE_POWER): -0x8000, (METERING, DEMAND): -0x800000}
_ASKED = {ELECTRICAL: ((ACTIVE_POWER,), (AC_MULTIPLIER, AC_DIVISOR)),
          METERING: ((DEMAND, ENERGY), (MULTIPLIER, DIVISOR))}
SILENCE_S = 900.0


class PlugSettings(IeeeSettings, frozen=True, kw_only=True):
    """`poll_s`: a plug that has not reported its power for so long is asked."""

    poll_s: Annotated[float, msgspec.Meta(ge=5, le=300)] = 30.0


class Meter:
    """A plug's scale as read, 1/1 before; Electrical Measurement, where it tells power, stands before Metering."""

    def __init__(self) -> None:
        self._scale = {ELECTRICAL: [1, 1], METERING: [1, 1]}
        self._cluster: int | None = None
        self.told = 0  # how often it has told its power

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, Attribute) or not isinstance(message.value, int):
            return ()
        where = message.cluster, message.attribute
        if where in _SCALE and message.value > 0:
            self._scale[message.cluster][_SCALE[where]] = message.value
        if where == (METERING, ENERGY):
            return (quantity(QuantityKind.ENERGY, self._scaled(message.cluster, message.value)),)
        if message.value == _INVALID_POWER.get(where, message.value) or (
                self._cluster == ELECTRICAL != message.cluster):
            return ()
        self._cluster = message.cluster
        self.told += 1
        watts = self._scaled(message.cluster, message.value) * (1 if message.cluster == ELECTRICAL else 1000)
        return (quantity(QuantityKind.POWER, watts),)

    def _scaled(self, cluster: int, value: int) -> float:
        multiplier, divisor = self._scale[cluster]
        return value * multiplier / divisor


async def _ask(meter: Meter, port: ZigbeePort, poll_s: float) -> None:
    """Read the scale, then ask for the power whenever none was told for `poll_s`."""
    for cluster, (_, scale) in _ASKED.items():
        with suppress(LinkError):
            await port.read(cluster, scale)
    before = meter.told
    while True:
        if meter.told == before:
            for cluster, (values, _) in _ASKED.items():
                with suppress(LinkError):
                    await port.read(cluster, values)
        before = meter.told
        await asyncio.sleep(poll_s)


async def _run(link: Link[PlugSettings], port: ZigbeePort) -> None:
    check_model("zigbee-plug", port, only_known=False)
    meter = Meter()
    await listen(link, port, (meter,), beside=lambda: _ask(meter, port, link.settings.poll_s))


PLUG: Driver[PlugSettings, ZigbeePort] = Driver(
    "zigbee-plug", "Zigbee plug that measures power (TS011F, TS0121)", "zigbee", PlugSettings, _run,
    gives=("power", "energy"), silence_s=SILENCE_S, tested=(Tested.VECTORS, Tested.EMULATED))
