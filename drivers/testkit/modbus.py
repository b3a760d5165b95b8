"""A fake Modbus unit that obeys the protocol's rules, and the conformance checks of ModbusPort.

A third party's port is checked with the same functions: give them a port and a way to set the unit's input.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from gateway.spi import DeviceRejected, LinkLost, ModbusPort

SetInput = Callable[[int, bool], Awaitable[float]]
"""Set a discrete input of the unit; return the time at which it took effect, on CLOCK_MONOTONIC or the loop's clock."""


class FakeUnit:
    """ModbusPort without a line: stamps with the loop's clock, answers after `answer_s`."""

    def __init__(self, inputs: int = 16, registers: int = 16, answer_s: float = 0.01) -> None:
        self.inputs, self.registers = [False] * inputs, [0] * registers
        self.answer_s = answer_s
        self.gone = False
        self.polls = 0

    async def read_discrete_inputs(self, address: int, count: int) -> tuple[float, list[bool]]:
        return await self._answer(), self.inputs[self._block(address, count, len(self.inputs), 2000)]

    async def read_input_registers(self, address: int, count: int) -> tuple[float, list[int]]:
        return await self._answer(), self.registers[self._block(address, count, len(self.registers), 125)]

    async def _answer(self) -> float:
        self.polls += 1
        await asyncio.sleep(self.answer_s)
        if self.gone:
            raise LinkLost("unit 1 does not answer", "check its power")
        return asyncio.get_running_loop().time()

    @staticmethod
    def _block(address: int, count: int, length: int, most: int) -> slice:
        if not 1 <= count <= most or address + count > length:
            raise DeviceRejected(f"unit 1 has no address {address} to {address + count - 1}", "see its manual")
        return slice(address, address + count)


async def check_levels(port: ModbusPort, set_input: SetInput) -> None:
    """The levels of exactly the inputs asked for come back, in order, stamped no earlier than they were set."""
    for address in (1, 9):
        set_mono_s = await set_input(address, True)
        mono_s, levels = await port.read_discrete_inputs(0, 10)
        _require(levels == [index in (1, address) for index in range(10)], f"wrong levels {levels}")
        _require(mono_s >= set_mono_s, "stamped before the level was set")
    _, levels = await port.read_discrete_inputs(9, 1)
    _require(levels == [True], "a block that begins in the middle is shifted")
    for address in (1, 9):
        await set_input(address, False)
    _, levels = await port.read_discrete_inputs(0, 10)
    _require(not any(levels), f"levels stay {levels}")


async def check_registers(port: ModbusPort) -> None:
    """Input registers come back as unsigned 16-bit numbers."""
    _, values = await port.read_input_registers(0, 4)
    _require(len(values) == 4 and all(0 <= value <= 0xFFFF for value in values), f"wrong values {values}")


async def check_addresses(port: ModbusPort, beyond: int) -> None:
    """An address that the unit does not have is a fault of the settings, and the port lives on."""
    try:
        await port.read_discrete_inputs(beyond, 1)
    except DeviceRejected as error:
        _require(bool(error.cure), "a rejection without a cure")
    else:
        raise AssertionError(f"address {beyond} was answered")
    await port.read_discrete_inputs(0, 1)


async def check_concurrency(port: ModbusPort) -> None:
    """Questions asked at the same time are all answered, each with its own length."""
    answers = await asyncio.gather(*(port.read_discrete_inputs(0, count) for count in range(1, 9)))
    lengths = [len(levels) for _, levels in answers]
    _require(lengths == list(range(1, 9)), f"answers mixed up: lengths {lengths}")


async def check_loss(port: ModbusPort, lose: Callable[[], Awaitable[None]], within_s: float) -> None:
    """A unit that is gone ends the call with LinkLost, in time."""
    await lose()
    try:
        async with asyncio.timeout(within_s):
            await port.read_discrete_inputs(0, 1)
    except LinkLost as error:
        _require(bool(error.cure), "a loss without a cure")
    else:
        raise AssertionError("a lost unit answered")


def _require(true: bool, what: str) -> None:
    if not true:
        raise AssertionError(what)


class UnitSettings(msgspec.Struct, frozen=True):
    """The least that a bus needs to open a unit."""

    unit: int = 1
