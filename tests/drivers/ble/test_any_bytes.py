"""Any bytes, random and damaged, many times over: no decoder crashes, none makes a number of none. `make nightly`."""

import contextlib
import math
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
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


def acceleration(data: bytes) -> pmd.AccFrame:
    return pmd.decode_acc(data, 0.25)


def blueup_flags(data: bytes) -> object:
    return blueup.decode({blueup.FLAGS: data[:1], blueup.BATTERY: data[1:2]})


DECODERS: list[Callable[[bytes], object]] = [
    medfloat.decode_sfloat, medfloat.decode_float, heart_rate.measure, oximeter.measure_spot_check,
    oximeter.measure_continuous, blood_pressure.measure, thermometer.measure, scale.measure, glucose_record,
    glucose.decode_answer, infinitime.measure_steps, infinitime.measure_heart_rate, infinitime.decode_motion,
    gatt_clock.decode_time,
    gatt_values.decode_battery_percent, decode_text, bthome.decode, bthome.decode_objects, sealed, blueup_flags,
    acceleration, pmd.decode_ppi, pmd.decode_response, pmd.decode_settings]


_TIME = "e8 07 05 11 08 1e 0f"
VALID: dict[Callable[[bytes], object], str] = {
    heart_rate.measure: "1e 48 00 01 00 04 10 04",
    oximeter.measure_spot_check: f"0f 62 00 48 00 {_TIME} 20 00 00 00 00 0a 00",
    oximeter.measure_continuous: "1f 62 00 48 00 61 00 47 00 60 00 46 00 20 00 00 00 00 0a 00",
    blood_pressure.measure: f"1e 80 00 4c 00 5d 00 {_TIME} 47 00 01 00 00",
    thermometer.measure: f"06 6f 01 00 ff {_TIME} 06",
    scale.measure: f"0e f0 3c {_TIME} 01 fa 00 a4 06",
    glucose_record: f"0f 05 00 {_TIME} 5a 00 36 c0 11 20 00",
    gatt_clock.decode_time: f"{_TIME} 05 80 01",
    bthome.decode: "40 00 09 01 61 02 ca 09 03 bf 13 2d 01 3a 01",
    bthome.decode_objects: "00 09 01 61 02 ca 09 03 bf 13 2d 01 3a 01 53 02 41 42",
    acceleration: "02 00 94 35 77 00 00 00 00 81 64 00 c8 ff e8 03 08 03 01 02 03 04 05 06 07 08 09 04 01 21 03",
    pmd.decode_ppi: "03 00 00 00 00 00 00 00 00 00 48 40 03 0a 00 06 49 30 03 0a 00 06",
    pmd.decode_response: "f0 01 02 00 00 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03",
    pmd.decode_settings: "00 01 34 00 01 01 10 00 02 01 08 00 04 01 03 05 01 00 00 80 3f"}
"""One good value of those that have a layout to damage."""


def _sealed() -> bytes:
    """A press, sealed with KEY; its counter is above the receiver's."""
    closed = bthome.Sealed(0x41, b"", 1000, b"")
    whole = AESCCM(KEY, tag_length=bthome.MIC_BYTES).encrypt(closed.nonce(ADDRESS), b"\x3a\x01", None)
    cut = len(whole) - bthome.MIC_BYTES
    return b"\x41" + whole[:cut] + (1000).to_bytes(4, "little") + whole[cut:]


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """A good value with some bytes changed, cut short or with more behind it."""
    def damage(changes: list[tuple[int, int]], length: int, more: bytes) -> bytes:
        made = bytearray(good)
        for place, value in changes:
            made[place] = value
        return bytes(made[:length]) + more

    changes = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=4)
    return st.builds(damage, changes, st.integers(0, len(good)) | st.just(len(good)), st.binary(max_size=4))


def bytes_for(decode: Callable[[bytes], object]) -> st.SearchStrategy[bytes]:
    """Random and damaged bytes; of what is sealed, no bytes that are as they were."""
    any_bytes = st.binary(max_size=48)
    if decode is sealed:
        return any_bytes | damaged(_sealed()).filter(lambda data: data != _sealed())
    return any_bytes | damaged(bytes.fromhex(VALID[decode])) if decode in VALID else any_bytes


@pytest.mark.parametrize("decode", VALID, ids=lambda decode: f"{decode.__module__.split('.')[-1]}.{decode.__name__}")
def test_what_is_damaged_at_night_is_good_before(decode: Callable[[bytes], object]) -> None:
    decode(bytes.fromhex(VALID[decode]))


def test_what_is_sealed_opens_as_it_was() -> None:
    with pytest.raises(AssertionError):
        sealed(_sealed())


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: f"{decode.__module__.split('.')[-1]}.{decode.__name__}")
def test_a_hundred_thousand_times_any_bytes_are_marked_or_finite_or_a_typed_error(
        decode: Callable[[bytes], object]) -> None:
    @settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(bytes_for(decode))
    def any_bytes(data: bytes) -> None:
        with contextlib.suppress(DecodeError):
            decoded = decode(data)
            for value in getattr(decoded, "values", ()) if not isinstance(decoded, dict) else ():
                if isinstance(value, Quantity):
                    assert math.isfinite(value.value)

    any_bytes()
