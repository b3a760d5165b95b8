"""BlueUp wearables: flags laid out by hand from BlueUp's table, and when the bit is news."""

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.blueup import BATTERY, FALL, FLAGS, SOS, UNHEARD_S, BlueUpSettings, Status, decode
from drivers.devices.gatt_values import DecodeError
from drivers.testkit.advert import FakeAdverts
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.finding import FallSource
from gateway.model.reading import Button, FallFlag, Press, Quantity, QuantityKind
from gateway.spi import AdvertPort, DeviceRejected, Driver
from tests.drivers.ble.kit import played

UP, DOWN, NONE = b"\xc1", b"\x41", b"\x01"  # bit 7 active, bit 6 supported, bit 0 an Eddystone frame
CHARGE = Quantity(QuantityKind.BATTERY, 80)


def test_the_alarm_is_bit_7_and_the_battery_is_percent() -> None:
    assert decode({FLAGS: UP, BATTERY: b"\x50"}) == Status(True, CHARGE)
    assert decode({FLAGS: DOWN}) == Status(False, None)
    assert decode({FLAGS: NONE}) == Status(None, None)
    assert decode({BATTERY: b"\x50"}) is None


def hears(driver: Driver[BlueUpSettings, AdvertPort], said: list[tuple[float, bytes]],
          ) -> tuple[list[Any], BaseException | None]:
    """Advertise each at its time; what the driver says, and what ended it, None if nothing did."""
    link = RecordedLink(BlueUpSettings(address="C0:00:00:00:00:01"))

    async def whole() -> BaseException | None:
        port = FakeAdverts()
        for at_s, flags in said:
            port.say({FLAGS: flags, BATTERY: b"\x50"}, at_s)
        return await played(driver.run(link, port), asyncio.sleep(1.0))

    ended = run_virtual(whole())
    return [value for value in link.values if value != CHARGE], ended


def test_a_bit_that_goes_up_is_one_press_however_long_it_stays() -> None:
    said = [(0.0, DOWN), (2.0, UP), (4.0, UP), (6.0, UP), (8.0, DOWN), (10.0, UP)]
    assert hears(SOS, said) == ([Press(Button.SOS)] * 2, None)


def test_a_bit_that_is_up_when_first_heard_or_after_a_long_silence_is_a_press() -> None:
    assert hears(SOS, [(0.0, UP), (1.0 + UNHEARD_S, UP)]) == ([Press(Button.SOS)] * 2, None)


def test_man_down_is_the_wearables_own_fall_flag() -> None:
    assert hears(FALL, [(0.0, DOWN), (2.0, UP)]) == (
        [FallFlag(FallSource.WEARABLE, active=False), FallFlag(FallSource.WEARABLE, active=True)], None)
    assert FALL.falls is FallSource.WEARABLE
    assert SOS.falls is None


def test_a_beacon_without_an_alarm_is_told() -> None:
    assert isinstance(hears(SOS, [(0.0, NONE)])[1], DeviceRejected)


def test_one_odd_status_of_a_wearable_that_has_an_alarm_ends_nothing() -> None:
    assert hears(SOS, [(0.0, DOWN), (2.0, NONE), (4.0, UP)]) == ([Press(Button.SOS)], None)


def test_a_strange_battery_beside_an_alarm_does_not_hide_it() -> None:
    assert decode({FLAGS: UP, BATTERY: b"\x50\x00"}) == Status(True, None)


def test_damage_ends_nothing() -> None:
    assert hears(SOS, [(0.0, b""), (1.0, b"\xc1\xc1"), (2.0, UP)]) == ([Press(Button.SOS)], None)


@pytest.mark.parametrize("uuid", [FLAGS, BATTERY])
@given(data=st.binary(max_size=8), other=st.binary(max_size=2))
def test_any_bytes_are_a_status_or_a_typed_error(uuid: str, data: bytes, other: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode({FLAGS: other, BATTERY: other, uuid: data})
