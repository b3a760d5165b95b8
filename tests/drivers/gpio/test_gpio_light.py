import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.gpio_light import GpioLightSettings, change_after_s, level, run
from drivers.testkit.gpio import FakePin
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.spi import Light, LightPattern

OFF, STEADY, SLOW, FAST = LightPattern.OFF, LightPattern.STEADY, LightPattern.SLOW, LightPattern.FAST


def shown(*orders: tuple[float, LightPattern], until_s: float) -> list[tuple[float, bool]]:
    """What the light does when given orders at these times: (seconds after the start, lit)."""

    async def main() -> list[tuple[float, bool]]:
        link, pin = RecordedLink(GpioLightSettings(pin=27)), FakePin()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for at_s, pattern in orders:
            loop.call_at(began_s + at_s, link.order, Light(pattern))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(until_s):
                await run(link, pin)
        assert link.is_ready.is_set()
        return [(round(at_s - began_s, 6), lit) for at_s, lit in pin.shown]

    return run_virtual(main())


def test_it_is_dark_until_the_first_order() -> None:
    assert shown(until_s=60) == [(0, False)]


def test_steady_and_off_are_driven_once() -> None:
    assert shown((1, STEADY), (5, OFF), until_s=60) == [(0, False), (1, True), (5, False)]


def test_slow_is_one_hertz_and_begins_lit() -> None:
    assert shown((1, SLOW), until_s=3.2) == [(0, False), (1, True), (1.5, False), (2, True), (2.5, False), (3, True)]


def test_fast_is_four_hertz() -> None:
    assert len(shown((0, FAST), until_s=10.01)) == 1 + 10 * 8 + 1


def test_a_new_order_takes_effect_at_once_and_ends_the_old_pattern() -> None:
    assert shown((0, SLOW), (0.7, STEADY), until_s=20) == [(0, False), (0, True), (0.5, False), (0.7, True)]


def test_blinking_does_not_drift() -> None:
    times = [at_s for at_s, _ in shown((0, FAST), until_s=3600.0)][1:]
    assert times == [index * 0.125 for index in range(len(times))]
    assert len(times) == pytest.approx(3600 * 8, abs=1)


@given(st.sampled_from(LightPattern), st.floats(0, 1e6))
def test_the_level_stays_until_the_announced_change(pattern: LightPattern, since_s: float) -> None:
    change_s = change_after_s(pattern, since_s)
    if change_s is None:
        assert pattern in (OFF, STEADY)
    else:
        assert change_s > since_s
        assert level(pattern, change_s) is not level(pattern, since_s)
