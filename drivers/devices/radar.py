"""Radars on a serial line: what all of them share. A radar speaks all the time; a session listens.

A presence that a radar sees comes and goes many times a second. What is seen counts at once; that it is gone only after
`clear_s` without it, so that a person who sits still is not told as leaving.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec

from drivers.devices.framing import Shape, split
from gateway.model.reading import Binary, BinaryKind, Measurement
from gateway.spi import DeviceRejected, Link, SerialPort

QUIET_S = 0.1
"""A pause that no radar makes inside a frame: 64 bytes take 6 ms at 115200 baud, a USB adapter adds up to 16 ms."""
STRANGE_BYTES = 4096
"""So much without one good frame is no noise: it is another baud rate, or another device."""

ClearS = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Held(msgspec.Struct, frozen=True):
    """A two-state value that is held for a while: what was told last, and when it was last seen."""

    told: bool | None = None
    seen_mono_s: float = 0.0


def hold(held: Held, seen: bool, mono_s: float, clear_s: float) -> tuple[Held, bool | None]:
    """Return what is held after one look, and what to tell: None where nothing has changed."""
    if seen:
        return Held(True, mono_s), None if held.told else True
    if held.told is None or (held.told and mono_s - held.seen_mono_s >= clear_s):
        return Held(False, held.seen_mono_s), False
    return held, None


class Watch:
    """The levels of one radar, kept over a session; seen() tells which of them are to be told."""

    def __init__(self, clear_s: float) -> None:
        self._clear_s = clear_s
        self._held: dict[BinaryKind, Held] = {}

    def seen(self, kind: BinaryKind, is_seen: bool, mono_s: float) -> list[Measurement]:
        self._held[kind], told = hold(self._held.get(kind, Held()), is_seen, mono_s, self._clear_s)
        return [] if told is None else [Binary(kind, told)]


async def listen(link: Link[Any], port: SerialPort, shape: Shape,
                 heard: Callable[[float, bytes], Iterable[Measurement]]) -> None:
    """Hand each good frame to `heard`, with the time of its last byte, and tell what it makes of it; for ever.

    The first good frame makes the device ready. Raises DeviceRejected where nothing but noise comes.
    """
    rest = b""
    strange_bytes: int | None = 0  # None once a good frame has come
    while True:
        mono_s, data = await port.read(QUIET_S if rest else 60.0)
        frames, rest, noise = split(rest + data, shape, quiet=not data)
        port.noise(noise)
        strange_bytes = None if strange_bytes is None or frames else strange_bytes + noise
        if strange_bytes is not None and strange_bytes >= STRANGE_BYTES:
            raise DeviceRejected(f"{strange_bytes} bytes came, and no good frame of this radar among them",
                                 "check `driver`, `port` and `baudrate`, and that ground is connected")
        for frame in frames:
            for value in heard(mono_s, frame):
                link.emit(value, mono_s)
        if frames:
            link.ready()
            link.alive()
        await asyncio.sleep(0)  # a line full of bytes must not keep the loop
