import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.modbus import BUS, Line
from drivers.devices.modbus_inputs import DRIVER, Input, ModbusInputsSettings, decode, run
from drivers.testkit.link import RecordedLink
from drivers.testkit.modbus import FakeUnit
from drivers.testkit.virtual_time import run as run_virtual
from gateway.config import ConfigError, parse
from gateway.model.reading import Binary, BinaryKind
from gateway.spi import LinkLost
from hil.devices.modbus.line import Modules
from tests.drivers.modbus.conftest import running

SMOKE, CONTACT = BinaryKind.SMOKE, BinaryKind.CONTACT
SETTINGS = ModbusInputsSettings(unit=1, inputs={"2": Input(kind=SMOKE), "5": Input(kind=CONTACT, inverted=True)})

TOML = """
[gateway]
id = "home"
[city]
host = "city.example"
[bus.modbus]
port = "/dev/serial/by-id/usb-1"
[devices.panel]
driver = "modbus-inputs"
"""


def parsed(keys: str) -> ModbusInputsSettings:
    drivers = {DRIVER.name: (DRIVER.bus, DRIVER.settings)}
    config = parse(TOML + keys, Path("anju.toml"), drivers, {BUS.name: BUS.settings})
    settings = config.devices["panel"].settings
    assert isinstance(settings, ModbusInputsSettings)
    return settings


# -- decode -----------------------------------------------------------------------------------------------------------

def test_the_first_poll_tells_every_input() -> None:
    inputs = {0: Input(kind=SMOKE), 3: Input(kind=CONTACT, inverted=True)}
    assert decode([False] * 4, inputs, None) == [Binary(SMOKE, False), Binary(CONTACT, True)]


def test_a_later_poll_tells_what_changed() -> None:
    inputs = {0: Input(kind=SMOKE), 1: Input(kind=CONTACT)}
    assert decode([True, False], inputs, [False, False]) == [Binary(SMOKE, True)]
    assert decode([True, False], inputs, [True, False]) == []


def test_two_inputs_of_a_kind_are_active_while_one_of_them_is() -> None:
    inputs = {0: Input(kind=SMOKE), 1: Input(kind=SMOKE)}
    assert decode([True, False], inputs, [False, False]) == [Binary(SMOKE, True)]
    assert decode([False, True], inputs, [True, False]) == []
    assert decode([False, False], inputs, [False, True]) == [Binary(SMOKE, False)]


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=20), st.booleans())
def test_what_was_told_last_is_what_is_true_now(polls: list[list[bool]], inverted: bool) -> None:
    inputs = {0: Input(kind=SMOKE, inverted=inverted), 2: Input(kind=CONTACT)}
    told: dict[BinaryKind, bool] = {}
    before: list[bool] | None = None
    for levels in polls:
        for value in decode(levels, inputs, before):
            assert told.get(value.kind) is not value.active, "told twice"
            told[value.kind] = value.active
        before = levels
        assert told == {SMOKE: levels[0] is not inverted, CONTACT: levels[2]}


# -- settings ---------------------------------------------------------------------------------------------------------

def test_inputs_are_written_as_tables_in_the_configuration() -> None:
    assert parsed('unit = 1\ninputs.2 = {kind = "smoke"}\ninputs.5 = {kind = "contact", inverted = true}') == SETTINGS


@pytest.mark.parametrize(("keys", "problem"), [
    ("unit = 1\ninputs = {}", "none given"),
    ('unit = 0\ninputs.0 = {kind = "smoke"}', r"devices\.panel\.unit"),
    ('unit = 1\ninputs.x = {kind = "smoke"}', "'x' is no address"),
    ('unit = 1\ninputs.65536 = {kind = "smoke"}', "'65536' is no address"),
    ('unit = 1\ninputs.1 = {kind = "smoke"}\ninputs.01 = {kind = "co"}', "given twice"),
    ('unit = 1\ninputs.0 = {kind = "smoke"}\ninputs.2000 = {kind = "co"}', "more than 2000"),
    ('unit = 1\ninputs.0 = {kind = "smok"}', "smok"),
    ('unit = 1\npoll_s = 0.0\ninputs.0 = {kind = "smoke"}', r"devices\.panel\.poll_s"),
])
def test_wrong_settings_are_told_with_their_key(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parsed(keys)


# -- run --------------------------------------------------------------------------------------------------------------

def test_it_polls_only_its_own_block_and_gives_signs_of_life() -> None:
    asked: list[tuple[int, int]] = []

    class Watched(FakeUnit):
        async def read_discrete_inputs(self, address: int, count: int) -> tuple[float, list[bool]]:
            asked.append((address, count))
            return await super().read_discrete_inputs(address, count)

    async def main() -> RecordedLink[ModbusInputsSettings]:
        link, unit = RecordedLink(SETTINGS), Watched()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await run(link, unit)
        return link

    link = run_virtual(main())
    assert set(asked) == {(2, 4)}
    assert len(asked) == pytest.approx(60 / 0.11, abs=2)  # poll_s and the answer's time
    assert link.lives == pytest.approx(len(asked), abs=1)
    assert link.values == [Binary(SMOKE, False), Binary(CONTACT, True)]


def test_a_change_is_told_with_the_time_of_the_answer_that_carried_it() -> None:
    async def main() -> None:
        link, unit = RecordedLink(SETTINGS), FakeUnit()
        async with asyncio.TaskGroup() as group:
            session = group.create_task(run(link, unit))
            await link.is_ready.wait()
            await asyncio.sleep(5)
            changed_s = asyncio.get_running_loop().time()
            unit.inputs[2] = True
            await link.until(lambda: len(link.said) == 3)
            session.cancel()
        mono_s, value = link.said[-1]
        assert value == Binary(SMOKE, True)
        assert changed_s <= mono_s <= changed_s + 0.12

    run_virtual(main())


def test_a_lost_unit_ends_the_session() -> None:
    async def main() -> None:
        link, unit = RecordedLink(SETTINGS), FakeUnit()
        asyncio.get_running_loop().call_later(3, setattr, unit, "gone", True)
        await run(link, unit)

    with pytest.raises(LinkLost):
        run_virtual(main())


async def test_smoke_on_the_wire_reaches_the_link(modules: Modules, line: Line) -> None:
    link = RecordedLink(msgspec.structs.replace(SETTINGS, poll_s=0.02))
    async with running(line), line.open("panel", SETTINGS) as port, asyncio.TaskGroup() as group:
        session = group.create_task(run(link, port))
        await asyncio.wait_for(link.is_ready.wait(), 5)
        answer: dict[str, Any] = await modules.handle("input", {"address": 2, "active": True})
        await link.until(lambda: len(link.said) == 3)
        session.cancel()
    mono_s, value = link.said[-1]
    assert value == Binary(SMOKE, True)
    assert 0 <= mono_s - answer["mono_s"] < 1.0
