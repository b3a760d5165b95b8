"""Writer: a process that writes numbered events into one product's store, and what of them is there afterwards.

Both products are driven alike. What was accepted stands in a file that the process maps: the moment of each event on
CLOCK_MONOTONIC, 0 for none; so a kill at any moment forgets none of it.
"""

import asyncio
import contextlib
import json
import sqlite3
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.model.event import Lane
from gateway.store import Store
from tests.bench.thingsboard import installation
from tests.bench.thingsboard.events import number_of, stored_number, template

PEER_SETTINGS: dict[str, Any] = {}
"""Of its SQLite storage: nothing, so that its StorageSettings takes its own defaults.

The file that it ships, made for the storage in memory, has a `max_read_records_count` of 10: with nothing but its type
changed the SQLite storage would send 10 rows a message in place of 1,000. The defaults are in the peer's favour.
"""

_ANSWER_S = 120.0
_ROWS = 2_000_000
_ROOT = Path(__file__).parents[3]


@dataclass
class Writer:
    """One process and its folder. `capacity`: the numbers that it may use are below."""

    peer: bool
    folder: Path
    notes: Path
    capacity: int
    _process: asyncio.subprocess.Process | None = None

    @property
    def _accepted(self) -> Path:
        return self.notes / "accepted"

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.notes.mkdir(parents=True, exist_ok=True)
        with self._accepted.open("wb") as file:
            file.truncate(8 * self.capacity)
        command = ([installation.python(), str(installation.DRIVER), "storage", str(self.folder)] if self.peer else
                   [sys.executable, "-m", "tests.bench.thingsboard.ours", str(self.folder)])
        with (self.notes / "stderr").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=_ROOT,
                limit=1 << 24)
        await self.ask("open", **({"log_folder": str(self.notes), **PEER_SETTINGS} if self.peer else {}))

    async def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Do one operation. Raises RuntimeError where the process cannot, or has ended."""
        await self._send(op, arguments)
        return await self._answer()

    async def write(self, count: int, rate_hz: float = 0.0, *, first: int = 0, wait: bool = True) -> dict[str, Any]:
        """Let it write, flat out where there is no rate; `wait`: until all that was accepted is committed."""
        await self.begin_write(count, rate_hz, first=first, wait=wait)
        return await self._answer()

    async def begin_write(self, count: int, rate_hz: float = 0.0, *, first: int = 0, wait: bool = True) -> None:
        """Return when it has begun."""
        await self._send("write", {"count": count, "rate_hz": rate_hz, "first": first, "wait": wait,
                                   "accepted": str(self._accepted), "template": template()})
        await self._answer()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._process is not None:
            await self._process.wait()

    def died(self) -> int | None:
        """Return the exit code of a process that has ended, negative for a signal."""
        return None if self._process is None else self._process.returncode

    def accepted(self) -> dict[int, float]:
        """Return when each accepted event was accepted."""
        moments = memoryview(self._accepted.read_bytes()).cast("d")
        return {number: moment for number, moment in enumerate(moments) if moment}

    async def kept(self, folder: Path | None = None) -> "Kept":
        """Return what the store holds now that nobody has it open; `folder`: of a copy."""
        folder = folder or self.folder
        return await asyncio.to_thread(_kept_by_peer, folder) if self.peer else await _kept_by_us(folder)

    async def _send(self, op: str, arguments: dict[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"op": op} | arguments).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()

    async def _answer(self) -> dict[str, Any]:
        assert self._process
        assert self._process.stdout
        async with asyncio.timeout(_ANSWER_S):
            line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line or b'{"error": "the process has ended"}')
        if "error" in answer:
            tail = (self.notes / "stderr").read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"{self.folder.name}: {answer['error']} {' '.join(tail)}")
        return answer


@dataclass(frozen=True, slots=True)
class Kept:
    """Numbers of the events in a store, and of those that a gap record says were given up: how many."""

    numbers: Sequence[int]
    given_up: int = 0


@asynccontextmanager
async def writer(peer: bool, room: Path, *, capacity: int, folder: Path | None = None) -> AsyncIterator[Writer]:
    """Start one; kill it at the end. `folder`: where its store shall lie, if not in `room`."""
    found = Writer(peer, folder or room / "store", room / "notes", capacity)
    try:
        await found.start()
        yield found
    finally:
        await found.kill()


def _kept_by_peer(folder: Path) -> Kept:
    numbers = []
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as base, contextlib.suppress(sqlite3.Error):
            numbers += [stored_number(message) for (message,) in base.execute("SELECT message FROM messages")]
    return Kept([number for number in numbers if number is not None])


async def _kept_by_us(folder: Path) -> Kept:
    store = await Store.open(folder)
    try:
        rows = await store.next_rows(dict.fromkeys(Lane, 0), _ROWS)
    finally:
        await store.close()
    numbers = [number for row in rows if (number := number_of(row.event.id)) is not None]
    return Kept(numbers, sum(row.seq - row.first + 1 for row in rows if row.first is not None))


def packed(moments: Sequence[float]) -> bytes:
    """Return moments as the file `accepted` holds them."""
    return struct.pack(f"{len(moments)}d", *moments)
