"""Frames between the daemon and a driver host: msgpack behind a 4-byte big-endian length, over a Unix socket."""

import asyncio
import struct
from typing import Any

import msgspec

from gateway.model.device import DeviceStatus
from gateway.model.reading import Reading
from gateway.spi import Order

_LENGTH = struct.Struct(">I")
MAX_BYTES = 1 << 20


class FrameError(Exception):
    """The other end sent what is no frame; the connection is given up."""


class _Frame(msgspec.Struct, frozen=True, tag=True):
    """A frame; its tag is its class name."""


class Hello(_Frame, frozen=True):
    """Host, first: which bus it runs. `instance` names this process's life: numbers of Emit count within it."""

    bus: str
    instance: str
    pid: int


class Configure(_Frame, frozen=True):
    """Daemon, at once and at every change: what to run. `devices`: name, driver, room, settings of each."""

    settings: dict[str, Any]
    devices: list[dict[str, Any]]
    state_dir: str


class Emit(_Frame, frozen=True):
    """Host: one reading. What may not drop is numbered from 1 and sent again until Took names it; samples have 0."""

    number: int
    reading: Reading


class Took(_Frame, frozen=True):
    """Daemon: what follows from the reading `number` is on disk."""

    number: int


class Status(_Frame, frozen=True):
    """Host: a device's state."""

    status: DeviceStatus


class Health(_Frame, frozen=True):
    """Host, every few seconds: the bus's own health and the host's memory."""

    health: dict[str, Any]


class Give(_Frame, frozen=True):
    """Daemon: an order to a device."""

    device: str
    order: Order


class Discover(_Frame, frozen=True):
    """Daemon: look for new devices."""

    id: int
    seconds: float


class Discovered(_Frame, frozen=True):
    """Host: what was found, or why not."""

    id: int
    found: list[dict[str, Any]]
    reason: str = ""
    cure: str = ""


class Refuse(_Frame, frozen=True):
    """Daemon: another host already runs this bus; go away."""

    reason: str


Frame = Hello | Configure | Emit | Took | Status | Health | Give | Discover | Discovered | Refuse



def _plain(value: Any) -> Any:
    """What a library's own number or object is as a plain value: a plug-in's health must not end its host."""
    return int(value) if isinstance(value, int) else float(value) if isinstance(value, float) else str(value)


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Length and body of one frame."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


async def read(reader: asyncio.StreamReader) -> Frame | None:
    """Next frame, None at the end. Raises FrameError."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_BYTES:
            raise FrameError(f"frame of {length} bytes")
        return _decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except msgspec.MsgspecError as error:
        raise FrameError(str(error)) from error
