import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.gpio_button import DRIVER, STUCK_S, GpioButtonSettings, decode, run
from drivers.testkit.gpio import FakePin
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press

STUCK, FREE = Binary(BinaryKind.FAULT, True), Binary(BinaryKind.FAULT, False)
PRESS = Press(Button.SOS)

Story = Callable[[FakePin], Awaitable[None]]


def told(story: Story, held: bool = False) -> list[tuple[float, Measurement]]:
    """What the driver says while `story` happens to its pin: (seconds after the start, measurement)."""

    async def main() -> list[tuple[float, Measurement]]:
        link, pin = RecordedLink(GpioButtonSettings(pin=17)), FakePin(held)
        began_s = asyncio.get_running_loop().time()
        session = asyncio.create_task(run(link, pin))
        await link.is_ready.wait()
        await story(pin)
        session.cancel()
        await asyncio.wait({session})
        await asyncio.sleep(2 * STUCK_S)  # nothing may be said after the session
        return [(mono_s - began_s, value) for mono_s, value in link.said]

    return run_virtual(main())


def test_a_press_is_told_while_the_button_is_still_held() -> None:
    async def story(pin: FakePin) -> None:
        await asyncio.sleep(5)
        await pin.set(True)
        await asyncio.sleep(1)

    assert told(story) == [(0, FREE), (5, PRESS)]


def test_each_press_is_told_once_and_its_release_not_at_all() -> None:
    async def story(pin: FakePin) -> None:
        for _ in range(3):
            await pin.set(True)
            await asyncio.sleep(1)
            await pin.set(False)
            await asyncio.sleep(1)

    assert told(story) == [(0, FREE), (0, PRESS), (2, PRESS), (4, PRESS)]


def test_a_button_held_at_the_start_is_a_press() -> None:
    async def story(pin: FakePin) -> None:
        await asyncio.sleep(1)
        await pin.set(False)
        await asyncio.sleep(1)

    assert told(story, held=True) == [(0, PRESS)]


def test_a_button_held_too_long_is_stuck_until_it_is_released() -> None:
    async def story(pin: FakePin) -> None:
        await asyncio.sleep(10)
        await pin.set(True)
        await asyncio.sleep(STUCK_S + 30)
        await pin.set(False)
        await asyncio.sleep(1)

    assert told(story) == [(0, FREE), (10, PRESS), (70, STUCK), (100, FREE)]


def test_a_button_released_just_in_time_is_not_stuck() -> None:
    async def story(pin: FakePin) -> None:
        await pin.set(True)
        await asyncio.sleep(STUCK_S - 0.1)
        await pin.set(False)
        await asyncio.sleep(STUCK_S)

    assert told(story) == [(0, FREE), (0, PRESS)]


def test_a_session_that_ends_takes_its_timer_with_it() -> None:
    async def story(pin: FakePin) -> None:
        await pin.set(True)
        await asyncio.sleep(STUCK_S / 2)

    assert told(story) == [(0, FREE), (0, PRESS)]


@given(st.lists(st.booleans()), st.sampled_from(Button))
def test_presses_are_the_changes_to_active(levels: list[bool], button: Button) -> None:
    before: bool | None = None
    presses = 0
    for level in levels:
        presses += decode(level, before, False, button) == [Press(button)]
        before = level
    edges = sum(now and not then for then, now in zip([False, *levels], levels, strict=False))
    assert presses == edges


@pytest.mark.parametrize("button", list(Button))
def test_the_settings_say_what_the_button_asks_for(button: Button) -> None:
    assert decode(True, False, False, GpioButtonSettings(pin="GPIO17", button=button).button) == [Press(button)]


def test_the_driver_gives_presses_and_faults() -> None:
    assert (DRIVER.bus, DRIVER.gives, DRIVER.silence_s) == ("gpio", ("press", "fault"), None)
