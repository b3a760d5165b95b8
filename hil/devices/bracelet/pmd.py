"""Polar Measurement Data from the sensor's side: control point answers and delta-compressed acceleration frames.

Written from Polar's Measurement Data Specification, independently of any decoder. Numbers are little-endian.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from hil.devices.bracelet.motion import RATE_HZ, Samples

SERVICE = "FB005C80-02E7-F387-1CAD-8ACD2D8DF0C8"
CONTROL_POINT = "FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8"
DATA = "FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8"

ACC = 0x02
FEATURES = bytes([0x0F, 1 << ACC, 0x00])  # reading the control point tells which measurements there are
FACTOR_G = 1 / 4096  # of one raw unit: 16 bit over +-8 g
COMPRESSED_TYPE_0 = 0x80  # raw units; the factor leads to g

_GET_SETTINGS, _START, _STOP = 1, 2, 3
_OK, _BAD_OP, _BAD_TYPE, _BAD_LENGTH, _BAD_PARAMETER, _ALREADY, _BAD_RESOLUTION, _BAD_RATE, _BAD_RANGE = (
    0, 1, 2, 4, 5, 6, 7, 8, 9)
_BAD_CHANNELS = 11
IN_CHARGER = 13
_RATE, _RESOLUTION, _RANGE, _CHANNELS, _FACTOR = 0, 1, 2, 4, 5
_RANGE_G, _RESOLUTION_BIT, _CHANNEL_COUNT = 8, 16, 3
_DELTA_GROUP = 8  # samples that share one bit width


class Measurement:
    """The state of the acceleration measurement, driven by requests on the control point."""

    def __init__(self) -> None:
        self.running = False
        self.in_charger = False

    def answer(self, request: bytes) -> bytes:
        """Do one request; return the indication that answers it."""
        op, kind = (request[0], request[1]) if len(request) >= 2 else (request[0] if request else 0, 0)
        status, parameters = self._do(op, kind, request[2:])
        return bytes([0xF0, op, kind, status, 0x00]) + parameters

    def _do(self, op: int, kind: int, body: bytes) -> tuple[int, bytes]:
        if op not in (_GET_SETTINGS, _START, _STOP):
            return _BAD_OP, b""
        if kind != ACC:
            return _BAD_TYPE, b""
        if op == _GET_SETTINGS:
            return _OK, (struct.pack("<BBH", _RATE, 1, RATE_HZ) + struct.pack("<BBH", _RESOLUTION, 1, _RESOLUTION_BIT)
                         + struct.pack("<BBH", _RANGE, 1, _RANGE_G) + struct.pack("<BBB", _CHANNELS, 1, _CHANNEL_COUNT))
        if op == _STOP:
            self.running = False
            return _OK, b""
        if self.in_charger:
            return IN_CHARGER, b""
        if self.running:
            return _ALREADY, b""
        if status := _check(body):
            return status, b""
        self.running = True
        return _OK, struct.pack("<BBf", _FACTOR, 1, FACTOR_G)


def _check(body: bytes) -> int:
    """Check the settings of a start; return an error code, 0 if they are right."""
    wanted = {_RATE: (RATE_HZ, 2, _BAD_RATE), _RESOLUTION: (_RESOLUTION_BIT, 2, _BAD_RESOLUTION),
              _RANGE: (_RANGE_G, 2, _BAD_RANGE), _CHANNELS: (_CHANNEL_COUNT, 1, _BAD_CHANNELS)}
    while body:
        if body[0] not in wanted:
            return _BAD_PARAMETER
        value, size, error = wanted.pop(body[0])
        if len(body) < 2 + size:
            return _BAD_LENGTH
        if body[1] != 1 or int.from_bytes(body[2:2 + size], "little") != value:
            return error
        body = body[2 + size:]
    return _BAD_PARAMETER if wanted else _OK


def raw_units(samples_mg: Samples) -> Samples:
    """What the sensor itself counts."""
    return np.clip(np.rint(samples_mg / (1000 * FACTOR_G)), -32768, 32767).astype(np.int16)


def frame(raw: Samples, last_ns: int) -> bytes:
    """One data notification: header, reference sample, delta frames."""
    body: bytes = struct.pack("<BQB", ACC, last_ns, COMPRESSED_TYPE_0) + raw[0].astype("<i2").tobytes()
    wide = raw.astype(np.int32)
    deltas = wide[1:] - wide[:-1]
    for start in range(0, len(deltas), _DELTA_GROUP):
        body += _delta_frame(deltas[start:start + _DELTA_GROUP])
    return body


def _delta_frame(deltas: NDArray[np.int32]) -> bytes:
    """Bit width, sample count, and the deltas packed from the lowest bit up."""
    width_bits = 1 + max(int(value if value >= 0 else ~value).bit_length() for value in deltas.flat)
    packed = 0
    for place, value in enumerate(deltas.flat):
        packed |= (int(value) & ((1 << width_bits) - 1)) << (place * width_bits)
    size = (deltas.size * width_bits + 7) // 8
    return bytes([width_bits, len(deltas)]) + packed.to_bytes(size, "little")


def fitting(raw: Samples, limit_bytes: int) -> int:
    """How many samples from the front make the longest frame that does not exceed the limit."""
    if len(frame(raw, 0)) <= limit_bytes:
        return len(raw)  # nearly always: the search below encodes six times
    low, high = 1, len(raw)
    while low < high:
        middle = (low + high + 1) // 2
        if len(frame(raw[:middle], 0)) <= limit_bytes:
            low = middle
        else:
            high = middle - 1
    return low
