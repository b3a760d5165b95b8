"""The emulated radar as the bench runs it: a process with a control socket."""

import asyncio
from pathlib import Path

import pytest

from drivers.devices import ld2450
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Binary, BinaryKind
from hil.resources import control
from hil.resources.process import Program
from tests.drivers.serial.kit import bus


async def test_a_scenario_puts_targets_before_a_radar_and_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    program = Program.module("hil.devices.radar", "--model", "ld2450", "--link", tmp_path / "line", "--control",
                             tmp_path / "sock", log=tmp_path / "log")
    assert (await program.start_ready())["model"] == "ld2450"
    settings = ld2450.Ld2450Settings(port=str(tmp_path / "line"))
    link = RecordedLink(settings)
    async with bus().open("radar", settings) as port:
        session = asyncio.create_task(ld2450.run(link, port))
        await control.call(tmp_path / "sock", "targets", targets=[[-500, 2000, 30]])
        await link.until(lambda: Binary(BinaryKind.MOTION, True) in link.values)
        session.cancel()
        await asyncio.wait([session])
    with pytest.raises(control.ControlError, match="no operation 'explode'"):
        await control.call(tmp_path / "sock", "explode")
    assert (await control.call(tmp_path / "sock", "stats"))["frames"] > 0
    assert await program.stop() == 0
    assert not (tmp_path / "line").is_symlink()
