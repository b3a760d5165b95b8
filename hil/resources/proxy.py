"""A TCP proxy that breaks the link on command: `python -m hil.resources.proxy --port P --target HOST:PORT --control S`.

cut: every connection is reset and new ones are refused. stall: connections stay and are accepted, but nothing flows,
as behind a dead mobile link. heal: all is well again; what was stalled flows on.
"""

import argparse
import asyncio
import json
import socket
import struct
from pathlib import Path
from typing import Any

from hil.resources import control

_CHUNK_BYTES = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 s (socket(7), SO_LINGER)


class Proxy:
    """One listening port in front of one target. start() first, close() last."""

    def __init__(self, target_host: str, target_port: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._host = host
        self.port = port
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def start(self) -> None:
        """Listen; a port of 0 becomes a free one."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        links = dict(self._links)
        for task, writers in links.items():
            for writer in writers:
                _reset(writer)
            task.cancel()
        if links:
            await asyncio.wait(links)

    def stall(self) -> None:
        """Let nothing through, in both directions, without telling anybody."""
        self._flows.clear()

    async def heal(self) -> None:
        """Undo cut and stall."""
        self._flows.set()
        if self._server is None:
            await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self.accepted += 1
        self._links[task] = [writer]
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            self._links[task].append(there_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there_writer))
                group.create_task(self._pump(there_reader, writer))
        except* OSError:
            pass  # either end went away: so does the other
        except* asyncio.CancelledError:
            pass  # cut() ends connections this way; asyncio would report it as an error
        finally:
            for end in self._links.pop(task):
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._flows.wait()
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def handle(proxy: Proxy, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Answer the control operations cut, stall, heal and stats."""
    if op == "cut":
        await proxy.cut()
    elif op == "stall":
        proxy.stall()
    elif op == "heal":
        await proxy.heal()
    elif op != "stats":
        raise control.ControlError(f"no operation {op!r} with {arguments}: there are cut, stall, heal, stats")
    return {"port": proxy.port, "accepted": proxy.accepted}


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.resources.proxy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--control", type=Path, required=True)
    arguments = parser.parse_args()
    host, _, port = arguments.target.rpartition(":")
    proxy = Proxy(host, int(port), arguments.port)
    await proxy.start()
    async with control.serve(arguments.control, lambda op, args: handle(proxy, op, args)):
        print(json.dumps({"ready": True, "port": proxy.port}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
