"""Frames out of a byte stream that may have noise in it. Pure: bytes in, frames and what is left over out.

A frame begins with its head, knows its own length once its first bytes are there, and says whether it is good. What
does not fit gives up one byte, not what it claimed to be long: so a head that noise made up never takes a true frame
with it, it only delays it, by at most the longest frame or until the line is quiet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Shape:
    """What a frame of one protocol looks like.

    `length(begin)`: bytes of the whole frame that begins so; None where `begin` is too short to tell, 0 where none
    begins so. `good(frame)`: whether its checksums and its end are right. `longest`: no frame is longer, in bytes.
    """

    head: bytes
    length: Callable[[bytes], int | None]
    good: Callable[[bytes], bool]
    longest: int


class Split(NamedTuple):
    """`frames`: the good ones, in order; `rest`: what may become one with further bytes; `noise`: bytes of neither."""

    frames: list[bytes]
    rest: bytes
    noise: int


def split(data: bytes, shape: Shape, *, quiet: bool = False) -> Split:
    """Find every good frame in `data`, the rest of the last call and what came since.

    `quiet`: nothing has come for longer than a frame has pauses: what is incomplete will stay so, and is no frame.
    The rest is shorter than the longest frame.
    """
    frames: list[bytes] = []
    at = used = 0
    while (at := _head(data, shape.head, at)) < len(data):
        begin = data[at : at + shape.longest]
        length = shape.length(begin) if len(begin) >= len(shape.head) else None
        if length is None or (length and len(begin) < length <= shape.longest):
            if not quiet:
                break
            at += 1
        elif 0 < length <= shape.longest and shape.good(frame := begin[:length]):
            frames.append(frame)
            at += length
            used += length
        else:
            at += 1
    return Split(frames, data[at:], at - used)


def _head(data: bytes, head: bytes, at: int) -> int:
    """Where the head stands next, or where a part of it stands at the end of the data; the data's length if nowhere."""
    found = data.find(head, at)
    if found >= 0:
        return found
    for cut in range(max(at, len(data) - len(head) + 1), len(data)):
        if head.startswith(data[cut:]):
            return cut
    return len(data)
