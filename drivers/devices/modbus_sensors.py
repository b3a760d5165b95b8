"""Modbus sensor modules: input registers (function 04) as measured values. Model: any module that has function 04.

[devices.heating]
driver = "modbus-sensors"
unit = 3
registers.1 = { kind = "temperature", scale = 0.1, signed = true }
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from drivers.devices import modbus_addresses
from gateway.model.reading import Quantity, QuantityKind
from gateway.spi import Driver, Link, ModbusPort, Tested

MAX_SPAN = 125  # registers in one request: Modbus application protocol V1.1b3, 6.4


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One register: value = raw * `scale` + `offset`, in the unit of its kind. `signed`: raw is two's complement.

    `least`, `most`: what the sensor can measure; a value beyond is passed on as implausible.
    """

    kind: QuantityKind
    scale: float = 1.0
    offset: float = 0.0
    signed: bool = False
    least: float = -math.inf
    most: float = math.inf


class ModbusSensorsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`registers`: address on the wire, counted from 0 -> what it means."""

    unit: Annotated[int, msgspec.Meta(ge=1, le=247, extra={"identifies": True})]
    registers: Annotated[dict[str, Register], msgspec.Meta(examples=[{"1": {"kind": "temperature", "scale": 0.1}}],
                                                           extra={"identifies": True})]
    poll_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600.0)] = 10.0

    def __post_init__(self) -> None:
        modbus_addresses.check("registers", self.registers, MAX_SPAN)


def decode(raw: Sequence[int], registers: Mapping[int, Register]) -> list[Quantity]:
    """Turn raw registers into values. `registers`: index into `raw` -> what stands there."""
    return [_value(raw[index], register) for index, register in registers.items()]


def _value(raw: int, register: Register) -> Quantity:
    number = raw - 0x10000 if register.signed and raw & 0x8000 else raw
    value = round(number * register.scale + register.offset, 6)
    return Quantity(register.kind, value, plausible=register.least <= value <= register.most)


async def run(link: Link[ModbusSensorsSettings], port: ModbusPort) -> None:
    """Poll for ever."""
    first, count, registers = modbus_addresses.request(link.settings.registers)
    while True:
        mono_s, raw = await port.read_input_registers(first, count)
        for value in decode(raw, registers):
            link.emit(value, mono_s)
        link.ready()
        await asyncio.sleep(link.settings.poll_s)


DRIVER = Driver(name="modbus-sensors", title="Modbus sensor module (input registers)", bus="modbus",
                settings=ModbusSensorsSettings, run=run, gives=tuple(kind.value for kind in QuantityKind),
                start_s=10.0, tested=(Tested.EMULATED,))
