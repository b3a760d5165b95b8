"""Text messages, the network's side: SMS-SUBMIT in, SMS-STATUS-REPORT out (3GPP TS 23.040, 9.2.2.2 and 9.2.2.3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message or part of one. `part`: (reference, of how many, which), None for a whole one."""

    number: str
    text: str
    part: tuple[int, int, int] | None
    wants_report: bool


def parse(pdu: str, length: int) -> Message | None:
    """Read what a program gave with AT+CMGS=`length`; None where it is damaged: the network then refuses it."""
    try:
        octets = list(bytes.fromhex(pdu))
    except ValueError:
        return None
    octets = octets[1 + octets[0]:] if octets else []  # the service centre's address is not counted
    if len(octets) != length or length < 10 or octets[0] & 3 != 1:
        return None
    first, digits, kind = octets[0], octets[2], octets[3]
    packed = octets[4 : 4 + (digits + 1) // 2]
    number = ("+" if kind & 0x70 == 0x10 else "") + "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in packed)
    rest = octets[4 + len(packed):]
    coding, rest = rest[1], rest[2:]
    rest = rest[{0x00: 0, 0x10: 1, 0x08: 7, 0x18: 7}[first & 0x18]:]
    data = bytes(rest[1:])
    if coding != 8 or len(data) != rest[0]:
        return None
    part = None
    if first & 0x40:
        header, data = data[: 1 + data[0]], data[1 + data[0]:]
        if header[:3] == b"\x05\x00\x03":
            part = (header[3], header[4], header[5])
    text = data.decode("utf-16-be")
    return Message(number.rstrip("f"), text, part, bool(first & 0x20))


def status_report(reference: int, number: str, status: int) -> str:
    """Of a message that was taken and settled at noon of 2026-01-01."""
    digits = number.lstrip("+")
    padded = digits + "f" * (len(digits) % 2)
    swapped = "".join(second + first for first, second in zip(padded[::2], padded[1::2], strict=True))
    address = f"{len(digits):02x}{'91' if number.startswith('+') else '81'}{swapped}"
    noon = "62101021000023"
    return f"0006{reference:02x}{address}{noon}{noon}{status:02x}".upper()
