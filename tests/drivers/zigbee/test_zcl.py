"""ZCL frames to messages."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee.zcl import MalformedFrame, asks_enrolment, decode
from gateway.spi import Attribute, ZclCommand, ZoneStatus

IAS, POWER = 0x0500, 0x0001


def report(number: int, *records: bytes) -> bytes:
    return bytes((0x18, number, 0x0A)) + b"".join(records)


def record(attribute: int, kind: int, raw: bytes) -> bytes:
    return struct.pack("<HB", attribute, kind) + raw


def test_a_zone_status_change_is_a_zone_status() -> None:
    assert decode(1.5, 1, IAS, bytes.fromhex("09 07 00 0101 00 17 0000")) == [ZoneStatus(1.5, 0x0101)]


def test_a_reported_or_read_zone_status_attribute_is_one_too() -> None:
    assert decode(1.0, 1, IAS, report(7, record(0x0002, 0x19, b"\x05\x00"))) == [ZoneStatus(1.0, 5, news=False)]
    read = bytes.fromhex("18 07 01 0000 00 30 01 0200 00 19 0100 1100 86")
    assert decode(1.0, 1, IAS, read) == [Attribute(1.0, 1, IAS, 0, 1), ZoneStatus(1.0, 1, news=False)]


def test_a_battery_report_is_an_attribute() -> None:
    assert decode(2.0, 1, POWER, report(9, record(0x21, 0x20, b"\x4d"))) == [Attribute(2.0, 1, POWER, 0x21, 77)]


@pytest.mark.parametrize(("kind", "raw", "value"), [
    (0x10, b"\x01", True), (0x20, b"\xfe", 254), (0x28, b"\xfe", -2), (0x29, b"\x00\x80", -32768),
    (0x22, b"\x01\x00\x01", 65537), (0x25, b"\x01\0\0\0\0\0", 1), (0x39, struct.pack("<f", 0.5), 0.5),
    (0x3A, struct.pack("<d", -2.0), -2.0), (0x38, struct.pack("<e", 1.5), 1.5),
    (0x42, b"\x03abc", "abc"), (0x42, b"\x04ab\0c", "ab"), (0x41, b"\x02\x00\xff", b"\x00\xff"), (0x42, b"\xff", ""),
    (0x44, b"\x02\x00hi", "hi"), (0xF0, bytes(range(8)), bytes(range(8))), (0x18, b"\x03", 3), (0x31, b"\x15\x00", 21),
])
def test_each_type_has_its_value(kind: int, raw: bytes, value: object) -> None:
    (message,) = decode(1.0, 2, 0x0702, report(1, record(5, kind, raw)))
    assert message == Attribute(1.0, 2, 0x0702, 5, value)  # type: ignore[arg-type]


def test_records_before_an_unknown_type_are_kept() -> None:
    frame = report(1, record(0x21, 0x20, b"\x10"), record(0x22, 0x4C, b"\x01\x00"))
    assert decode(1.0, 1, POWER, frame) == [Attribute(1.0, 1, POWER, 0x21, 16)]


def test_other_cluster_commands_are_passed_on() -> None:
    assert decode(1.0, 1, 0x0501, bytes.fromhex("01 05 02")) == [ZclCommand(1.0, 1, 0x0501, 2, b"")]


def test_a_manufacturers_own_command_is_no_zone_status() -> None:
    (message,) = decode(1.0, 1, IAS, bytes.fromhex("0d 0b12 07 00 0100"))
    assert isinstance(message, ZclCommand)


def test_an_enroll_request_is_told_from_a_status_change() -> None:
    assert asks_enrolment(IAS, bytes.fromhex("09 07 01 1500 0b12"))
    assert not asks_enrolment(IAS, bytes.fromhex("09 07 00 0100 00 00 0000"))
    assert not asks_enrolment(POWER, bytes.fromhex("09 07 01 1500 0b12"))


def test_a_default_response_tells_nothing() -> None:
    assert decode(1.0, 1, IAS, bytes.fromhex("18 07 0b 0000")) == []


@pytest.mark.parametrize("raw", ["", "09", "09 07", "09 07 00", "09 07 00 01", "0c 0b12 07", "18 07 0a 21",
                                 "18 07 0a 2100 21 01", "18 07 0a 2100 42 05 6162"])
def test_a_frame_that_ends_early_is_malformed(raw: str) -> None:
    with pytest.raises(MalformedFrame):
        decode(1.0, 1, IAS, bytes.fromhex(raw))


@given(st.integers(1, 240), st.integers(0, 0xFFFF), st.binary(max_size=80))
def test_no_bytes_from_the_air_raise_anything_else(endpoint: int, cluster: int, raw: bytes) -> None:
    try:
        messages = decode(1.0, endpoint, cluster, raw)
        asks_enrolment(cluster, raw)
    except MalformedFrame:
        return
    assert all(message.mono_s == 1.0 for message in messages)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)), min_size=1, max_size=8))
def test_every_record_of_a_report_comes_out_in_order(records: list[tuple[int, int]]) -> None:
    frame = report(3, *(record(attribute, 0x23, value.to_bytes(4, "little")) for attribute, value in records))
    messages = decode(4.0, 1, 0x0702, frame)
    assert messages == [Attribute(4.0, 1, 0x0702, attribute, value) for attribute, value in records]
