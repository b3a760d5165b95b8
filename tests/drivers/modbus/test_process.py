"""The emulated module as the bench runs it: a process with a control socket."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.bus.modbus import Line, ModbusSettings
from drivers.testkit.modbus import UnitSettings
from gateway.spi import BusContext, LinkLost
from hil.resources import control
from hil.resources.process import Program
from tests.drivers.modbus.conftest import running


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a running module process: `line` and `sock` are in it."""
    program = Program.module("hil.devices.modbus", "--link", tmp_path / "line", "--control", tmp_path / "sock",
                             "--unit", "1", log=tmp_path / "log")
    ready = await program.start_ready()
    assert ready["units"] == [1]
    yield tmp_path
    assert await program.stop() == 0
    assert not (tmp_path / "line").is_symlink()


async def test_a_scenario_sets_an_input_that_the_bus_reads(bench: Path) -> None:
    line = Line(ModbusSettings(port=str(bench / "line")), BusContext(bench, time.monotonic))
    async with running(line), line.open("panel", UnitSettings(1)) as port:
        set_mono_s = (await control.call(bench / "sock", "input", address=3, active=True))["mono_s"]
        mono_s, levels = await port.read_discrete_inputs(0, 8)
        assert levels == [False, False, False, True, False, False, False, False]
        assert 0 < mono_s - set_mono_s < 1.0
        await control.call(bench / "sock", "unplug")
        with pytest.raises(LinkLost):
            await port.read_discrete_inputs(0, 8)
    stats = await control.call(bench / "sock", "stats")
    assert (stats["plugged"], stats["answers"], stats["damaged"]) == (False, 1, 0)


async def test_an_unknown_operation_is_refused(bench: Path) -> None:
    with pytest.raises(control.ControlError, match="no operation 'explode'"):
        await control.call(bench / "sock", "explode")
