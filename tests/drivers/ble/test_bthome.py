"""BTHome: the format's own examples, rules of the receiver, an oracle, and any bytes."""

import contextlib
import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.bthome import SERVICE, Packet, PressKind, Sealed, decode, decode_objects
from drivers.devices.bthome_sensor import (
    REPEAT_S,
    RESTARTED,
    SENSOR,
    SHELLY_BUTTON,
    STALE,
    BTHomeSettings,
    Receiver,
)
from drivers.devices.gatt_values import DecodeError
from drivers.testkit.advert import FakeAdverts, FakeNotes
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.reading import Binary, BinaryKind, Button, Press, Quantity, QuantityKind
from gateway.spi import DeviceRejected
from tests.drivers.ble.kit import played

ADDRESS = "54:48:E6:8F:80:A5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
TEMPERATURE, HUMIDITY = QuantityKind.TEMPERATURE, QuantityKind.HUMIDITY


def plain(objects: str) -> bytes:
    return bytes.fromhex("40" + objects)


def sealed(objects: str, counter: int, key: bytes = KEY) -> bytes:
    """Encrypt as a device does: bthome.io/encryption."""
    count = counter.to_bytes(4, "little")
    nonce = bytes.fromhex(ADDRESS.replace(":", "")) + bytes.fromhex("d2fc41") + count
    both = AESCCM(key, tag_length=4).encrypt(nonce, bytes.fromhex(objects), None)
    return b"\x41" + both[:-4] + count + both[-4:]


@pytest.mark.parametrize(("objects", "values"), [
    ("02c409 03bf13", (Quantity(TEMPERATURE, 25.0), Quantity(HUMIDITY, 50.55))),  # 0x09C4 = 2500, 0x13BF = 5055
    ("0161", (Quantity(QuantityKind.BATTERY, 97),)),
    ("02f6ff", (Quantity(TEMPERATURE, -0.1),)),  # 0xFFF6 = -10
    ("451101", (Quantity(TEMPERATURE, 27.3),)),  # 0x0111 = 273
    ("57ea", (Quantity(TEMPERATURE, -22),)),
    ("58ea", (Quantity(TEMPERATURE, -7.7),)),  # -22 x 0.35
    ("2e23", (Quantity(HUMIDITY, 35),)),
    ("1a01", (Binary(BinaryKind.CONTACT, active=True),)),
    ("2d00", (Binary(BinaryKind.CONTACT, active=False),)),
    ("1701 1c01 2001", (Binary(BinaryKind.CO, active=True), Binary(BinaryKind.GAS, active=True),
                        Binary(BinaryKind.WATER, active=True))),
    ("2101 2901 2b01", (Binary(BinaryKind.MOTION, active=True), Binary(BinaryKind.SMOKE, active=True),
                        Binary(BinaryKind.TAMPER, active=True))),
    ("05138a14 2c01 2900", (Binary(BinaryKind.SMOKE, active=False),)),  # light and vibration are stepped over
    ("530548656c6c6f 2901", (Binary(BinaryKind.SMOKE, active=True),)),  # text of five letters
    ("01fe", (Quantity(QuantityKind.BATTERY, 254, plausible=False),)),
])
def test_objects_are_decoded_as_the_format_says(objects: str, values: tuple[Binary | Quantity, ...]) -> None:
    assert decode(plain(objects)) == Packet(None, values)


@pytest.mark.parametrize(("code", "presses"), [
    ("00", ()), ("01", (PressKind.PRESS,)), ("02", (PressKind.DOUBLE,)), ("03", (PressKind.TRIPLE,)),
    ("04", (PressKind.LONG,)), ("05", (PressKind.LONG_DOUBLE,)), ("06", (PressKind.LONG_TRIPLE,)),
    ("80", (PressKind.HOLD,)), ("81", ()), ("7b", (PressKind.PRESS,))])
def test_a_button_tells_how_it_was_pressed(code: str, presses: tuple[PressKind, ...]) -> None:
    assert decode(plain(f"0009 0164 3a{code}")) == Packet(9, (Quantity(QuantityKind.BATTERY, 100),), presses)


def test_two_buttons_of_one_device_are_two_presses() -> None:
    assert decode_objects(bytes.fromhex("3a00 3a01 3a04")).presses == (PressKind.PRESS, PressKind.LONG)


def test_an_unknown_object_ends_decoding_and_what_came_before_counts() -> None:
    assert decode_objects(bytes.fromhex("2901 ee 1c01")) == Packet(None, (Binary(BinaryKind.SMOKE, active=True),))


@pytest.mark.parametrize("data", ["", "20 2901", "00 2901", "40 02c4", "41 0011", "40 5305aa"])
def test_damage_and_other_versions_are_a_typed_error(data: str) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(data))


def test_the_formats_own_encrypted_example_is_opened() -> None:
    data = bytes.fromhex("41 a47266c95f73 00112233 78237214")
    assert decode(data) == Sealed(0x41, bytes.fromhex("a47266c95f73"), 0x33221100, bytes.fromhex("78237214"))
    packet = Receiver(ADDRESS, KEY).packet(data, 0.0)
    assert packet == Packet(None, (Quantity(TEMPERATURE, 25.06), Quantity(HUMIDITY, 50.55)))


# -- rules of the receiver ---------------------------------------------------------------------------------------------

def test_a_packet_id_counts_once_while_it_is_repeated_and_anew_a_minute_later() -> None:
    receiver, press = Receiver(ADDRESS), plain("0009 3a01")
    heard_s = [0.0, 0.1, 50.0, 50.0 + REPEAT_S, 51.0 + 2 * REPEAT_S]
    assert [receiver.packet(press, mono_s) is not None for mono_s in heard_s] == [True, False, False, False, True]
    assert receiver.packet(plain("000a 3a01"), heard_s[-1] + 0.1) is not None


def test_without_packet_ids_the_same_bytes_are_a_repeat() -> None:
    receiver = Receiver(ADDRESS)
    said = [plain("1a01"), plain("1a01"), plain("1a00"), plain("1a01")]
    assert [receiver.packet(data, 0.0) is not None for data in said] == [True, False, True, True]


def test_a_replayed_counter_is_not_believed_even_after_a_restart() -> None:
    receiver = Receiver(ADDRESS, KEY)
    assert receiver.packet(sealed("3a01", 500), 0.0) is not None
    assert receiver.packet(sealed("3a01", 500), 0.0) is None
    again = Receiver(ADDRESS, KEY, receiver.note)
    assert again.packet(sealed("3a01", 499), 0.0) is None
    assert again.packet(sealed("3a01", 500), 0.0) is None
    assert again.packet(sealed("3a01", 501), 0.0) is not None


def test_a_new_battery_counts_from_nought_and_is_believed() -> None:
    receiver = Receiver(ADDRESS, KEY)
    receiver.packet(sealed("3a01", 500), 0.0)
    assert receiver.packet(sealed("3a01", RESTARTED - 1), 0.0) is not None
    assert receiver.packet(sealed("3a01", RESTARTED), 0.0) is not None


def test_a_counter_that_stays_behind_is_for_people_to_judge_and_a_new_key_settles_it() -> None:
    receiver = Receiver(ADDRESS, KEY)
    receiver.packet(sealed("3a01", 500), 0.0)
    for counter in range(200, 200 + STALE - 1):
        assert receiver.packet(sealed("3a01", counter), 0.0) is None
    with pytest.raises(DeviceRejected, match="bind key"):
        receiver.packet(sealed("3a01", 300), 0.0)
    other = bytes(16)
    assert Receiver(ADDRESS, other, receiver.note).packet(sealed("3a01", 200, other), 0.0) is not None


def test_a_wrong_key_is_told_at_once_but_noise_does_not_shut_out_a_device_whose_key_fits() -> None:
    with pytest.raises(DeviceRejected, match="correct key"):
        Receiver(ADDRESS, bytes(16)).packet(sealed("3a01", 1), 0.0)
    receiver = Receiver(ADDRESS, KEY)
    receiver.packet(sealed("3a01", 1), 0.0)
    assert receiver.packet(sealed("3a01", 2, bytes(16)), 0.0) is None
    assert receiver.packet(sealed("3a01", 2), 0.0) is not None


def test_an_encrypting_device_without_a_key_is_told_and_a_plain_frame_with_one_is_not_believed() -> None:
    with pytest.raises(DeviceRejected, match="bind key"):
        Receiver(ADDRESS).packet(sealed("3a01", 1), 0.0)
    assert Receiver(ADDRESS, KEY).packet(plain("3a01"), 0.0) is None


# -- sessions ----------------------------------------------------------------------------------------------------------

def heard(said: list[bytes], notes: FakeNotes | None = None, **settings: Any) -> RecordedLink[BTHomeSettings]:
    link = RecordedLink(BTHomeSettings(address=ADDRESS, **settings))

    async def whole() -> None:
        port = FakeAdverts(ADDRESS, notes)

        async def say() -> None:
            for data in said:
                port.say({SERVICE: data})
            port.say({"0000180f-0000-1000-8000-00805f9b34fb": b"\x50"})

        assert await played(SHELLY_BUTTON.run(link, port), say()) is None

    run_virtual(whole())
    return link


def test_every_kind_of_press_is_an_sos_unless_told_otherwise() -> None:
    said = [plain("0001 3a01"), plain("0002 3a04")]
    assert heard(said).values == [Press(Button.SOS), Press(Button.SOS)]
    assert heard(said, presses={PressKind.LONG: Button.CANCEL}).values == [Press(Button.SOS), Press(Button.CANCEL)]


def test_a_burst_is_one_press_and_levels_are_told_when_they_change() -> None:
    said = [plain("0001 2d01"), plain("0001 2d01"), plain("0002 2d01"), plain("0003 2d00")]
    link = heard(said)
    assert link.values == [Binary(BinaryKind.CONTACT, active=True), Binary(BinaryKind.CONTACT, active=False)]
    assert link.lives == 2


def test_the_counter_outlives_the_session() -> None:
    notes = FakeNotes()
    assert len(heard([sealed("3a01", 7)], notes, key=KEY.hex()).values) == 1
    assert heard([sealed("3a01", 7)], notes, key=KEY.hex()).values == []


def test_a_button_is_ready_at_once_for_it_is_silent_for_months() -> None:
    assert heard([]).is_ready.is_set()
    assert SHELLY_BUTTON.silence_s is None
    assert SENSOR.silence_s is not None


def test_damage_ends_nothing() -> None:
    assert heard([b"", b"\x40\x02", b"\xff" * 20, plain("3a01")]).values == [Press(Button.SOS)]


# -- an oracle, and any bytes ------------------------------------------------------------------------------------------

def oracle(data: bytes) -> dict[str, Any]:
    """What the package bthome-ble reads in the same service data."""
    parser = pytest.importorskip("bthome_ble").BTHomeBluetoothDeviceData()
    info = pytest.importorskip("habluetooth").BluetoothServiceInfoBleak
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData
    advertisement = AdvertisementData("x", {}, {SERVICE: data}, [], None, -60, ())
    update = parser.update(info(
        name="x", address=ADDRESS, rssi=-60, manufacturer_data={}, service_data={SERVICE: data}, service_uuids=[],
        source="x", device=BLEDevice(ADDRESS, "x", {}), advertisement=advertisement, connectable=False, time=0.0,
        tx_power=None))
    found = {key.key: value.native_value for key, value in update.entity_values.items()}
    found |= {key.key: value.native_value for key, value in update.binary_entity_values.items()}
    return found | {key.key: value.event_type for key, value in update.events.items()}


# Not 0x58, which it rounds to tenths.
NUMBER = st.one_of(*(
    st.tuples(st.just(object_id), st.binary(min_size=size, max_size=size))
    for object_id, size in ((0x01, 1), (0x02, 2), (0x03, 2), (0x2E, 1), (0x45, 2), (0x57, 1))))
NAME = {TEMPERATURE: "temperature", HUMIDITY: "humidity", QuantityKind.BATTERY: "battery"}


@given(NUMBER)
def test_numbers_agree_with_another_implementation(said: tuple[int, bytes]) -> None:
    data = b"\x40" + bytes([said[0]]) + said[1]
    packet = decode(data)
    assert isinstance(packet, Packet)
    (value,) = packet.values
    assert isinstance(value, Quantity)
    assert value.value == pytest.approx(oracle(data)[NAME[value.kind]], abs=1e-6)


@pytest.mark.parametrize(("object_id", "name"), [
    (0x15, "battery"), (0x17, "carbon_monoxide"), (0x1A, "door"), (0x1B, "garage_door"), (0x1C, "gas"),
    (0x20, "moisture"), (0x21, "motion"), (0x23, "occupancy"), (0x26, "problem"), (0x29, "smoke"), (0x2B, "tamper"),
    (0x2D, "window"), (0x11, "opening"), (0x16, "battery_charging")])
def test_levels_agree_with_another_implementation(object_id: int, name: str) -> None:
    for level in (0, 1):
        data = bytes([0x40, object_id, level])
        packet = decode(data)
        assert isinstance(packet, Packet)
        assert packet.values[0] == Binary(packet.values[0].kind, active=bool(level))  # type: ignore[arg-type]
        assert oracle(data)[name] == bool(level)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 0x80])
def test_presses_agree_with_another_implementation(code: int) -> None:
    data = bytes([0x40, 0x3A, code])
    packet = decode(data)
    assert isinstance(packet, Packet)
    assert [press.value for press in packet.presses] == [oracle(data)["button"]]


@given(st.binary(max_size=40))
def test_any_bytes_are_a_packet_or_a_typed_error(data: bytes) -> None:
    for read in (decode, decode_objects):
        with contextlib.suppress(DecodeError):
            decoded = read(data)
            values = decoded.values if isinstance(decoded, Packet) else ()
            assert all(math.isfinite(value.value) for value in values if isinstance(value, Quantity))


@given(st.binary(max_size=40))
def test_any_bytes_are_no_alarm_of_a_device_with_a_key(data: bytes) -> None:
    receiver = Receiver(ADDRESS, KEY)
    receiver.packet(sealed("3a00", 1), 0.0)
    with contextlib.suppress(DecodeError):
        assert receiver.packet(data, 1.0) is None
