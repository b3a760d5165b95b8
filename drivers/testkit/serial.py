"""A fake serial line that obeys the rules of SerialPort, and the conformance checks of that port.

A third party's port is checked with the same functions: give them a port and the line's other end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.spi import LinkLost, SerialPort


class FarEnd(Protocol):
    """What the checks need of the line's other end."""

    def send(self, data: bytes) -> None:
        """Let these bytes arrive at the port."""

    async def received(self, count: int) -> bytes:
        """Wait until the port has written so many bytes in all; return everything it has written."""


class FakeLine:
    """SerialPort and its far end without a line: stamps with the loop's clock."""

    def __init__(self, on_write: Callable[[bytes], None] | None = None) -> None:
        self.written = b""
        self._wrote = asyncio.Event()
        self.noise_bytes = 0
        self._on_write = on_write
        self._came: list[tuple[float, bytes]] = []
        self._gone = False
        self._news = asyncio.Event()

    async def read(self, wait_s: float) -> tuple[float, bytes]:
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return asyncio.get_running_loop().time(), b""
        if self._came:
            came = self._came.pop(0)
            if not self._came and not self._gone:
                self._news.clear()
            return came
        raise LinkLost("the serial line is gone", "plug it in again")

    async def write(self, data: bytes) -> None:
        if self._gone:
            raise LinkLost("the serial line is gone", "plug it in again")
        self.written += data
        self._wrote.set()
        if self._on_write:
            self._on_write(data)

    def noise(self, count: int) -> None:
        self.noise_bytes += count

    # -- the far end --------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self._came.append((asyncio.get_running_loop().time(), data))
        self._news.set()

    async def received(self, count: int) -> bytes:
        while len(self.written) < count:
            self._wrote.clear()
            await self._wrote.wait()
        return self.written

    def lose(self) -> None:
        """Pull the line out."""
        self._gone = True
        self._news.set()


async def check_reading(port: SerialPort, far: FarEnd, mono_s: Callable[[], float]) -> None:
    """Every byte arrives once and in order, whatever it is, stamped between its sending and its reading."""
    sent = bytes(range(256)) * 8
    began_mono_s = mono_s()
    far.send(sent[:1000])
    far.send(sent[1000:])
    came, last_mono_s = b"", began_mono_s
    while len(came) < len(sent):
        stamp_mono_s, data = await port.read(5.0)
        _require(bool(data), "bytes that were sent did not come")
        _require(last_mono_s <= stamp_mono_s <= mono_s(), "stamps out of order")
        came, last_mono_s = came + data, stamp_mono_s
    _require(came == sent, "bytes were changed, lost or doubled")


async def check_silence(port: SerialPort) -> None:
    """A line on which nothing comes answers in time with nothing, and goes on."""
    async with asyncio.timeout(5.0):
        for _ in range(2):
            _, data = await port.read(0.02)
            _require(data == b"", "bytes out of nowhere")


async def check_writing(port: SerialPort, far: FarEnd) -> None:
    """Everything written arrives at the far end, control characters and all."""
    sent = bytes(range(256))
    await port.write(sent)
    async with asyncio.timeout(5.0):
        _require(await far.received(len(sent)) == sent, "bytes were changed on their way out")


async def check_loss(port: SerialPort, far: FarEnd, lose: Callable[[], Awaitable[None]]) -> None:
    """What came before the line was pulled is still read; then reading and writing raise LinkLost, every time."""
    far.send(b"last words")
    await asyncio.sleep(0.05)
    await lose()
    async with asyncio.timeout(5.0):
        came = b""
        while came != b"last words":
            came += (await port.read(1.0))[1]
    for act in (lambda: port.read(60.0), lambda: port.write(b"x"), lambda: port.read(60.0)):
        try:
            async with asyncio.timeout(5.0):
                await act()
        except LinkLost as error:
            _require(bool(error.cure), "a loss without a cure")
        else:
            raise AssertionError("a line that is gone goes on")


def _require(true: bool, what: str) -> None:
    if not true:
        raise AssertionError(what)
