"""The gateway of the model: a real store on real files and a real uplink, which can be killed between any two steps."""

import asyncio
import queue
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import gateway.store.thread
from gateway.config.schema import City
from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Lane
from gateway.model.time import Stamp
from gateway.store import Limits, Row, Store
from gateway.sync import Uplink
from tests.model.link import MemoryBroker
from tests.model.loop import LockStep

EVERYTHING = 1_000_000


class Flat:
    """One gateway after another on the same data: start() the first, kill() or restart() for the next."""

    def __init__(self, folder: Path, broker: MemoryBroker, gateway: str, now: Callable[[], Stamp],
                 received: Callable[[Sequence[str]], None]) -> None:
        self._folder, self._broker, self._gateway, self._now = folder, broker, gateway, now
        self._received = received
        self._lives = 0
        self.store: Store
        self.uplink: Uplink
        self.running: asyncio.Task[None]

    @property
    def place(self) -> Path:
        """Where the present gateway's files are."""
        return self._folder / f"life-{self._lives}"

    async def start(self, limits: Limits) -> None:
        with mock.patch.object(gateway.store.thread, "queue", SimpleNamespace(SimpleQueue=LockStep, Empty=queue.Empty)):
            self.store = await Store.open(self.place, limits)
        self.uplink = Uplink(self.store, City(host="memory", tls=False), self._gateway, now=self._now,
                             rng=lambda: 0.5, on_sent=lambda ids: None, on_received=self._received, on_command=_obey,
                             connect=self._broker.connect)
        self.running = asyncio.create_task(self.uplink.run())

    @property
    def disk(self) -> LockStep:
        """What the store thread waits at: it can be held."""
        jobs: object = self.store._thread._jobs
        assert isinstance(jobs, LockStep)
        return jobs

    async def kill(self, limits: Limits, damage: Callable[[Path], None] = lambda place: None) -> None:
        """kill -9, and start anew on the files as they lie on the disk now; `damage` happens to them meanwhile."""
        old = self.place
        self._lives += 1
        copy(old, self.place)
        await self.stop()
        shutil.rmtree(old)
        damage(self.place)
        await self.start(limits)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])
        await self.store.close()

    async def restart(self, limits: Limits) -> None:
        """End and start as systemd does."""
        await self.stop()
        await self.start(limits)

    async def rows(self) -> list[Row]:
        return await self.store.next_rows(dict.fromkeys(Lane, 0), EVERYTHING)


def copy(old: Path, new: Path) -> None:
    """Copy a store's file and journal as they lie there."""
    new.mkdir(exist_ok=True)
    for name in ("anju.db", "anju.db-wal"):
        (new / name).unlink(missing_ok=True)
        if (old / name).exists():
            shutil.copyfile(old / name, new / name)


async def turn(count: int) -> None:
    """Let the loop turn so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def _obey(command: Command) -> CommandResult:
    return CommandResult(command.id, Outcome.DONE)
