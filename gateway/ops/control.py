"""The control socket: JSON lines over a Unix socket in the run folder. There is no listening TCP port.

Request: {"verb": NAME, ...arguments}. Answer: {"ok": true, "result": ...}, many of them for a streaming verb, or
{"ok": false, "error": ..., "cure": ...}. Root, the daemon's own user and the group of the run folder may ask.

Whatever hangs on this socket must leave the daemon the descriptors that alarms need: no more than CONNECTIONS are
served at a time, and one that neither asks nor reads for IDLE_S is let go.
"""

import asyncio
import grp
import logging
import os
import pwd
import select
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger(__name__)

RETRY_S = 30.0
MAX_LINE_BYTES = 64 * 1024
CONNECTIONS = 32  # far more than technicians; far fewer than the 1,024 descriptors that a process has by default
IDLE_S = 60.0
_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED

Verb = Callable[[dict[str, Any]], AsyncGenerator[Any, None]]


class Refused(Exception):
    """A verb cannot be done; `cure` says what to do."""

    def __init__(self, error: str, cure: str) -> None:
        super().__init__(error)
        self.cure = cure


class ControlServer:
    """Answers `verbs` on `path`. A verb is an async generator: each value it yields is one answer.

    `fault(what, reason, cure)` hears where the socket cannot be made.
    """

    def __init__(self, path: Path, verbs: Mapping[str, Verb], fault: Callable[[str, str, str], None],
                 group: str = "anju-tech") -> None:
        self._path, self._verbs, self._fault, self._group = path, verbs, fault, group
        self._served: dict[asyncio.Task[None], socket.socket] = {}
        self.tried = asyncio.Event()  # it serves, or cannot yet

    async def run(self) -> None:
        """Serve until cancelled; where the folder does not let us, try again and say so: alarms need no control."""
        while True:
            try:
                await asyncio.to_thread(self._path.unlink, missing_ok=True)
                server = await asyncio.start_unix_server(self._client, self._path, limit=MAX_LINE_BYTES,
                                                         backlog=CONNECTIONS)  # so many are accepted in one turn
                self._path.chmod(0o660)
            except OSError as error:
                self.tried.set()
                self._fault("control socket", f"{self._path} cannot be made ({error})", "check the folder run_dir")
                await asyncio.sleep(RETRY_S)
            else:
                break
        try:
            os.chown(self._path, -1, grp.getgrnam(self._group).gr_gid)
        except (KeyError, PermissionError):
            log.info("control socket for the daemon's own user only: no group %s, or not ours to give", self._group)
        self.tried.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            await _end(list(self._served))

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = writer.get_extra_info("socket")
            if not self._may(peer):
                refusal = Refused("you may not control this gateway", f"become a member of the group {self._group}")
                await _write(writer, _refusal(refusal))
            elif len(self._served) >= CONNECTIONS and not await self._one_has_left():
                crowded = Refused(f"{CONNECTIONS} connections are open already",
                                  "end an `anju tail` or whatever keeps one (`ss -xp` lists them), then try again")
                await _write(writer, _refusal(crowded))
            else:
                await self._serve(peer, reader, writer)
        except (ConnectionError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # the caller went away, fell asleep or sent a line without end: there is nobody to tell
        except asyncio.CancelledError:
            pass  # the daemon stops; asyncio's stream callback would log a cancellation as an error
        finally:
            writer.close()

    async def _serve(self, peer: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        if me is not None:  # asyncio runs every caller in a task
            self._served[me] = peer
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
                if not line:
                    return
                await self._answer(line, writer)
        finally:
            self._served = {task: peer for task, peer in self._served.items() if task is not me}

    async def _one_has_left(self) -> bool:
        """Let go whose other end is closed: a silent stream does not notice it. Tell whether there is a place now."""
        await _end([task for task, peer in self._served.items() if _hung_up(peer)])
        return len(self._served) < CONNECTIONS

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
            verb = self._verbs.get(str(request.get("verb")))
            if verb is None:
                raise Refused(f"unknown verb {request.get('verb')!r}", f"known are {', '.join(sorted(self._verbs))}")
            async with aclosing(verb(request)) as answers:
                async for result in answers:
                    await _write(writer, {"ok": True, "result": result})
        except Refused as refused:
            await _write(writer, _refusal(refused))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            await _write(writer, _refusal(Refused(f"bad request: {error!r}", "use the anju command")))

    def _may(self, peer: socket.socket) -> bool:
        _, uid, gid = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid in (0, os.geteuid()):
            return True
        try:
            group = grp.getgrnam(self._group)
            return gid == group.gr_gid or pwd.getpwuid(uid).pw_name in group.gr_mem
        except KeyError:
            return False


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _hung_up(peer: socket.socket) -> bool:
    """Tell whether the other end is closed, both ways: who only has nothing more to ask may still read."""
    look = select.poll()
    look.register(peer.fileno(), 0)
    return any(what & select.POLLHUP for _, what in look.poll(0))


def _refusal(refused: Refused) -> dict[str, Any]:
    return {"ok": False, "error": str(refused), "cure": refused.cure}


async def _write(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(answer, enc_hook=str) + b"\n")  # a plug-in's health may hold anything
    async with asyncio.timeout(IDLE_S):
        await writer.drain()
