"""gpiozero's rules for pins, on gpiozero's own mock and on the board: whoever obeys both runs on a real chip too."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import gpiozero
import pytest

from hil.devices.gpio.factory import ADDRESS, BenchFactory
from hil.resources import control
from tests.drivers.gpio.conftest import Bench, running_board


class Edges:
    """Keeps what a pin's `when_changed` tells, and in which thread."""

    def __init__(self) -> None:
        self.seen: list[bool] = []
        self.threads: set[int] = set()

    def take(self, ticks: float, state: bool) -> None:
        assert 0 <= time.monotonic() - ticks < 5, "ticks are not this clock's"
        self.seen.append(bool(state))
        self.threads.add(threading.get_ident())

    async def until(self, wanted: list[bool]) -> None:
        async with asyncio.timeout(2):
            while self.seen != wanted:
                await asyncio.sleep(0.001)


async def test_a_pin_begins_as_a_floating_low_input(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    assert (pin.function, pin.pull, pin.state, pin.edges, pin.bounce, pin.frequency) == (
        "input", "floating", 0, "both", None, None)


async def test_a_pin_is_the_same_object_under_all_its_names(bench: Bench) -> None:
    assert bench.factory.pin(17) is bench.factory.pin("GPIO17") is bench.factory.pin("J8:11")


@pytest.mark.parametrize("name", [99, "GPIO99", "J8:1"])
async def test_no_pin_has_a_wrong_name(bench: Bench, name: int | str) -> None:
    with pytest.raises(gpiozero.PinInvalidPin):
        bench.factory.pin(name)


async def test_the_pull_decides_the_level_of_an_open_input(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    for pull, state in (("up", True), ("down", False), ("up", True), ("floating", True)):
        pin.input_with_pull(pull)
        assert (pin.pull, bool(pin.state)) == (pull, state)


async def test_a_contact_to_ground_pulls_an_input_down(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    pin.input_with_pull("up")
    await bench.contact(17, True)
    assert not pin.state
    await bench.contact(17, False)
    assert pin.state


async def test_edges_are_told_in_order(bench: Bench) -> None:
    edges, pin = Edges(), bench.factory.pin(17)
    pin.input_with_pull("up")
    pin.when_changed = edges.take
    for closed in (True, False, True):
        await bench.contact(17, closed)
    await edges.until([False, True, False])


@pytest.mark.parametrize(("which", "seen"), [("falling", [False, False]), ("rising", [True]), ("none", [])])
async def test_only_the_edges_asked_for_are_told(bench: Bench, which: str, seen: list[bool]) -> None:
    edges, pin = Edges(), bench.factory.pin(17)
    pin.input_with_pull("up")
    pin.edges = which
    pin.when_changed = edges.take
    for closed in (True, False, True):
        await bench.contact(17, closed)
    await edges.until(seen)
    assert not pin.state


async def test_after_when_changed_is_taken_off_nothing_is_told(bench: Bench) -> None:
    edges, pin = Edges(), bench.factory.pin(17)
    pin.input_with_pull("up")
    pin.when_changed = edges.take
    await bench.contact(17, True)
    await edges.until([False])
    pin.when_changed = None
    await bench.contact(17, False)
    assert pin.state
    assert edges.seen == [False]


async def test_a_pin_does_not_keep_its_listener_alive(bench: Bench) -> None:
    edges, pin = Edges(), bench.factory.pin(17)
    pin.input_with_pull("up")
    pin.when_changed = edges.take
    del edges
    gc.collect()
    await bench.contact(17, True)  # nobody listens any more: no error either
    assert pin.when_changed is None


async def test_an_output_has_the_level_it_was_given(bench: Bench) -> None:
    pin = bench.factory.pin(27)
    for state in (True, False, True):
        pin.output_with_state(state)
        assert (pin.function, bool(pin.state)) == ("output", state)


async def test_the_level_of_an_input_cannot_be_set(bench: Bench) -> None:
    with pytest.raises(gpiozero.PinSetInput):
        bench.factory.pin(17).state = True


async def test_the_pull_of_an_output_cannot_be_set(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    pin.function = "output"
    with pytest.raises(gpiozero.PinFixedPull):
        pin.pull = "up"


async def test_the_board_s_own_pull_ups_cannot_be_changed(bench: Bench) -> None:
    pin = bench.factory.pin(2)
    assert (pin.pull, pin.state) == ("up", True)
    with pytest.raises(gpiozero.PinFixedPull):
        pin.pull = "down"


async def test_what_a_pin_does_not_know_it_refuses(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    with pytest.raises(gpiozero.PinInvalidFunction):
        pin.function = "heater"
    with pytest.raises(gpiozero.PinInvalidPull):
        pin.pull = "sideways"
    with pytest.raises(gpiozero.PinPWMUnsupported):
        pin.frequency = 100


async def test_a_bounce_time_is_kept(bench: Bench) -> None:
    pin = bench.factory.pin(17)
    pin.bounce = 0.05
    assert pin.bounce == 0.05
    pin.bounce = None
    assert pin.bounce is None


async def test_a_closed_output_is_an_input_again(bench: Bench) -> None:
    pin = bench.factory.pin(27)
    pin.output_with_state(True)
    pin.close()
    assert pin.function == "input"


async def test_gpiozero_s_button_and_led_work(bench: Bench) -> None:
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    with (gpiozero.Button(17, pin_factory=bench.factory) as button,
          gpiozero.LED(27, pin_factory=bench.factory) as led):

        def lit() -> None:
            led.on()
            loop.call_soon_threadsafe(pressed.set)

        button.when_pressed = lit
        await bench.contact(17, True)
        await asyncio.wait_for(pressed.wait(), 2)
        assert button.is_pressed
        assert led.is_lit
        with pytest.raises(gpiozero.GPIOPinInUse):
            gpiozero.LED(17, pin_factory=bench.factory)


# -- the board only ---------------------------------------------------------------------------------------------------

async def test_edges_come_from_a_thread_of_the_factory(board: Path) -> None:
    with_board = await asyncio.to_thread(BenchFactory, str(board))
    edges, pin = Edges(), with_board.pin(17)
    pin.input_with_pull("up")
    pin.when_changed = edges.take
    answer = await control.call(board, "press", pin=17, hold_s=0.01, bounces=3)
    await edges.until([False, True] * 4)
    assert answer["released_mono_s"] - answer["mono_s"] >= 0.01
    assert threading.get_ident() not in edges.threads
    await asyncio.to_thread(with_board.close)


async def test_the_board_outlives_the_gateway(board: Path) -> None:
    """A pressed button stays pressed, and a new process finds it so."""
    program = ("import gpiozero; button = gpiozero.Button(17); led = gpiozero.LED(27); led.on();"
               "print(button.is_pressed)")
    environment = os.environ | {ADDRESS: str(board), "GPIOZERO_PIN_FACTORY": "bench"}
    await control.call(board, "level", pin=17, active=True)
    for _ in range(2):
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], env=environment,
                                       capture_output=True, text=True, timeout=30, check=False)
        assert (done.stdout.strip(), done.stderr) == ("True", "")
    pins = (await control.call(board, "pins"))["pins"]
    assert pins["17"] | {"history": None} == {
        "function": "input", "pull": "up", "high": False, "wired": False, "history": None}
    lit = [high for _, high in pins["27"]["history"]]
    assert lit[0] is True


async def test_a_level_forced_on_an_output_does_not_change_it(board: Path) -> None:
    factory = await asyncio.to_thread(BenchFactory, str(board))
    factory.pin(27).output_with_state(True)
    await control.call(board, "level", pin=27, active=True)
    assert (await control.call(board, "pins"))["pins"]["27"]["high"] is True
    await asyncio.to_thread(factory.close)


async def test_without_a_board_the_factory_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(gpiozero.BadPinFactory, match=ADDRESS):
        BenchFactory()


async def test_a_board_that_was_started_anew_learns_the_pins_again(tmp_path: Path) -> None:
    async with running_board(tmp_path) as socket:
        factory = await asyncio.to_thread(BenchFactory, str(socket))
        edges, pin = Edges(), factory.pin(17)
        pin.input_with_pull("up")
        pin.when_changed = edges.take
        await control.call(socket, "press", pin=17, hold_s=0.0)
        await edges.until([False, True])
    async with running_board(tmp_path) as socket:
        async with asyncio.timeout(5):
            while (await control.call(socket, "pins"))["pins"]["17"]["pull"] != "up":
                await asyncio.sleep(0.01)
        await control.call(socket, "press", pin=17, hold_s=0.0)
        await edges.until([False, True, False, True])
        await asyncio.to_thread(factory.close)
