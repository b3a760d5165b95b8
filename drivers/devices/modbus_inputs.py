"""Modbus input modules: discrete inputs (function 02) as two-state sensors. Model: any module that has function 02.

Reads levels, not edges: a change that lasts is found at the next poll, whatever happened in between. A pulse shorter
than `poll_s` may pass unseen; a detector with such contacts needs a module that latches its inputs.

[devices.panel]
driver = "modbus-inputs"
unit = 1
inputs.0 = { kind = "smoke" }
inputs.1 = { kind = "contact", inverted = true }   # a normally closed contact
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from drivers.devices import modbus_addresses
from gateway.model.reading import Binary, BinaryKind
from gateway.spi import Driver, Link, ModbusPort, Tested

MAX_SPAN = 2000  # inputs in one request: Modbus application protocol V1.1b3, 6.2


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One input. `inverted`: the sensor opens its contact when it has something to tell."""

    kind: BinaryKind
    inverted: bool = False


class ModbusInputsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`inputs`: address on the wire, counted from 0 -> what is connected there."""

    unit: Annotated[int, msgspec.Meta(ge=1, le=247, extra={"identifies": True})]
    inputs: Annotated[dict[str, Input], msgspec.Meta(examples=[{"0": {"kind": "smoke"}}], extra={"identifies": True})]
    poll_s: Annotated[float, msgspec.Meta(ge=0.02, le=60.0)] = 0.1

    def __post_init__(self) -> None:
        modbus_addresses.check("inputs", self.inputs, MAX_SPAN)


def decode(levels: Sequence[bool], inputs: Mapping[int, Input], before: Sequence[bool] | None) -> list[Binary]:
    """Turn polled levels into measurements: all of them at first (`before` None), then those whose level changed.

    `inputs`: index into `levels` -> what is connected there. Inputs of one kind are one sensor, active while any of
    them is, because a reading names device and kind only; give sensors of different rooms different devices.
    """
    now, then = _joint(levels, inputs), {} if before is None else _joint(before, inputs)
    return [Binary(kind, active) for kind, active in now.items() if then.get(kind) is not active]


def _joint(levels: Sequence[bool], inputs: Mapping[int, Input]) -> dict[BinaryKind, bool]:
    states: dict[BinaryKind, bool] = {}
    for index, one in inputs.items():
        states[one.kind] = states.get(one.kind, False) or levels[index] is not one.inverted
    return states


async def run(link: Link[ModbusInputsSettings], port: ModbusPort) -> None:
    """Poll for ever."""
    first, count, inputs = modbus_addresses.request(link.settings.inputs)
    before: list[bool] | None = None
    while True:
        mono_s, levels = await port.read_discrete_inputs(first, count)
        for value in decode(levels, inputs, before):
            link.emit(value, mono_s)
        if before is None:
            link.ready()
        link.alive()
        before = levels
        await asyncio.sleep(link.settings.poll_s)


DRIVER = Driver(name="modbus-inputs", title="Modbus input module (discrete inputs)", bus="modbus",
                settings=ModbusInputsSettings, run=run, gives=tuple(kind.value for kind in BinaryKind),
                start_s=10.0, silence_s=15.0, tested=(Tested.EMULATED,))
