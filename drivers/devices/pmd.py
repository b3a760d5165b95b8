"""Polar Measurement Data (PMD): control point messages, frames of acceleration and PPI. Pure: bytes in, values out.

Source: Polar Measurement Data Specification, as published by Polar with its BLE SDK. A data frame is

    type u8 | timestamp of the last sample u64, ns | frame type u8: bit 7 = delta-compressed | samples

and compressed samples are one reference sample of 16-bit channels, followed by delta frames

    delta size in bits u8 | sample count u8 | count x channels deltas, packed from the lowest bit up, zero-padded

each delta against the sample before. All numbers are little-endian two's complement.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from itertools import chain

import msgspec

from drivers.devices.gatt_values import DecodeError

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ACC, PPI = 0x02, 0x03  # measurement types
TYPE_MASK = 0x3F  # the bits above tell online from offline recording
RESPONSE = 0xF0
MAX_SAMPLES = 1024  # of one frame: more than the longest attribute (512 bytes) holds at one bit a delta

_HEADER = struct.Struct("<BQB")
_BEAT = struct.Struct("<BHHB")
_CHANNELS = 3
_COMPRESSED = 0x80
_RAW_BYTES = {0: 1, 1: 2, 2: 3}  # frame type -> bytes of a channel, in milli-g
_COMPRESSED_TO_MG = {0: 1000.0, 1: 1.0}  # frame type -> milli-g in the unit that the factor leads to
_INT16 = range(-0x8000, 0x8000)


class Op(IntEnum):
    """Requests of the control point."""

    GET_SETTINGS = 0x01
    START = 0x02
    STOP = 0x03


class Status(IntEnum):
    """Error codes of a control point response that this driver treats each in its own way."""

    SUCCESS = 0
    INVALID_MEASUREMENT = 2
    NOT_SUPPORTED = 3
    ALREADY_IN_STATE = 6
    IN_CHARGER = 13


class Setting(IntEnum):
    """Types of a settings entry."""

    SAMPLE_RATE = 0  # Hz
    RESOLUTION = 1  # bit
    RANGE = 2  # g
    RANGE_MILLI = 3
    CHANNELS = 4
    FACTOR = 5  # float, raw value to unit
    SECURITY = 6


_SIZE = {Setting.SAMPLE_RATE: 2, Setting.RESOLUTION: 2, Setting.RANGE: 2, Setting.RANGE_MILLI: 4, Setting.CHANNELS: 1,
         Setting.FACTOR: 4, Setting.SECURITY: 16}

Settings = dict[Setting, tuple[float, ...]]


class Response(msgspec.Struct, frozen=True):
    """The control point's answer to one request; `status` is Status.SUCCESS or the device's error code."""

    op: int
    measurement: int
    status: int
    parameters: bytes


class AccFrame(msgspec.Struct, frozen=True):
    """One frame of acceleration. `last_ns`: the device's own clock at the last sample; samples in milli-g."""

    last_ns: int
    samples_mg: list[tuple[int, int, int]]


class Beat(msgspec.Struct, frozen=True):
    """One pulse-to-pulse interval, not to be trusted where the wearer `moved`. `contact`: None where it cannot tell."""

    interval_ms: int
    error_ms: int
    moved: bool
    contact: bool | None


def request(op: Op, measurement: int = ACC, settings: Settings | None = None) -> bytes:
    """Encode a control point request; a start carries one value of each setting."""
    body = bytes([op, measurement])
    for kind, values in (settings or {}).items():
        body += bytes([kind, 1]) + int(values[0]).to_bytes(_SIZE[kind], "little")
    return body


def decode_response(data: bytes) -> Response:
    """Decode an indication of the control point. Raises DecodeError."""
    if len(data) < 4 or data[0] != RESPONSE:
        raise DecodeError(f"no control point response: {data[:8].hex()}")
    return Response(data[1], data[2] & TYPE_MASK, data[3], data[5:])  # data[4]: more to come, never for settings


def decode_settings(data: bytes) -> Settings:
    """Decode a list of entries: type u8, count u8, count values each. Raises DecodeError."""
    settings: Settings = {}
    while data:
        if len(data) < 2 or data[0] not in _SIZE:
            raise DecodeError(f"settings cannot go on with {data[:4].hex()}")
        kind, count = Setting(data[0]), data[1]
        size = _SIZE[kind]
        values, data = data[2:2 + count * size], data[2 + count * size:]
        if len(values) < count * size:
            raise DecodeError(f"setting {kind.name} is cut short")
        if kind is Setting.FACTOR:
            settings[kind] = struct.unpack(f"<{count}f", values)
        else:
            settings[kind] = tuple(int.from_bytes(values[i:i + size], "little") for i in range(0, len(values), size))
    return settings


def decode_acc(data: bytes, factor: float) -> AccFrame:
    """Decode a data frame of acceleration; `factor` as the start's response gave it, else 1. Raises DecodeError."""
    if len(data) < _HEADER.size:
        raise DecodeError(f"frame of {len(data)} bytes")
    measurement, last_ns, kind = _HEADER.unpack_from(data)
    if measurement & TYPE_MASK != ACC:
        raise DecodeError(f"measurement type {measurement} was not asked for")
    content, kind, compressed = data[_HEADER.size:], kind & ~_COMPRESSED, bool(kind & _COMPRESSED)
    if compressed and kind in _COMPRESSED_TO_MG:
        samples = _scaled(_undelta(content), factor * _COMPRESSED_TO_MG[kind])
    elif not compressed and kind in _RAW_BYTES:
        samples = _raw(content, _RAW_BYTES[kind])
    else:
        raise DecodeError(f"unknown frame type {kind:#x}, compressed: {compressed}")
    if not samples:
        raise DecodeError("frame without samples")
    if any(value not in _INT16 for value in chain.from_iterable(samples)):
        raise DecodeError("acceleration beyond 32 g")
    return AccFrame(last_ns, samples)


def decode_ppi(data: bytes) -> list[Beat]:
    """Decode a data frame of pulse-to-pulse intervals, whose timestamp says nothing. Raises DecodeError.

    A sample: heart rate u8, interval u16 ms, error estimate u16 ms, flags u8: bit 0 blocked by movement, bit 1 skin
    contact, bit 2 contact is supported.
    """
    if len(data) < _HEADER.size:
        raise DecodeError(f"frame of {len(data)} bytes")
    measurement, _, kind = _HEADER.unpack_from(data)
    content = data[_HEADER.size:]
    if measurement & TYPE_MASK != PPI or kind != 0:
        raise DecodeError(f"measurement type {measurement}, frame type {kind:#x} are no intervals")
    if not content or len(content) % _BEAT.size:
        raise DecodeError(f"{len(content)} bytes are no whole intervals")
    return [Beat(interval_ms, error_ms, bool(flags & 0x01), bool(flags & 0x02) if flags & 0x04 else None)
            for _, interval_ms, error_ms, flags in _BEAT.iter_unpack(content)]


def _raw(content: bytes, size: int) -> list[tuple[int, int, int]]:
    if len(content) % (size * _CHANNELS):
        raise DecodeError(f"{len(content)} bytes are no whole samples")
    values = [_signed(content[i:i + size]) for i in range(0, len(content), size)]
    return list(zip(*[iter(values)] * _CHANNELS, strict=True))


def _undelta(content: bytes) -> list[tuple[int, int, int]]:
    reference_size = 2 * _CHANNELS
    if len(content) < reference_size:
        raise DecodeError("reference sample is cut short")
    x, y, z = struct.unpack_from("<hhh", content)
    samples = [(x, y, z)]
    for dx, dy, dz in _deltas(content[reference_size:]):
        x, y, z = x + dx, y + dy, z + dz
        samples.append((x, y, z))
        if len(samples) > MAX_SAMPLES:
            raise DecodeError(f"more than {MAX_SAMPLES} samples in one frame")
    return samples


def _deltas(content: bytes) -> Iterator[tuple[int, int, int]]:
    while content:
        if len(content) < 2:
            raise DecodeError("delta frame without a sample count")
        width_bits, count = content[0], content[1]
        if width_bits > 32:
            raise DecodeError(f"deltas of {width_bits} bit")
        size = (width_bits * count * _CHANNELS + 7) // 8
        packed, content = content[2:2 + size], content[2 + size:]
        if len(packed) < size:
            raise DecodeError("delta frame is cut short")
        bits = int.from_bytes(packed, "little")
        mask, sign = (1 << width_bits) - 1, (1 << width_bits) >> 1
        for _ in range(count):
            triple = []
            for _ in range(_CHANNELS):
                triple.append(((bits & mask) ^ sign) - sign)
                bits >>= width_bits
            yield triple[0], triple[1], triple[2]


def _scaled(samples: list[tuple[int, int, int]], factor: float) -> list[tuple[int, int, int]]:
    if factor == 1.0:
        return samples
    return [(round(x * factor), round(y * factor), round(z * factor)) for x, y, z in samples]


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)
