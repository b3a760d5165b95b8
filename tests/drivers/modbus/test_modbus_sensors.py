import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.modbus import Line
from drivers.devices.modbus_sensors import ModbusSensorsSettings, Register, decode, run
from drivers.testkit.link import RecordedLink
from drivers.testkit.modbus import FakeUnit
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.reading import Quantity, QuantityKind
from hil.devices.modbus.line import Modules
from tests.drivers.modbus.conftest import running

TEMPERATURE, BATTERY = QuantityKind.TEMPERATURE, QuantityKind.BATTERY
ROOM = Register(kind=TEMPERATURE, scale=0.1, signed=True, least=-40, most=85)


@pytest.mark.parametrize(("raw", "value", "plausible"), [
    (215, 21.5, True), (0, 0.0, True), (0xFFFF, -0.1, True), (0xFE70, -40.0, True), (0x8000, -3276.8, False),
    (851, 85.1, False)])
def test_a_register_is_scaled_signed_and_judged_as_configured(raw: int, value: float, plausible: bool) -> None:
    assert decode([raw], {0: ROOM}) == [Quantity(TEMPERATURE, value, plausible)]


@given(st.integers(0, 0xFFFF))
def test_an_unsigned_register_with_an_offset_is_the_raw_number_moved(raw: int) -> None:
    assert decode([7, raw], {1: Register(kind=BATTERY, offset=-5)}) == [Quantity(BATTERY, raw - 5.0)]


@pytest.mark.parametrize(("registers", "problem"), [
    ({}, "none given"), ({"x": ROOM}, "'x' is no address"), ({"1": ROOM, "01": ROOM}, "given twice"),
    ({"0": ROOM, "125": ROOM}, "span more than 125")])
def test_wrong_registers_are_told(registers: dict[str, Register], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ModbusSensorsSettings(unit=1, registers=registers)


def test_every_poll_is_told_and_the_first_makes_the_device_ready() -> None:
    async def main() -> list[object]:
        link = RecordedLink(ModbusSensorsSettings(unit=1, registers={"3": ROOM, "1": Register(kind=BATTERY)}, poll_s=1))
        unit = FakeUnit()
        unit.registers[1], unit.registers[3] = 80, 215
        async with asyncio.TaskGroup() as group:
            session = group.create_task(run(link, unit))
            await link.until(lambda: len(link.said) == 4)
            assert link.is_ready.is_set()
            session.cancel()
        return list(link.values)

    assert run_virtual(main()) == [Quantity(BATTERY, 80.0), Quantity(TEMPERATURE, 21.5)] * 2


async def test_a_register_on_the_wire_reaches_the_link(modules: Modules, line: Line) -> None:
    await modules.handle("register", {"address": 2, "value": 0xFFF6})
    settings = ModbusSensorsSettings(unit=1, registers={"2": ROOM})
    link = RecordedLink(msgspec.structs.replace(settings, poll_s=0.1))
    async with running(line), line.open("room", settings) as port, asyncio.TaskGroup() as group:
        session = group.create_task(run(link, port))
        await link.until(lambda: bool(link.said))
        session.cancel()
    assert link.values[0] == Quantity(TEMPERATURE, -1.0)


async def test_damaged_answers_are_counted_apart_from_strange_ones(modules: Modules, line: Line) -> None:
    settings = ModbusSensorsSettings(unit=1, registers={"2": ROOM})
    async with running(line), line.open("room", settings) as port:
        await port.read_input_registers(0, 4)
        assert line.health()["crc_errors"] == 0
        await modules.handle("corrupt", {"share": 1.0})
        with pytest.raises(Exception, match="answers nonsense"):
            await port.read_input_registers(0, 4)
    health = line.health()
    assert health["crc_errors"] == health["nonsense"] == 3
