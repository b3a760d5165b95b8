"""Text messages as a modem wants them: SMS-SUBMIT out, SMS-STATUS-REPORT in. Pure. Source: 3GPP TS 23.040 V16.

Always UCS-2: Chinese needs it, and one alphabet is one way to be wrong. A message holds 70 UTF-16 units, a part of a
longer one 67, for 6 bytes of each part say which it is of how many (9.2.3.24.1).
"""

import re
from typing import NamedTuple

NUMBER = r"^\+?[0-9]{3,20}$"  # 9.1.2.5: at most 20 digits

SUBMIT, WITH_HEADER = 0x01 | 0x10 | 0x20, 0x40  # 9.2.2.2: SUBMIT, relative validity, status report wanted; UDHI
UCS2 = 0x08  # TP-DCS, 3GPP TS 23.038, 4
ONE_DAY = 0xA7  # TP-VP, 9.2.3.12.1: what an alarm says is old news after that
WHOLE, PART = 70, 67


class Submit(NamedTuple):
    """`length`: bytes for AT+CMGS, without the service centre's address; `pdu`: all of it in hexadecimal digits."""

    length: int
    pdu: str


class Delivery(NamedTuple):
    """What became of a message. `reference`: as +CMGS told it; `status`: TP-ST (9.2.3.15)."""

    reference: int
    status: int

    @property
    def delivered(self) -> bool:
        return self.status < 0x20

    @property
    def given_up(self) -> bool:
        """The network tries no more; between this and delivered it still does."""
        return self.status >= 0x40


def submit(number: str, text: str, reference: int) -> list[Submit]:
    """The parts that carry `text` to `number`, one if it fits. `reference`: of the parts to each other, 0..255."""
    if not re.match(NUMBER, number):
        raise ValueError(f"{number!r} is no telephone number")
    parts = _parts(text)
    made = []
    for index, part in enumerate(parts, 1):
        header = bytes([5, 0, 3, reference, len(parts), index]) if len(parts) > 1 else b""
        body = header + part.encode("utf-16-be", "replace")
        tpdu = (bytes([SUBMIT | (WITH_HEADER if header else 0), 0]) + _address(number)
                + bytes([0, UCS2, ONE_DAY, len(body)]) + body)
        made.append(Submit(len(tpdu), "00" + tpdu.hex().upper()))
    return made


def delivery(pdu: str) -> Delivery | None:
    """Read a status report (9.2.2.3); None where it is none."""
    try:
        data = bytes.fromhex(pdu)
        tpdu = data[1 + data[0]:]
        first, reference, digits = tpdu[:3]
        status = tpdu[3 + 1 + (digits + 1) // 2 + 7 + 7]
    except (ValueError, IndexError):
        return None
    return Delivery(reference, status) if first & 0x03 == 0x02 else None


def _parts(text: str) -> list[str]:
    """The text cut so that each part fits; a character of two UTF-16 units is never cut in two."""
    if _units(text) <= WHOLE:
        return [text]
    parts = [""]
    for character in text:
        if _units(parts[-1]) + _units(character) > PART:
            parts.append("")
        parts[-1] += character
    return parts[:255]


def _units(text: str) -> int:
    return len(text.encode("utf-16-be", "replace")) // 2


def _address(number: str) -> bytes:
    """9.1.2.5: count of digits, type of number, digits in swapped pairs, filled up with F."""
    digits = number.removeprefix("+")
    even = digits + "F" * (len(digits) % 2)
    swapped = "".join(even[at + 1] + even[at] for at in range(0, len(even), 2))
    return bytes([len(digits), 0x91 if number.startswith("+") else 0x81]) + bytes.fromhex(swapped)
