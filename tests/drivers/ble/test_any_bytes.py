"""Any bytes, many times over: no decoder crashes, and none makes a number that is none. `make nightly`."""

import contextlib
import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.devices import (
    blood_pressure,
    blueup,
    bthome,
    gatt_clock,
    gatt_values,
    glucose,
    heart_rate,
    infinitime,
    medfloat,
    oximeter,
    pmd,
    scale,
    thermometer,
)
from drivers.devices.bthome_sensor import Receiver
from drivers.devices.device_information import decode_text
from drivers.devices.gatt_values import DecodeError
from drivers.devices.measured import Measured
from gateway.model.reading import Quantity

KEY, ADDRESS = bytes(16), "54:48:E6:8F:80:A5"


def glucose_record(data: bytes) -> Measured:
    return glucose.measured(glucose.decode(data))


def sealed(data: bytes) -> object:
    """Of a device whose key is known to fit: nothing that was not sealed with it counts."""
    receiver = Receiver(ADDRESS, KEY)
    receiver._counter = 0
    heard = receiver.packet(data, 0.0)
    assert heard is None
    return heard


def blueup_flags(data: bytes) -> object:
    return blueup.decode({blueup.FLAGS: data[:1], blueup.BATTERY: data[1:2]})


DECODERS: list[Callable[[bytes], object]] = [
    medfloat.decode_sfloat, medfloat.decode_float, heart_rate.measure, oximeter.measure_spot_check,
    oximeter.measure_continuous, blood_pressure.measure, thermometer.measure, scale.measure, glucose_record,
    glucose.decode_answer, infinitime.measure_steps, infinitime.measure_heart_rate, gatt_clock.decode_time,
    gatt_values.decode_battery_percent, decode_text, bthome.decode, bthome.decode_objects, sealed, blueup_flags,
    pmd.decode_acc, pmd.decode_ppi, pmd.decode_response, pmd.decode_settings]


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: f"{decode.__module__.split('.')[-1]}.{decode.__name__}")
def test_a_hundred_thousand_times_any_bytes_are_marked_or_finite_or_a_typed_error(
        decode: Callable[[bytes], object]) -> None:
    @settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(max_size=32))
    def any_bytes(data: bytes) -> None:
        with contextlib.suppress(DecodeError):
            decoded = decode(data)
            for value in getattr(decoded, "values", ()) if not isinstance(decoded, dict) else ():
                if isinstance(value, Quantity):
                    assert math.isfinite(value.value)

    any_bytes()
