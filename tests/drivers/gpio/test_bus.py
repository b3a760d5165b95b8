import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from drivers.bus import gpio as bus
from drivers.bus.gpio import BOUNCE_S, BUS, GpioSettings, Header, PinPort, make_factory
from drivers.devices.gpio_button import GpioButtonSettings, run
from drivers.devices.gpio_light import GpioLightSettings
from drivers.testkit import gpio as conformance
from drivers.testkit.gpio import FakePin
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Binary, BinaryKind, Button, Press
from gateway.spi import BusContext, BusUnavailable, DeviceRejected
from hil.devices.gpio.factory import ADDRESS, BenchFactory
from hil.resources import control
from tests.drivers.gpio.conftest import Bench, wired

BUTTON = GpioButtonSettings(pin=17)


@asynccontextmanager
async def opened(bench: Bench, settings: msgspec.Struct) -> AsyncIterator[PinPort]:
    async with running(bench) as header, header.open("device", settings) as port:  # type: ignore[arg-type]
        yield port


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Header]:
    header = Header(GpioSettings(), BusContext(Path(), time.monotonic), lambda: bench.factory)
    task = asyncio.create_task(header.run())
    try:
        yield header
    finally:
        task.cancel()
        await asyncio.wait({task})


# -- conformance: the same checks on the fake, on gpiozero's mock and on the board ------------------------------------

async def test_the_bus_tells_edges(bench: Bench) -> None:
    async with opened(bench, BUTTON) as port:
        await conformance.check_edges(port, lambda active: bench.contact(17, active), 2 * BOUNCE_S)


@pytest.mark.parametrize("ends", [True, False])
async def test_the_bus_tells_the_level_at_rest(bench: Bench, ends: bool) -> None:
    async with opened(bench, BUTTON) as port:
        await conformance.check_final_level(port, lambda active: bench.contact(17, active), ends)


async def test_the_fake_conforms() -> None:
    fake = FakePin()
    await conformance.check_edges(fake, fake.set, 0.0)
    await conformance.check_final_level(fake, fake.set, ends=False)
    await conformance.check_final_level(fake, fake.set, ends=True)


# -- inputs -----------------------------------------------------------------------------------------------------------

async def test_a_press_is_told_at_its_first_edge_and_bouncing_tells_no_more(bench: Bench) -> None:
    async with opened(bench, BUTTON) as port:
        levels = port.levels()
        assert (await anext(levels))[1] is False
        pressed_mono_s = await bench.contact(17, True)
        for closed in (False, True, False, True):
            await bench.contact(17, closed)
        mono_s, active = await anext(levels)
        assert active
        assert 0 <= mono_s - pressed_mono_s < 0.5
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4 * BOUNCE_S):
                await anext(levels)


async def test_a_press_shorter_than_the_bounce_time_is_told_with_its_release(bench: Bench) -> None:
    async with opened(bench, BUTTON) as port:
        levels = port.levels()
        await anext(levels)
        await bench.contact(17, True)
        await bench.contact(17, False)
        assert [(await anext(levels))[1] for _ in range(2)] == [True, False]
        await levels.aclose()  # type: ignore[attr-defined]


async def test_a_wire_that_the_pull_has_to_charge_first_is_no_press(
        board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "BOUNCE_S", 0.5)
    bench = await _bench(board)
    await bench.contact(17, True)
    async with opened(bench, BUTTON) as port:
        levels = port.levels()
        first = asyncio.ensure_future(anext(levels))
        await asyncio.sleep(0)
        await bench.contact(17, False)
        assert (await first)[1] is False
        await levels.aclose()  # type: ignore[attr-defined]


async def test_a_button_held_over_a_restart_is_a_press(board: Path) -> None:
    """By the real driver, on the board: it goes on while no gateway is there."""
    for held, told in ((False, [Binary(BinaryKind.FAULT, False)]), (True, [Press(Button.SOS)])):
        await control.call(board, "level", pin=17, active=held)
        link = RecordedLink(BUTTON)
        async with running(await _bench(board)) as header, \
                header.open("sos", BUTTON) as port:
            session = asyncio.create_task(run(link, port))
            await link.is_ready.wait()
            session.cancel()
            await asyncio.wait({session})
        assert [value for _, value in link.said] == told
        assert link.said[0][0] <= time.monotonic() - BOUNCE_S, "with the time of the start"


async def _bench(board: Path) -> Bench:
    factory = await asyncio.to_thread(BenchFactory, str(board))
    return Bench(factory, wired(factory, board))


async def test_a_contact_to_the_supply_is_active_while_high(bench: Bench) -> None:
    async with opened(bench, GpioButtonSettings(pin=17, pull_up=False)) as port:
        levels = port.levels()
        assert (await anext(levels))[1] is False
        assert bench.factory.pin(17).pull == "down"
        await levels.aclose()  # type: ignore[attr-defined]


async def test_a_given_back_pin_tells_nothing_and_can_be_lent_again(bench: Bench) -> None:
    async with running(bench) as header:
        for _ in range(2):
            async with header.open("sos", BUTTON) as port:
                levels = port.levels()
                await anext(levels)
                assert header.health()["pins"] == ["GPIO17"]
                await levels.aclose()  # type: ignore[attr-defined]
            assert bench.factory.pin(17).when_changed is None
        assert header.health()["pins"] == []


# -- outputs ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("active_high", [True, False])
async def test_an_output_follows_its_polarity(bench: Bench, active_high: bool) -> None:
    async with opened(bench, GpioLightSettings(pin=27, active_high=active_high)) as port:
        for active in (False, True, False):
            await port.drive(active)
            assert bool(bench.factory.pin(27).state) is (active is active_high)
    assert bench.factory.pin(27).function == "input"


# -- settings and faults ----------------------------------------------------------------------------------------------

async def test_a_taken_pin_is_refused(bench: Bench) -> None:
    async with running(bench) as header, header.open("sos", BUTTON):
        with pytest.raises(DeviceRejected, match="belongs to another device"):
            async with header.open("cancel", BUTTON):
                pass


@pytest.mark.parametrize("pin", [99, "GPIO99", "nonsense"])
async def test_a_pin_that_does_not_exist_is_refused_with_the_cure(bench: Bench, pin: int | str) -> None:
    async with running(bench) as header:
        with pytest.raises(DeviceRejected, match="there is no pin") as raised:
            async with header.open("sos", GpioButtonSettings(pin=pin)):
                pass
    assert "BCM number" in raised.value.cure


async def test_a_pull_that_the_board_cannot_have_is_refused(bench: Bench) -> None:
    async with opened(bench, GpioButtonSettings(pin=2, pull_up=False)) as port:
        with pytest.raises(DeviceRejected, match="pull-up of its own"):
            await anext(port.levels())


async def test_without_a_gpio_chip_the_bus_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    header = Header(GpioSettings(), BusContext(Path(), time.monotonic))
    with pytest.raises(BusUnavailable, match="no GPIO here") as raised:
        await header.run()
    assert "/dev/gpiochip0" in raised.value.cure
    with pytest.raises(BusUnavailable):
        async with header.open("sos", BUTTON):
            pass
    assert header.health()["open"] is False


async def test_the_environment_chooses_the_pin_factory(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "bench")
    monkeypatch.setenv(ADDRESS, str(board))
    header = BUS.make(GpioSettings(), BusContext(Path(), time.monotonic))
    task = asyncio.create_task(header.run())
    async with header.open("sos", BUTTON) as port:
        levels = port.levels()
        assert (await anext(levels))[1] is False
        answer = await control.call(board, "press", pin=17, hold_s=0.06, bounces=2)
        pressed, released = await anext(levels), await anext(levels)
        assert (pressed[1], released[1]) == (True, False)
        assert 0 <= pressed[0] - answer["mono_s"] < 0.5
        assert released[0] >= answer["released_mono_s"]
        assert header.health() == {"open": True, "factory": "BenchFactory", "pins": ["GPIO17"]}
        await levels.aclose()
    task.cancel()
    await asyncio.wait({task})


async def test_a_missing_board_is_a_missing_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "bench")
    monkeypatch.setenv(ADDRESS, str(tmp_path / "none"))
    with pytest.raises(BusUnavailable, match="FileNotFoundError"):
        await asyncio.to_thread(make_factory)
