"""A real line on a pseudo-terminal with its bus, and drivers run over fake or real lines."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.bus.serial import Line, Lines, SerialSettings
from drivers.testkit import virtual_time
from drivers.testkit.link import RecordedLink
from drivers.testkit.serial import FakeLine
from gateway.model.reading import Measurement
from gateway.spi import BusContext, SerialPort
from hil.resources.pty import PtyLine

S = TypeVar("S", bound=msgspec.Struct)


class LineSettings(msgspec.Struct, frozen=True):
    """The least that the bus needs."""

    port: str
    baudrate: int = 115200


class PtyEnd:
    """The far end of a real line."""

    def __init__(self, link: Path) -> None:
        self.line = PtyLine(link, self._heard)
        self.heard = b""

    def _heard(self, data: bytes) -> None:
        self.heard += data

    def send(self, data: bytes) -> None:
        self.line.send(data)

    async def received(self, count: int) -> bytes:
        while len(self.heard) < count:
            await asyncio.sleep(0.005)
        return self.heard


def bus() -> Lines:
    return Lines(SerialSettings(), BusContext(Path(), time.monotonic))


@asynccontextmanager
async def plugged(folder: Path) -> AsyncIterator[tuple[PtyEnd, Lines, Line]]:
    """A line that is plugged, and opened by the bus."""
    end, lines = PtyEnd(folder / "usb-radar"), bus()
    end.line.plug()
    try:
        async with lines.open("radar", LineSettings(str(end.line.link))) as port:
            yield end, lines, port
    finally:
        end.line.unplug()


def heard(run: Callable[[Any, SerialPort], Awaitable[None]], settings: S,
          script: Callable[[FakeLine, RecordedLink[S]], Awaitable[None]]) -> list[Measurement]:
    """What a driver says while `script` plays on a fake line, in virtual time; what the driver raises goes on."""

    async def main() -> list[Measurement]:
        line, link = FakeLine(), RecordedLink(settings)

        async def session() -> None:
            await run(link, line)

        task = asyncio.ensure_future(session())
        await asyncio.sleep(0)
        playing = asyncio.ensure_future(script(line, link))
        await asyncio.wait([task, playing], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            playing.cancel()
            await asyncio.wait([playing])
            task.result()
        await playing
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return link.values

    return virtual_time.run(main())
