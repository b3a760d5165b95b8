"""The USB side of the stick: a serial line on a pty that can be unplugged, hang, lose and damage frames."""

import asyncio
import os
import pty
import random
import tty
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hil.devices.zigbee.frames import Frame, Parser, encode

BAUD = 115200
BITS_PER_BYTE = 10  # 8N1


@dataclass
class Line:
    """What is wrong with the line, as probabilities a frame from the stick to the host; and what passed over it."""

    drop: float = 0.0
    corrupt: float = 0.0
    half: float = 0.0  # only the first half of it comes out
    stats: dict[str, int] = field(
        default_factory=lambda: {"received": 0, "sent": 0, "dropped": 0, "corrupted": 0, "halved": 0})


class Stick:
    """A serial line at `link`; `received` is called with every good frame from the host."""

    def __init__(self, link: Path, received: Callable[[Frame], None]) -> None:
        self.line = Line()
        self.hung = False  # the firmware is stuck: the port is there, nothing comes out of it, nothing goes in
        self._link, self._received = link, received
        self._parser = Parser()
        self._master = self._slave = -1
        self._free_at_s = 0.0  # loop time at which the line has sent everything

    @property
    def plugged(self) -> bool:
        return self._master >= 0

    @property
    def alive(self) -> bool:
        """True while the chip has power and its firmware runs."""
        return self.plugged and not self.hung

    def plug(self) -> None:
        """Make the tty appear."""
        if self.plugged:
            return
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.hung = False
        draft = self._link.with_name(self._link.name + ".new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(os.ttyname(self._slave))
        draft.replace(self._link)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def unplug(self) -> None:
        """Take the tty away; whoever has it open sees a hang-up."""
        if not self.plugged:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self._link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self._parser.reset()
        self._free_at_s = 0.0

    def send(self, frame: Frame) -> float:
        """Queue a frame for the host; return the seconds until its last byte has gone."""
        if not self.alive:
            return 0.0
        self.line.stats["sent"] += 1
        raw = encode(frame)
        if random.random() < self.line.drop:
            self.line.stats["dropped"] += 1
            return 0.0
        if random.random() < self.line.corrupt:
            self.line.stats["corrupted"] += 1
            at = random.randrange(1, len(raw))
            raw = raw[:at] + bytes((raw[at] ^ 0x55,)) + raw[at + 1:]
        if random.random() < self.line.half:
            self.line.stats["halved"] += 1
            raw = raw[:len(raw) // 2]
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._free_at_s = max(self._free_at_s, now_s) + len(raw) * BITS_PER_BYTE / BAUD
        loop.call_at(self._free_at_s, self._write, self._master, raw)
        return self._free_at_s - now_s

    def _write(self, master: int, raw: bytes) -> None:
        if master == self._master and self.alive:
            with suppress(BlockingIOError):  # nobody reads the line: a real bridge's buffer overruns as well
                os.write(master, raw)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        if self.hung:
            return
        for frame in self._parser.feed(data):
            self.line.stats["received"] += 1
            self._received(frame)
