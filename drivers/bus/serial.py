"""Serial lines that one device each has to itself: radars, a modem. pyserial sets the line, the event loop reads it.

Rules of the line
- The device's settings name the line, best by its /dev/serial/by-id path: ttyUSB numbers change from plug to plug.
- Opened for us alone (flock, which pyserial takes); a second program with the line is told apart by name.
- VMIN is 1 (pyserial: inter_byte_timeout=0), so that a read of nothing means that the line hung up and never that no
  byte was there. pyserial's default (VMIN 0) answers both the same way.
- A line that is not there is looked for every LOOK_S, for ever; health() names it meanwhile.
- What nobody reads is kept up to KEPT_BYTES: a second of a radar at 256000 baud. Beyond it the oldest goes, counted.
"""

import asyncio
import contextlib
import os
import stat
import termios
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import serial

from gateway.spi import BusContext, BusKind, BusUnavailable, DeviceRejected, LinkError, LinkLost

LOOK_S = 0.5
WRITE_S = 2.0
KEPT_BYTES = 32768
LOOK_THERE = "set `port` to a path that this shows: ls /dev/serial/by-id"


class SerialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[bus.serial] has no key: each device names its own line."""


class OnLine(Protocol):
    """What a driver's settings must say for this bus."""

    @property
    def port(self) -> str:
        """The line's path."""

    @property
    def baudrate(self) -> int: ...


class Lines:
    """The bus: opens a device's line as soon as it is there."""

    def __init__(self, settings: SerialSettings, context: BusContext) -> None:
        del settings
        self._mono_s = context.mono_s
        self._counts: dict[str, Counter[str]] = {}
        self._open: dict[str, str] = {}  # line -> device
        self._missing: dict[str, str] = {}

    async def run(self) -> None:
        """Do nothing until cancelled: each line has its session, and nothing is common to them."""
        await asyncio.Event().wait()

    @asynccontextmanager
    async def open(self, device: str, settings: OnLine) -> AsyncIterator["Line"]:
        """Open the line once it is there. Raises BusUnavailable if it may not be, DeviceRejected if it is none."""
        port = settings.port
        try:
            while not os.path.exists(port):  # noqa: ASYNC240 - of /dev, which is memory
                self._missing[port] = device
                await asyncio.sleep(LOOK_S)
        finally:
            self._missing.pop(port, None)
        line = Line(_opened(port, settings.baudrate), port, self._mono_s, self._counts.setdefault(port, Counter()))
        self._open[port] = device
        try:
            yield line
        finally:
            self._open.pop(port, None)
            line.close()

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Find nothing: a line does not tell what is connected to it."""
        del seconds
        return []

    def health(self) -> dict[str, Any]:
        lines = {port: {"device": self._open.get(port), **{name: counts[name] for name in (
            "opened", "read_bytes", "written_bytes", "noise_bytes", "dropped_bytes")}}
            for port, counts in self._counts.items()}
        told: dict[str, Any] = {"open": len(self._open), "lines": lines}
        if self._missing:
            absent = ", ".join(f"{port} of {device}" for port, device in sorted(self._missing.items()))
            told |= {"reason": f"there is no serial line {absent}", "cure": f"check its cable, or {LOOK_THERE}"}
        return told


class Line:
    """SerialPort of an open line."""

    def __init__(self, line: serial.Serial, path: str, mono_s: Callable[[], float], counts: Counter[str]) -> None:
        self._line, self._path, self._mono_s, self._counts = line, path, mono_s, counts
        self._fd: int = line.fileno()
        self._kept: deque[tuple[float, bytes]] = deque()
        self._kept_bytes = 0
        self._lost: LinkLost | None = None
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)
        counts["opened"] += 1

    async def read(self, wait_s: float) -> tuple[float, bytes]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        if self._kept:
            mono_s, data = self._kept.popleft()
            self._kept_bytes -= len(data)
            if not self._kept and self._lost is None:
                self._news.clear()
            return mono_s, data
        if self._lost is not None:
            raise self._lost
        return self._mono_s(), b""

    async def write(self, data: bytes) -> None:
        left = data
        try:
            async with asyncio.timeout(WRITE_S):
                while left:
                    if self._lost is not None:
                        raise self._lost
                    try:
                        left = left[os.write(self._fd, left):]
                    except BlockingIOError:
                        await self._writable()
        except TimeoutError:
            raise LinkLost(f"the serial line {self._path} takes nothing", "unplug it and plug it in again") from None
        except OSError as error:
            raise self._hung_up(error) from error
        self._counts["written_bytes"] += len(data)

    def noise(self, count: int) -> None:
        self._counts["noise_bytes"] += count

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        with contextlib.suppress(OSError, termios.error):
            self._line.reset_output_buffer()  # else closing may wait for a device that takes nothing
        with contextlib.suppress(OSError):
            self._line.close()

    def _readable(self) -> None:
        mono_s = self._mono_s()
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._hung_up(error)
            return
        if not data:
            self._hung_up(None)
            return
        self._counts["read_bytes"] += len(data)
        self._kept.append((mono_s, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_BYTES:
            _, oldest = self._kept.popleft()
            self._kept_bytes -= len(oldest)
            self._counts["dropped_bytes"] += len(oldest)
        self._news.set()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._fd)

    def _hung_up(self, error: OSError | None) -> LinkLost:
        self._loop.remove_reader(self._fd)
        why = f" ({error.strerror})" if error else ""
        self._lost = LinkLost(f"the serial line {self._path} is gone{why}", "plug it in again")
        self._news.set()
        return self._lost


def _opened(port: str, baudrate: int) -> serial.Serial:
    """Open a line for us alone. Raises LinkError, DeviceRejected."""
    try:
        return serial.Serial(port, baudrate, timeout=0, inter_byte_timeout=0, exclusive=True)
    except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
        raise _refused(port, baudrate, error) from error


def _refused(port: str, baudrate: int, error: Exception) -> LinkError | DeviceRejected:
    """Find out why a line could not be opened; pyserial does not tell the causes apart."""
    try:
        mode = os.stat(port).st_mode
    except OSError:
        return LinkLost(f"the serial line {port} has just gone", "plug it in again")
    if not stat.S_ISCHR(mode):
        return DeviceRejected(f"{port} is no serial line", LOOK_THERE)
    if not os.access(port, os.R_OK | os.W_OK):
        return BusUnavailable(f"the serial line {port} may not be opened",
                              "put the service's user into the group dialout and restart it")
    if isinstance(error, ValueError):
        return DeviceRejected(f"the adapter at {port} cannot do {baudrate} baud", "set another baudrate or adapter")
    return BusUnavailable(f"the serial line {port} is busy or is no serial line",
                          f"find the other program with: fuser {port}")


BUS = BusKind(name="serial", settings=SerialSettings, make=Lines)
