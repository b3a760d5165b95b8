"""MT frames: FE length cmd0 cmd1 data FCS (MT, 2.1). Pure."""

from typing import NamedTuple

SOF = 0xFE
MAX_DATA = 250  # MT, 2.1.1
OVERHEAD = 5

# cmd0: bits 7-5 the type, bits 4-0 the subsystem (MT, 2.1.2)
SREQ, AREQ, SRSP = 0x20, 0x40, 0x60
RPC_ERROR, SYS, AF, ZDO, UTIL, APP_CNF = 0x00, 0x01, 0x04, 0x05, 0x07, 0x0F


class Frame(NamedTuple):
    """One MT command."""

    cmd0: int
    cmd1: int
    data: bytes = b""


def fcs(body: bytes) -> int:
    """Return the XOR over everything between SOF and FCS (MT, 2.1.1)."""
    check = 0
    for byte in body:
        check ^= byte
    return check


def encode(frame: Frame) -> bytes:
    """Return the frame as it goes over the line. Raises ValueError beyond MAX_DATA bytes of data."""
    if len(frame.data) > MAX_DATA:
        raise ValueError(f"{len(frame.data)} bytes do not fit into an MT frame: send at most {MAX_DATA}")
    body = bytes((len(frame.data), frame.cmd0, frame.cmd1)) + frame.data
    return bytes((SOF,)) + body + bytes((fcs(body),))


class Parser:
    """Turns a stream of bytes into frames; noise and damaged frames are skipped and counted."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped_bytes = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they came, return the frames that are complete now."""
        self._buffer += data
        found: list[Frame] = []
        while True:
            start = self._buffer.find(SOF)
            self._skip(len(self._buffer) if start < 0 else start)
            if len(self._buffer) < OVERHEAD:
                return found
            size = self._buffer[1] + OVERHEAD
            if size > MAX_DATA + OVERHEAD:
                self._skip(1)
                continue
            if len(self._buffer) < size:
                return found
            raw = bytes(self._buffer[:size])
            if fcs(raw[1:-1]) != raw[-1]:
                self._skip(1)
                continue
            del self._buffer[:size]
            found.append(Frame(raw[2], raw[3], raw[4:-1]))

    def reset(self) -> None:
        self._buffer.clear()

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self.skipped_bytes += count
