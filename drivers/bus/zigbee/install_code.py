# SPDX-License-Identifier: GPL-3.0-or-later
"""Install codes: a device's own key for joining, printed on it (Zigbee Base Device Behaviour 3.0.1, 10.1). Pure.

Taken as `EUI-64 code`, or as the text of the device's QR code: `Z:<EUI-64>$I:<code>`, `...%Z$A:<EUI-64>$I:<code>`.
"""

import re
from typing import NamedTuple

_QR = re.compile(r"(?:Z:|\$A:)([0-9A-F]{16}).*?\$I:([0-9A-F]+)", re.IGNORECASE)
_PLAIN = re.compile(r"((?:[0-9A-F]{2}:){7}[0-9A-F]{2}|[0-9A-F]{16})\s+([0-9A-F -]+)", re.IGNORECASE)
_SIZES = (8, 10, 14, 18)  # bytes, with the checksum of two


class InstallCode(NamedTuple):
    """Whose it is, as 00:15:8d:..., and the code with its checksum."""

    ieee: str
    code: bytes


def parse(text: str) -> InstallCode:
    """Read one install code. Raises ValueError with what to do."""
    found = _QR.search(text) or _PLAIN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no install code: write EUI-64 and code, or the text of the QR code")
    address, digits = found[1].replace(":", "").lower(), re.sub("[ -]", "", found[2])
    code = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if len(code) not in _SIZES or crc(code[:-2]) != int.from_bytes(code[-2:], "little"):
        raise ValueError(f"the install code {digits} is mistyped (its checksum is wrong): read it off the device again")
    return InstallCode(":".join(address[at:at + 2] for at in range(0, 16, 2)), code)


def crc(data: bytes) -> int:
    """Return the CRC-16/X-25 of the code (Base Device Behaviour, 10.1.2)."""
    rest = 0xFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x8408 if rest & 1 else 0)
    return rest ^ 0xFFFF
