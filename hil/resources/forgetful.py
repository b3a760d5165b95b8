"""A broker that acknowledges and forgets, before a real one: MQTT packets in; which are answered and go no further.

Pure. Only the frame of a packet is read (MQTT 3.1.1 and 5, 2.1), and of a PUBLISH its topic's length and its packet
identifier (3.3). A PUBACK of two bytes means success in both versions (3.4.2.1).
"""

import random

_PUBLISH, _PUBACK = 3, 4
_QOS_1 = 0b010
_QOS_BITS = 0b110


class Frames:
    """Cuts a stream of bytes into whole packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the packets that are whole now."""
        self._rest += data
        packets = []
        while (end := _end(self._rest)) is not None and end <= len(self._rest):
            packets.append(self._rest[:end])
            self._rest = self._rest[end:]
        return packets


class Forgetful:
    """Acknowledges publications and drops them, each with probability `chance`; passes all else."""

    def __init__(self, chance: float, seed: int) -> None:
        self.chance = chance
        self._random = random.Random(seed)

    def answer(self, packet: bytes) -> bytes | None:
        """Return the PUBACK for a publication that goes no further, None for a packet that passes."""
        if packet[0] >> 4 != _PUBLISH or packet[0] & _QOS_BITS != _QOS_1 or self._random.random() >= self.chance:
            return None
        body = packet[_body(packet):]
        after_topic = 2 + int.from_bytes(body[:2], "big")
        return bytes([_PUBACK << 4, 2]) + body[after_topic: after_topic + 2]


def _end(data: bytes) -> int | None:
    """Return where the first packet ends, None where its length has not come yet."""
    length, start = 0, _body(data)
    if start > len(data):
        return None
    for place, byte in enumerate(data[1:start]):
        length |= (byte & 0x7F) << 7 * place
    return start + length


def _body(data: bytes) -> int:
    """Return where a packet's body begins, beyond the data where its length is not whole (2.1.4: at most 4 bytes)."""
    place = 1
    while place < len(data) and data[place] & 0x80 and place < 4:
        place += 1
    return place + 1
