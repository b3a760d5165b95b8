"""Control sockets of bench processes: JSON lines over a Unix socket, `{"op": NAME, ...}` -> `{"ok": true, ...}`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlError(Exception):
    """The bench process refused an operation; the message is its own."""


@asynccontextmanager
async def serve(path: Path, handle: Handler) -> AsyncIterator[None]:
    """Answer operations on `path` while the context is open. What `handle` raises goes back to the caller."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(await _answer(line, handle))
                await writer.drain()
        except ConnectionError:
            pass  # the caller went away: nothing to tell anybody
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(client, path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _answer(line: bytes, handle: Handler) -> bytes:
    try:
        request = json.loads(line)
        answer: dict[str, Any] = {"ok": True} | await handle(request.pop("op"), request)
    except Exception as error:  # noqa: BLE001 - whatever a scenario did wrong belongs to the scenario
        answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return json.dumps(answer).encode() + b"\n"


async def call(path: Path, op: str, timeout_s: float = 10.0, /, **arguments: Any) -> dict[str, Any]:
    """Do one operation on the bench process that serves `path`. Raises ControlError, OSError, TimeoutError."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 24)
        try:
            writer.write(json.dumps({"op": op} | arguments).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
    if not answer.pop("ok", False):
        raise ControlError(f"{op}: {answer.get('error', 'no reason given')}")
    return answer


def words(text: str) -> tuple[str, dict[str, Any]]:
    """Read an operation as words: `stall direction=up` -> ("stall", {"direction": "up"}). Values: JSON or text."""
    op, *pairs = text.split()
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            arguments[key] = json.loads(value)
        except ValueError:
            arguments[key] = value
    return op, arguments
