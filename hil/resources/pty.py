"""A serial line that can be pulled out: a pseudo-terminal under a stable link, as udev gives an adapter."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path


class PtyLine:
    """The device's end of a serial line; programs open `link`. `on_bytes` gets what they write."""

    def __init__(self, link: Path, on_bytes: Callable[[bytes], None]) -> None:
        self.link = link
        self._on_bytes = on_bytes
        self._ends: tuple[int, int] | None = None

    @property
    def plugged(self) -> bool:
        return self._ends is not None

    def plug(self) -> None:
        """Make a new terminal, as a new adapter would, and let `link` lead to it; nothing if it is there."""
        if self._ends is not None:
            return
        ours, theirs = os.openpty()  # we keep their end open: else reading fails while nobody has the line open
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        asyncio.get_running_loop().add_reader(ours, self._readable)
        fresh = self.link.with_name(f"{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(theirs))
        fresh.replace(self.link)

    def unplug(self) -> None:
        """Hang up: whoever has the line open gets an error, and `link` is gone."""
        if self._ends is None:
            return
        self.link.unlink(missing_ok=True)
        asyncio.get_running_loop().remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)
        self._ends = None

    def send(self, data: bytes) -> None:
        """Write towards the programs; what does not fit their buffer is lost, as on a wire. Nothing if unplugged."""
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], data)

    def _readable(self) -> None:
        assert self._ends is not None
        self._on_bytes(os.read(self._ends[0], 4096))
