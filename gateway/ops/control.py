"""The control socket: JSON lines over a Unix socket in the run folder. There is no listening TCP port.

Request: {"verb": NAME, ...arguments}. Answer: {"ok": true, "result": ...}, many of them for a streaming verb, or
{"ok": false, "error": ..., "cure": ...}. Root, the daemon's own user and the group of the run folder may ask.
"""

import asyncio
import grp
import logging
import os
import pwd
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

    async def run(self) -> None:
        """Serve until cancelled; where the folder does not let us, try again and say so: alarms need no control."""
        while True:
            try:
                await asyncio.to_thread(self._path.unlink, missing_ok=True)
                server = await asyncio.start_unix_server(self._client, self._path, limit=MAX_LINE_BYTES)
                self._path.chmod(0o660)
            except OSError as error:
                self._fault("control socket", f"{self._path} cannot be made ({error})", "check the folder run_dir")
                await asyncio.sleep(RETRY_S)
            else:
                break
        try:
            os.chown(self._path, -1, grp.getgrnam(self._group).gr_gid)
        except (KeyError, PermissionError):
            log.info("control socket for the daemon's own user only: no group %s, or not ours to give", self._group)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._may(writer.get_extra_info("socket")):
                refusal = Refused("you may not control this gateway", f"become a member of the group {self._group}")
                await _write(writer, _refusal(refusal))
                return
            while line := await reader.readline():
                await self._answer(line, writer)
        except (ConnectionError, ValueError, asyncio.LimitOverrunError):
            pass  # the caller went away or sent a line without end: there is nobody to tell
        except asyncio.CancelledError:
            pass  # the daemon stops; asyncio's stream callback would log a cancellation as an error
        finally:
            writer.close()

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


def _refusal(refused: Refused) -> dict[str, Any]:
    return {"ok": False, "error": str(refused), "cure": refused.cure}


async def _write(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(answer, enc_hook=str) + b"\n")  # a plug-in's health may hold anything
    await writer.drain()
