"""A TCP proxy that breaks the link on command: `python -m hil.resources.proxy --port P --target HOST:PORT --control S`.

What can be broken, by operation of the control socket or from the start by `--fault "rate bytes_s=1"`, stands at the
head of hil/resources/faults.py. `stats` counts connections, resets and forgotten publications.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.resources import control
from hil.resources.faults import DOWN, HEALTHY, OPERATIONS, UP, Door, Fate, Faults, Line, piece_bytes
from hil.resources.forgetful import Forgetful, Frames

_CHUNK_BYTES = 65536
_UNDER_WAY = 256  # chunks in a direction of a connection that have left one end and not reached the other
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 s (socket(7), SO_LINGER)
_OTHER = {UP: DOWN, DOWN: UP}

_Chunk = tuple[float, bytes | None]  # when it was read; empty is the end of a stream, None a reset


@dataclass(eq=False)
class _Link:
    """One connection through the proxy. `lost`: the directions in which nothing will ever flow again."""

    number: int
    fate: Fate
    lost: set[str]
    forgetful: Forgetful | None
    ends: list[asyncio.StreamWriter]
    under_way: dict[str, asyncio.Queue[_Chunk]] = field(
        default_factory=lambda: {way: asyncio.Queue(_UNDER_WAY) for way in (UP, DOWN)})


class Proxy:
    """One listening port in front of one target. start() first, close() last."""

    def __init__(self, target_host: str, target_port: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._host = host
        self.port = port
        self.accepted = self.resets = self.forgotten = 0
        self.faults = HEALTHY
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()  # a new one for each change
        self._lines = {UP: Line(), DOWN: Line()}
        self._links: dict[asyncio.Task[None], _Link] = {}

    async def start(self) -> None:
        """Listen, unless told to refuse; a port of 0 becomes a free one."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        await self.apply(self.faults)

    async def close(self) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        await self.do("cut")

    def stall(self) -> None:
        """Let nothing through, in both directions, without telling anybody."""
        self._set(OPERATIONS["stall"](self.faults))

    async def heal(self) -> None:
        await self.do("heal")

    async def do(self, op: str, **arguments: Any) -> None:
        """Break or heal the link by an operation of hil/resources/faults.py."""
        await self.apply(OPERATIONS[op](self.faults, **arguments))

    async def apply(self, faults: Faults) -> None:
        """Have these faults and no others from now on."""
        self._set(faults)
        if faults.door in (Door.CUT, Door.REFUSES):
            if self._server is not None:
                self._server.close()
                self._server = None
        elif self._server is None:
            await self.start()
        if faults.door is Door.CUT:
            await self._reset_all()

    def _set(self, faults: Faults) -> None:
        self.faults = faults
        self._lines = {UP: Line(), DOWN: Line()}
        for link in self._links.values():
            link.fate = Fate(faults.resets, link.number)
            link.lost |= faults.stalled if faults.for_good else frozenset()
            if link.forgetful:
                link.forgetful.chance = faults.forget
        self._changed.set()
        self._changed = asyncio.Event()

    async def _reset_all(self) -> None:
        links = dict(self._links)
        for task, link in links.items():
            for end in link.ends:
                _reset(end)
            task.cancel()
        if links:
            await asyncio.wait(links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self.accepted += 1
        faults = self.faults
        forgetful = Forgetful(faults.forget, self.accepted) if faults.forget else None
        link = _Link(self.accepted, Fate(faults.resets, self.accepted),
                     set(faults.stalled) if faults.for_good else set(), forgetful, [writer])
        self._links[task] = link
        finish: Callable[[asyncio.StreamWriter], None] = _close
        try:
            if faults.door is Door.BLACKHOLE:
                await asyncio.Event().wait()
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            link.ends.append(there_writer)
            async with asyncio.TaskGroup() as group:
                for way, source, sink in ((UP, reader, there_writer), (DOWN, there_reader, writer)):
                    group.create_task(self._take(link, way, source))
                    group.create_task(self._give(link, way, sink))
        except* OSError:
            finish = _reset  # either end went away: so does the other
        except* asyncio.CancelledError:
            pass  # cut() ends connections this way; asyncio would report it as an error
        finally:
            del self._links[task]
            for end in link.ends:
                finish(end)

    async def _take(self, link: _Link, way: str, source: asyncio.StreamReader) -> None:
        """Note everything that comes from one end with its moment, be it the stream's end."""
        frames = Frames() if link.forgetful else None
        chunk: bytes | None = b"first"
        while chunk:
            try:
                chunk = await source.read(_CHUNK_BYTES)
            except OSError:
                chunk = None
            read_s = asyncio.get_running_loop().time()
            parts = frames.feed(chunk) if frames and chunk else [chunk]
            for part in parts:
                answer = link.forgetful.answer(part) if link.forgetful and way is UP and part else None
                if answer is None:
                    await link.under_way[way].put((read_s, part))
                else:
                    self.forgotten += 1
                    await link.under_way[DOWN].put((read_s, answer))

    async def _give(self, link: _Link, way: str, sink: asyncio.StreamWriter) -> None:
        """Pass on what came, each when its time has come. Raises OSError where the connection is to be reset."""
        while True:
            read_s, chunk = await link.under_way[way].get()
            while (wait_s := read_s + self.faults.delay_s - asyncio.get_running_loop().time()) > 0:
                await self._change(wait_s)
            await self._gate(link, way)
            if chunk is None:
                raise ConnectionResetError
            if not chunk:
                break
            passes = link.fate.passes(len(chunk))
            await self._pass(link, way, sink, chunk[:passes])
            if passes is not None:
                self.resets += 1
                raise ConnectionResetError
        if sink.can_write_eof():
            with contextlib.suppress(OSError):
                sink.write_eof()

    async def _pass(self, link: _Link, way: str, sink: asyncio.StreamWriter, chunk: bytes) -> None:
        while chunk:
            size_bytes = piece_bytes(self.faults.rate_bytes_s, len(chunk))
            if (rate_bytes_s := self.faults.rate_bytes_s) is not None:
                now_s = asyncio.get_running_loop().time()
                await self._change(self._lines[way].through_s(now_s, size_bytes, rate_bytes_s) - now_s)
            await self._gate(link, way)
            try:
                sink.write(chunk[:size_bytes])
                await sink.drain()
            except OSError:
                await self._gate(link, _OTHER[way])  # that this end has gone is told the other way
                raise
            chunk = chunk[size_bytes:]

    async def _gate(self, link: _Link, way: str) -> None:
        """Wait until something may flow this way."""
        while way in link.lost or way in self.faults.stalled:
            await self._changed.wait()

    async def _change(self, timeout_s: float) -> None:
        """Wait for the time, or for other faults."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()


def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def handle(proxy: Proxy, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Answer the control operations: those of hil/resources/faults.py, and stats."""
    if op in OPERATIONS:
        await proxy.do(op, **arguments)
    elif op != "stats":
        raise control.ControlError(f"no operation {op!r}: there are stats, {', '.join(OPERATIONS)}")
    return {"port": proxy.port, "accepted": proxy.accepted, "resets": proxy.resets, "forgotten": proxy.forgotten}


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.resources.proxy", description=(__doc__ or "").split("\n")[0],
                                     epilog=f"faults: {', '.join(OPERATIONS)}; see hil/resources/faults.py")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[], type=control.words, metavar="'NAME KEY=VALUE ...'",
                        help="broken so from the start; may be given several times")
    arguments = parser.parse_args()
    host, _, port = arguments.target.rpartition(":")
    proxy = Proxy(host, int(port), arguments.port)
    await proxy.start()
    for op, settings in arguments.fault:
        await handle(proxy, op, settings)
    async with control.serve(arguments.control, lambda op, args: handle(proxy, op, args)):
        print(json.dumps({"ready": True, "port": proxy.port}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
