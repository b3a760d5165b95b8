"""The emulator's frames, against the worked examples of the specification and pymodbus' own reading of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from hil.devices.modbus import frame


def test_the_crc_is_the_one_of_the_specification() -> None:
    # Modbus over serial line V1.02, 6.2.2: slave 2, function 7 -> CRC 0x1241, sent low byte first
    assert frame.crc16(bytes([0x02, 0x07])) == bytes([0x41, 0x12])


@given(st.binary(min_size=1, max_size=256), st.integers(0, 2047))
def test_any_flipped_bit_breaks_the_crc(body: bytes, bit: int) -> None:
    whole = bytearray(frame.sealed(body))
    whole[bit // 8 % len(whole)] ^= 1 << bit % 8
    assert frame.crc16(bytes(whole[:-2])) != bytes(whole[-2:])


def test_the_worked_example_of_function_02_is_answered_byte_for_byte() -> None:
    # V1.1b3, 6.2: inputs 197 to 218 (address 0x00C4, 22 of them) -> AC DB 35
    levels = [False] * 196 + [bool(0xAC >> i & 1) for i in range(8)]
    levels += [bool(0xDB >> i & 1) for i in range(8)] + [bool(0x35 >> i & 1) for i in range(6)]
    body = frame.answer(frame.Request(1, 2, 0x00C4, 0x0016), levels, [])[1:-2]
    assert body == bytes.fromhex("0203ACDB35")


def test_the_worked_example_of_function_04_is_answered_byte_for_byte() -> None:
    # V1.1b3, 6.4: input register 9 (address 8) holds 10
    assert frame.answer(frame.Request(1, 4, 8, 1), [], [0] * 8 + [10])[1:-2] == bytes.fromhex("0402000A")


@pytest.mark.parametrize(("request_", "code"), [
    (frame.Request(1, 6, 0, 1), frame.ILLEGAL_FUNCTION),
    (frame.Request(1, 2, 8, 9), frame.ILLEGAL_ADDRESS),
    (frame.Request(1, 4, 16, 1), frame.ILLEGAL_ADDRESS),
    (frame.Request(1, 2, 0, 0), frame.ILLEGAL_VALUE),
    (frame.Request(1, 4, 0, 126), frame.ILLEGAL_VALUE),
])
def test_what_a_module_does_not_have_it_refuses(request_: frame.Request, code: int) -> None:
    body = frame.answer(request_, [False] * 16, [0] * 16)[:-2]
    assert body == bytes([1, request_.function | 0x80, code])


def test_a_damaged_request_is_no_request() -> None:
    good = frame.sealed(bytes.fromhex("010200000008"))
    assert frame.parse(good) == frame.Request(1, 2, 0, 8)
    assert frame.parse(good[:-1]) is None
    assert frame.parse(good[:-1] + bytes([good[-1] ^ 1])) is None


@given(st.lists(st.booleans(), min_size=1, max_size=64))
def test_pymodbus_reads_the_same_levels(levels: list[bool]) -> None:
    reply = frame.answer(frame.Request(9, 2, 0, len(levels)), levels, [])
    used, pdu = FramerRTU(DecodePDU(False)).handleFrame(reply, 9, 0)
    assert used == len(reply)
    assert pdu is not None
    assert pdu.bits[:len(levels)] == levels
