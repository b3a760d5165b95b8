"""Ids: unique for ever, and growing with time, so that what is written one after another lies side by side on disk."""

import secrets


def new_id(wall_s: float) -> str:
    """Return a UUID of version 7 as text (RFC 9562, 5.7). Uniqueness rests on its 74 random bits, not on the clock."""
    milliseconds = max(0, int(wall_s * 1000)) & (2**48 - 1)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (2**62 - 1)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
