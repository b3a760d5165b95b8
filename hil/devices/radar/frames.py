"""What the radars send, built field by field; nothing here can read a frame.

Sources: the frames that ESPHome's components ld2410, ld2450, seeed_mr60fda2 and seeed_mr60bha2 expect.
"""

import struct
from collections.abc import Sequence


def ld2410(state: int, distance_cm: int, energy: int) -> bytes:
    """A basic report. `state`: 0 nobody, 1 moving, 2 still, 3 both."""
    moving = (distance_cm, energy) if state & 1 else (0, 0)
    still = (distance_cm, energy) if state & 2 else (0, 0)
    payload = b"\x02\xaa" + bytes([state])
    payload += moving[0].to_bytes(2, "little") + bytes([moving[1]]) + still[0].to_bytes(2, "little") + bytes([still[1]])
    payload += distance_cm.to_bytes(2, "little") + b"\x55\x00"
    return b"\xf4\xf3\xf2\xf1" + len(payload).to_bytes(2, "little") + payload + b"\xf8\xf7\xf6\xf5"


def ld2450(targets: Sequence[tuple[int, int, int]]) -> bytes:
    """A report on up to three targets: x in mm, y in mm, speed in cm/s."""
    body = b""
    for x, y, speed in targets:
        for value in (x, y, speed):
            body += (abs(value) + (0x8000 if value >= 0 else 0)).to_bytes(2, "little")
        body += (360).to_bytes(2, "little")
    return b"\xaa\xff\x03\x00" + body.ljust(24, b"\x00") + b"\x55\xcc"


def mr60(kind: int, data: bytes) -> bytes:
    head = b"\x01\x00\x00" + len(data).to_bytes(2, "big") + kind.to_bytes(2, "big")
    return head + _check(head) + data + _check(data)


def _check(data: bytes) -> bytes:
    total = 0
    for byte in data:
        total ^= byte
    return bytes([~total & 0xFF])


def fall(active: bool) -> bytes:
    return mr60(0x0E02, bytes([active]))


def person(there: bool, size: int) -> bytes:
    """`size`: bytes of the value, 1 from an MR60FDA2, 2 from an MR60BHA2."""
    return mr60(0x0F09, int(there).to_bytes(size, "little"))


def breath(per_min: float) -> bytes:
    return mr60(0x0A14, struct.pack("<f", per_min))


def heart(per_min: float) -> bytes:
    return mr60(0x0A15, struct.pack("<f", per_min))


def parameters() -> bytes:
    """An MR60FDA2's answer to a request for them: mounted at 2.7 m, threshold 0.6 m, sensitivity 3."""
    return mr60(0x0E06, struct.pack("<ffI", 2.7, 0.6, 3))
