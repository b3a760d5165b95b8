"""Modbus RTU frames, the server's side. Sources: Modbus over serial line V1.02, 2.5.1 and 6.2.2 (CRC); application
protocol V1.1b3, 6.2 and 6.4 (functions), 7 (exceptions).
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

READ_DISCRETE_INPUTS = 2
READ_INPUT_REGISTERS = 4
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
MAX_COUNT: Mapping[int, int] = {READ_DISCRETE_INPUTS: 2000, READ_INPUT_REGISTERS: 125}


def crc16(data: bytes) -> bytes:
    """Return the CRC of a frame, low byte first: polynomial 0xA001 (reflected), start 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def sealed(body: bytes) -> bytes:
    return body + crc16(body)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to read: `address` counts from 0."""

    unit: int
    function: int
    address: int
    count: int


def parse(frame: bytes) -> Request | None:
    """Read a request of 8 bytes; None where it is damaged or of another shape (its unit must then keep silent)."""
    if len(frame) != 8 or crc16(frame[:-2]) != frame[-2:]:
        return None
    return Request(*struct.unpack(">BBHH", frame[:-2]))


def refusal(request: Request, code: int) -> bytes:
    return sealed(bytes([request.unit, request.function | 0x80, code]))


def answer(request: Request, inputs: Sequence[bool], registers: Sequence[int]) -> bytes:
    """Answer a request as a module with these inputs and registers does."""
    if request.function not in MAX_COUNT:
        return refusal(request, ILLEGAL_FUNCTION)
    if not 1 <= request.count <= MAX_COUNT[request.function]:
        return refusal(request, ILLEGAL_VALUE)
    end = request.address + request.count
    if request.function == READ_DISCRETE_INPUTS:
        if end > len(inputs):
            return refusal(request, ILLEGAL_ADDRESS)
        number = sum(level << index for index, level in enumerate(inputs[request.address:end]))
        data = number.to_bytes((request.count + 7) // 8, "little")
    else:
        if end > len(registers):
            return refusal(request, ILLEGAL_ADDRESS)
        data = struct.pack(f">{request.count}H", *registers[request.address:end])
    return sealed(bytes([request.unit, request.function, len(data)]) + data)
