"""RFXtrx433: one USB receiver that hears 433 MHz sensors. They only send, and nobody can ask them anything.

Rules
 1. The receiver is reset, asked what it is and told to listen (RFXtrx User Guide, interface commands 0, 2 and 7). One
    that does not answer within ANSWER_S is not there, whatever the line says. One that has said nothing for WATCH_S is
    asked again: a receiver that hangs is as silent as a home in which nothing happens.
 2. Packets have no checksum: length and type are checked (drivers/devices/rfx_packets.py), and after a pause what is
    incomplete is noise. The sequence number tells what was lost between receiver and gateway; a packet is taken all the
    same, and one with the number and the bytes of the last is the last.
 3. What nobody listened to waits for its session for FRESH_S, the last KEPT packets of all devices.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Annotated, Any

import msgspec

from drivers.bus.serial import Line, Lines, SerialSettings
from drivers.devices.framing import split
from drivers.devices.rfx_packets import INTERFACE, SHAPE, Packet, decode
from gateway.spi import BusContext, BusKind, BusUnavailable, LinkError

log = logging.getLogger(__name__)

BAUDRATE = 38400
RESET_S = 0.5
ANSWER_S = 3.0
WATCH_S = 300.0
QUIET_S = 0.1  # a packet of 40 bytes takes 10 ms
PAUSE_S = 1.0
FRESH_S, KEPT = 600.0, 64
RESET, STATUS, LISTEN = 0, 2, 7
TRANSCEIVERS = {0x50: "310 MHz", 0x51: "315 MHz", 0x52: "433.92 MHz", 0x53: "433.92 MHz", 0x55: "868 MHz"}


class RfxtrxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.rfxtrx]: `port`: the receiver's path, best its by-id one."""

    port: Annotated[str, msgspec.Meta(examples=["/dev/serial/by-id/usb-RFXCOM_RFXtrx433-if00-port0"])]


class _OnLine(msgspec.Struct, frozen=True):
    port: str
    baudrate: int = BAUDRATE


def command(number: int, sequence: int) -> bytes:
    """An interface command to the receiver."""
    return bytes([0x0D, 0, 0, sequence, number]).ljust(14, b"\x00")


class Port:
    """FramePort of one device; `owns` tells its packets from others'."""

    def __init__(self, owns: Callable[[Packet], bool], mono_s: Callable[[], float]) -> None:
        self.owns, self._mono_s = owns, mono_s
        self._frames: deque[tuple[float, bytes]] = deque()
        self._lost: LinkError | None = None
        self._news = asyncio.Event()

    async def read(self, wait_s: float) -> tuple[float, bytes]:
        """Raises BusUnavailable once the receiver is gone and what it heard before has been read."""
        if not self._frames and self._lost is None:
            self._news.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                return self._mono_s(), b""
        if self._frames:
            return self._frames.popleft()
        assert self._lost is not None  # noqa: S101 - the news was one of the two
        raise self._lost

    def hear(self, mono_s: float, frame: bytes) -> None:
        self._frames.append((mono_s, frame))
        self._news.set()

    def lose(self, lost: LinkError) -> None:
        self._lost = lost
        self._news.set()


class Receiver:
    """The bus: the lives of the receiver one after the other, and the ports of the devices."""

    def __init__(self, settings: RfxtrxSettings, context: BusContext) -> None:
        self._settings, self._mono_s = settings, context.mono_s
        self._lines = Lines(SerialSettings(), context)
        self._state, self._about = "waiting", ""
        self._problem: BusUnavailable | None = None
        self._told: dict[str, str] = {}  # device -> the reason it has been told
        self._changed = asyncio.Event()  # replaced at every change
        self._ports: list[Port] = []
        self._unread: deque[tuple[float, bytes, Packet]] = deque(maxlen=KEPT)
        self._last = b""
        self._counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Live with the receiver until cancelled."""
        while True:
            try:
                async with (self._lines.open("rfxtrx", _OnLine(self._settings.port)) as line,
                            aclosing(self._frames(line)) as frames):
                    await self._begin(line, frames)
                    self._become("up", None)
                    async for mono_s, frame in frames:
                        self.hear(mono_s, frame)
            except LinkError as error:
                self._become("down", BusUnavailable(error.reason, error.cure))
                self._counts["losses"] += 1
                log.warning("rfxtrx down reason=%r cure=%r", error.reason, error.cure)
            await asyncio.sleep(PAUSE_S)

    async def _begin(self, line: Line, frames: AsyncIterator[tuple[float, bytes]]) -> None:
        """Rule 1. Raises LinkError."""
        await line.write(command(RESET, 0))
        await asyncio.sleep(RESET_S)
        while (await line.read(0.0))[1]:
            pass  # what it said before it was reset
        await line.write(command(STATUS, 1))
        try:
            async with asyncio.timeout(ANSWER_S):
                async for _, answer in frames:
                    if answer[1] == INTERFACE and answer[4] == STATUS:
                        break
        except TimeoutError:
            raise self._silent() from None
        self._about = f"{TRANSCEIVERS.get(answer[5], f'type 0x{answer[5]:02x}')}, firmware {answer[6]}"
        await line.write(command(LISTEN, 2))
        self._last = b""

    async def _frames(self, line: Line) -> AsyncGenerator[tuple[float, bytes], None]:
        """Yield whole packets. Raises LinkLost, and BusUnavailable once the receiver answers no more."""
        rest, asked = b"", False
        while True:
            mono_s, data = await line.read(QUIET_S if rest else ANSWER_S if asked else WATCH_S)
            if not data and not rest:
                if asked:
                    raise self._silent()
                await line.write(command(STATUS, 3))
            asked = not data and (asked or not rest)
            frames, rest, noise = split(rest + data, SHAPE, quiet=not data)
            line.noise(noise)
            self._counts["noise_bytes"] += noise
            for frame in frames:
                yield mono_s, frame

    def _silent(self) -> BusUnavailable:
        return BusUnavailable(f"no RFXtrx answers at {self._settings.port}",
                              "set bus.rfxtrx.port to the receiver's path, or unplug it and plug it in again")

    def hear(self, mono_s: float, frame: bytes) -> None:
        """Take one packet of the receiver."""
        last, self._last = self._last, frame
        if frame == last:
            return  # its number and its bytes
        if frame[1] == INTERFACE:
            self._last = b""  # it is not said whether answers are counted
            return
        self._counts["packets"] += 1
        self._counts["lost"] += (frame[3] - last[3] - 1) & 0xFF if last else 0
        if (packet := decode(frame)) is None:
            return
        ports = [port for port in self._ports if port.owns(packet)]
        for port in ports:
            port.hear(mono_s, frame)
        if not ports:
            self._unread.append((mono_s, frame, packet))
            self._change()

    def open(self, device: str, settings: Any) -> AbstractAsyncContextManager[Port]:
        """Give a port to the device whose packets `settings.owns` knows."""
        return self._open(device, settings.owns)

    @asynccontextmanager
    async def _open(self, device: str, owns: Callable[[Packet], bool]) -> AsyncIterator[Port]:
        while self._state != "up":
            if self._problem is not None and self._told.get(device) != self._problem.reason:
                self._told[device] = self._problem.reason
                raise BusUnavailable(self._problem.reason, self._problem.cure)
            await self._changed.wait()
        self._told.pop(device, None)
        port = Port(owns, self._mono_s)
        for one in list(self._unread):
            if owns(one[2]):
                self._unread.remove(one)
                if self._mono_s() - one[0] <= FRESH_S:
                    port.hear(one[0], one[1])
        self._ports.append(port)
        try:
            yield port
        finally:
            self._ports.remove(port)

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Listen for `seconds`; return every device that was heard and is not configured. What it is nobody says."""
        if self._state != "up" and self._problem is not None:
            raise self._problem
        await asyncio.sleep(seconds)
        found = {(packet.protocol, packet.id, packet.unit): packet for _, _, packet in self._unread}
        return [{"name": f"{protocol} {id_}", "driver": None, "subtype": packet.subtype,
                 "settings": {"protocol": protocol, "id": id_, "unit": unit}}
                for (protocol, id_, unit), packet in found.items()]

    def health(self) -> dict[str, Any]:
        """State and counters; `reason` and `cure` where the receiver is not up."""
        told = {"state": self._state, "receiver": self._about, "port": self._settings.port,
                "supervision": "none: the sensors only send, a dead one goes unnoticed",
                **{name: self._counts[name] for name in ("packets", "lost", "noise_bytes", "losses")}}
        line = self._lines.health()
        problem = {key: line[key] for key in ("reason", "cure") if key in line}
        if self._problem is not None and not problem:
            problem = {"reason": self._problem.reason, "cure": self._problem.cure}
        return told | problem

    def _become(self, state: str, problem: BusUnavailable | None) -> None:
        self._state, self._problem = state, problem
        if problem is not None:
            for port in self._ports:
                port.lose(BusUnavailable(problem.reason, problem.cure))
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


BUS = BusKind(name="rfxtrx", settings=RfxtrxSettings, make=Receiver)
