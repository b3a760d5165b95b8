import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.bus.modbus import BUS, RETRIES, Line, ModbusSettings, Unit, gap_s, wire_s
from drivers.testkit import modbus as conformance
from drivers.testkit.modbus import FakeUnit, UnitSettings
from gateway.spi import BusContext, BusUnavailable, DeviceRejected, LinkLost
from hil.devices.modbus.line import Modules
from tests.drivers.modbus.conftest import running

ALL_TRIES_S = (1 + RETRIES) * (0.1 + wire_s(6, 9600) + 0.3) + 1.0  # and a second for a busy machine


@pytest.fixture
async def port(line: Line) -> AsyncIterator[Unit]:
    async with running(line), line.open("panel", UnitSettings(1)) as port:
        yield port


# -- conformance: the same checks on the fake and on the bus with an emulated module ---------------------------------

async def test_the_bus_conforms(port: Unit, modules: Modules) -> None:
    async def set_input(address: int, active: bool) -> float:
        answer = await modules.handle("input", {"address": address, "active": active})
        return float(answer["mono_s"])

    async def lose() -> None:
        await modules.handle("silent", {"on": True})

    await conformance.check_levels(port, set_input)
    await conformance.check_registers(port)
    await conformance.check_addresses(port, beyond=16)
    await conformance.check_concurrency(port)
    await conformance.check_loss(port, lose, ALL_TRIES_S)


async def test_the_fake_conforms() -> None:
    fake = FakeUnit()

    async def set_input(address: int, active: bool) -> float:
        fake.inputs[address] = active
        return asyncio.get_running_loop().time()

    async def lose() -> None:
        fake.gone = True

    await conformance.check_levels(fake, set_input)
    await conformance.check_registers(fake)
    await conformance.check_addresses(fake, beyond=16)
    await conformance.check_concurrency(fake)
    await conformance.check_loss(fake, lose, 1.0)


# -- the unit ---------------------------------------------------------------------------------------------------------

async def test_registers_are_read_as_they_stand_in_the_module(port: Unit, modules: Modules) -> None:
    await modules.handle("register", {"address": 3, "value": 0xFFFE})
    _, values = await port.read_input_registers(2, 2)
    assert values == [0, 0xFFFE]


async def test_a_silent_unit_is_lost_and_the_cure_names_wires_and_address(port: Unit, modules: Modules,
                                                                         line: Line) -> None:
    await modules.handle("silent", {"on": True})
    with pytest.raises(LinkLost, match=r"unit 1 .* does not answer \(3 tries\)") as raised:
        await port.read_discrete_inputs(0, 8)
    assert "wires A and B" in raised.value.cure
    assert line.health()["silent"] == 3
    assert line.health()["nonsense"] == 0


async def test_a_unit_that_answers_nonsense_is_lost_and_counted(port: Unit, modules: Modules, line: Line) -> None:
    await modules.handle("nonsense", {"on": True})
    for _ in range(4):  # the emulator has five kinds of nonsense
        with pytest.raises(LinkLost, match="answers nonsense"):
            await port.read_discrete_inputs(0, 8)
    assert line.health()["nonsense"] == 12
    assert line.health()["silent"] == 0
    await modules.handle("nonsense", {"on": False})
    _, levels = await port.read_discrete_inputs(0, 8)
    assert levels == [False] * 8


async def test_no_corrupted_answer_is_believed(port: Unit, modules: Modules, line: Line) -> None:
    await modules.handle("input", {"address": 2, "active": True})
    await modules.handle("corrupt", {"share": 0.4})
    good = 0
    for _ in range(12):
        try:
            _, levels = await port.read_discrete_inputs(0, 8)
        except LinkLost:
            continue
        assert levels == [False, False, True, *[False] * 5]
        good += 1
    assert good >= 6
    assert line.health()["nonsense"] > 0


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_a_permanent_refusal_holds_the_device(port: Unit, modules: Modules, code: int) -> None:
    await modules.handle("exception", {"code": code})
    with pytest.raises(DeviceRejected, match=f"Modbus exception {code}") as raised:
        await port.read_discrete_inputs(0, 8)
    assert "manual" in raised.value.cure


@pytest.mark.parametrize("code", [4, 5, 6, 8, 10, 11, 99])
async def test_a_passing_refusal_is_tried_again_later(port: Unit, modules: Modules, code: int) -> None:
    await modules.handle("exception", {"code": code})
    with pytest.raises(LinkLost, match=f"Modbus exception {code}"):
        await port.read_discrete_inputs(0, 8)


async def test_a_dead_neighbour_costs_one_answer_time_only(modules: Modules, line: Line) -> None:
    await modules.handle("silent", {"on": True, "unit": 2})
    async with (running(line), line.open("alive", UnitSettings(1)) as alive,
                line.open("dead", UnitSettings(2)) as dead):
        asking = asyncio.create_task(dead.read_discrete_inputs(0, 8))
        await asyncio.sleep(0)
        began_s = time.monotonic()
        await alive.read_discrete_inputs(0, 8)
        took_s = time.monotonic() - began_s
        with pytest.raises(LinkLost):
            await asking
        all_tries_s = time.monotonic() - began_s
    assert took_s < all_tries_s * 0.7


async def test_a_late_answer_is_not_taken_for_the_next_one(port: Unit, modules: Modules) -> None:
    await modules.handle("input", {"address": 0, "active": True})
    await modules.handle("delay", {"seconds": 0.13})  # after the answer time, within the quiet time's reach
    with pytest.raises(LinkLost):
        await port.read_discrete_inputs(0, 9)
    await modules.handle("delay", {"seconds": 0.0})
    _, levels = await port.read_discrete_inputs(0, 1)
    assert levels == [True]


# -- the line ---------------------------------------------------------------------------------------------------------

async def test_an_unplugged_line_ends_the_question_at_once(modules: Modules, line: Line) -> None:
    await modules.handle("delay", {"seconds": 5.0})
    slow = Line(ModbusSettings(port=str(modules.line.link), answer_s=10.0), BusContext(Path(), time.monotonic))
    async with running(slow), slow.open("panel", UnitSettings(1)) as port:
        asking = asyncio.create_task(port.read_discrete_inputs(0, 8))
        while not slow.health()["requests"]:
            await asyncio.sleep(0.01)
        modules.line.unplug()
        async with asyncio.timeout(2.0):
            with pytest.raises(LinkLost, match="is gone"):
                await asking
    assert not line.health()["open"]


async def test_a_line_that_is_plugged_in_again_is_opened_again(modules: Modules, line: Line) -> None:
    async with running(line):
        async with line.open("panel", UnitSettings(1)) as port:
            await port.read_discrete_inputs(0, 8)
            modules.line.unplug()
            with pytest.raises(LinkLost):
                await port.read_discrete_inputs(0, 8)
        while line.health()["open"]:
            await asyncio.sleep(0.01)
        with pytest.raises(BusUnavailable):
            async with line.open("panel", UnitSettings(1)):
                pass
        modules.line.plug()
        while not line.health()["open"]:
            await asyncio.sleep(0.01)
        async with line.open("panel", UnitSettings(1)) as port:
            _, levels = await port.read_discrete_inputs(0, 2)
    assert levels == [False, False]
    assert line.health()["opened"] == 2


async def test_a_missing_line_is_named_with_the_place_to_look(tmp_path: Path) -> None:
    line = Line(ModbusSettings(port=str(tmp_path / "usb-none")), BusContext(tmp_path, time.monotonic))
    with pytest.raises(BusUnavailable, match=r"there is no serial line .*usb-none") as raised:
        await line.run()
    assert "ls /dev/serial/by-id" in raised.value.cure
    with pytest.raises(BusUnavailable):
        async with line.open("panel", UnitSettings(1)):
            pass


async def test_a_file_is_no_serial_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BusUnavailable, match="is no serial line"):
        await Line(ModbusSettings(port=str(tmp_path / "file")), BusContext(tmp_path, time.monotonic)).run()


async def test_a_second_program_on_the_line_is_refused(modules: Modules, line: Line, tmp_path: Path) -> None:
    second = Line(ModbusSettings(port=str(modules.line.link)), BusContext(tmp_path, time.monotonic))
    async with running(line), line.open("panel", UnitSettings(1)):
        with pytest.raises(BusUnavailable, match="is busy") as raised:
            await second.run()
    assert "fuser" in raised.value.cure


async def test_a_device_waits_for_the_first_opening_of_the_line(line: Line) -> None:
    async def ask() -> list[bool]:
        async with line.open("panel", UnitSettings(1)) as port:
            return (await port.read_discrete_inputs(0, 1))[1]

    early = asyncio.create_task(ask())
    await asyncio.sleep(0)
    async with running(line):
        assert await early == [False]


async def test_discovery_finds_the_units_that_nobody_configured(modules: Modules, line: Line) -> None:
    await modules.handle("exception", {"code": 1, "unit": 2})
    async with running(line), line.open("other", UnitSettings(5)):
        found = await line.discover(1.2)
    assert found == [{"name": "modbus-1", "driver": "modbus-inputs", "settings": {"unit": 1}},
                     {"name": "modbus-2", "driver": None, "settings": {"unit": 2}}]


async def test_discovery_leaves_configured_units_alone(line: Line) -> None:
    async with running(line), line.open("panel", UnitSettings(1)):
        found = await line.discover(1.2)
    assert [one["settings"] for one in found] == [{"unit": 2}]


def test_the_silence_between_frames_is_that_of_the_specification() -> None:
    assert gap_s(9600) == pytest.approx(0.00401, abs=1e-5)
    assert gap_s(115200) == 0.00175


def test_the_kind_is_registered_under_its_name() -> None:
    assert (BUS.name, BUS.own_process, BUS.settings) == ("modbus", False, ModbusSettings)
