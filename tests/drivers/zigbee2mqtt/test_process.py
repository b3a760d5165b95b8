"""The emulated Zigbee2MQTT as the bench runs it: a process with a control socket, on a real broker."""

from pathlib import Path

import pytest

from gateway.model.reading import Quantity, QuantityKind
from hil.resources import control
from hil.resources.process import Program
from tests.drivers.zigbee2mqtt.kit import IEEE, home


async def test_a_scenario_boils_a_kettle_behind_a_plug_and_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    async with home(tmp_path) as flat:
        flat.tasks[0].cancel()  # the process comes in its place
        program = Program.module("hil.devices.zigbee2mqtt", "--port", str(flat.broker.port), "--control",
                                 tmp_path / "sock", log=tmp_path / "log")
        await program.start_ready()
        await control.call(tmp_path / "sock", "pair", ieee=IEEE, name="kettle", profile="plug")
        await flat.until(lambda: flat.bus.health()["devices"] == 1)
        flat.watch("d")
        await flat.until_up()
        await control.call(tmp_path / "sock", "boil", name="kettle", watts=1850, seconds=0.05)
        await flat.until(lambda: len(flat.values()) == 2)
        assert flat.values() == [Quantity(QuantityKind.POWER, watts) for watts in (1850.0, 0.0)]
        with pytest.raises(control.ControlError, match="no operation 'explode'"):
            await control.call(tmp_path / "sock", "explode")
        assert (await control.call(tmp_path / "sock", "stats"))["online"] is True
        assert await program.stop() == 0
