"""Writers of a real store on a lossy disk whose power goes over and over: `python -m tests.system.power_writer PLAN`.

Everything is imported once. In each round one writer a folder is forked; the power goes at a moment of the plan, under
all of them, and they are killed; the power comes again. What each told by then must be there ever after (see
tests.system.store_writer for what is told); that is looked up in a copy, for the next writers shall find the disk as
the power left it. At the end one line on stdout: what came of it, as JSON.
"""

import asyncio
import os
import random
import select
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import sqlite_utils.migrations  # noqa: F401 - a new database needs it, and it weighs 0.25 s

from gateway.model.event import Lane
from gateway.store import Limits, Row, Store
from gateway.store.ledger import Ledger
from hil.resources import control
from tests.system import store_writer

OPENED = "opened"
_LINGER_S = 30.0  # a writer whose disk never goes is stuck


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of one disk.

    `folders`: writers side by side. When all have opened their store the power goes after a time drawn from `after_s`;
    or, if `calls` is given, in place of a call drawn from it, counted from their start. `pause_s`: see store_writer.
    `forgetful`: no commit brings anything to the disk with fsync, which is what no store may do. `max_bytes`: what the
    outbox may take. `settles`: the city has some of it.
    """

    mount: str
    control: str
    copies: str
    seed: int
    cuts: int
    folders: int = 1
    after_s: tuple[float, float] = (0.02, 0.12)
    calls: tuple[int, int] | None = None
    pause_s: float = 0.0
    forgetful: bool = False
    max_bytes: float = 1024e6
    settles: bool = True


class Outcome(msgspec.Struct):
    """What came of a plan: the rounds, what was accepted, and everything that is not as it must be."""

    cuts: int = 0
    opened: int = 0
    accepted: int = 0
    given_up: int = 0
    lost: list[str] = []
    wrong: list[str] = []


@dataclass
class Told:
    """What the writers of one folder told, and what was found there last."""

    folder: Path
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[tuple[Lane, str], int] = field(default_factory=dict)

    def hear(self, heard: bytes) -> None:
        for line in heard[:heard.rfind(b"\n") + 1].decode().splitlines():
            what, _, rest = line.partition(" ")
            self.ids[what].append(rest)

    def accepted(self) -> list[tuple[Lane, str]]:
        return [(Lane(int(line[0])), line[2:]) for line in self.ids["accepted"]]


@dataclass
class Found:
    """What a store has after a cut."""

    rows: list[Row]
    alarms: set[str]
    commands: set[str]
    complaints: list[str]

    @classmethod
    async def read(cls, folder: Path) -> "Found":
        store = await Store.open(folder)
        try:
            if store.trouble is not None:
                return cls([], set(), set(), [f"it does not open: {store.trouble}"])
            rows = await store.next_rows(dict.fromkeys(Lane, 0), 1_000_000)
            alarms = {alarm.id for alarm in await store.open_alarms()}
            commands = {command.id for command in await store.open_commands()}
            return cls(rows, alarms, commands, [fault.reason for fault in store.faults()])
        finally:
            await store.close()

    def gaps(self) -> int:
        """How many numbers stand for what was given up."""
        return sum(row.seq - row.first + 1 for row in self.rows if row.first is not None)


def judge(told: Told, found: Found) -> tuple[list[str], list[str]]:
    """Return what was accepted and is gone, and what else is wrong."""
    kept = {(row.lane, row.event.id) for row in found.rows}
    settled = set(told.ids["settling"])
    missing = [(lane, id_) for lane, id_ in told.accepted() if (lane, id_) not in kept and id_ not in settled]
    if len(missing) <= found.gaps() and not any(lane is Lane.ALARM for lane, _ in missing):
        missing = []
    lost = [*(f"{lane.name} {id_}" for lane, id_ in missing),
            *(f"open alarm {id_}" for id_ in set(told.ids["alarm"]) - found.alarms - set(told.ids["closing"])),
            *(f"command {id_}" for id_ in set(told.ids["command"]) - found.commands - set(told.ids["finishing"]))]
    wrong = list(found.complaints)
    for lane in Lane:
        rows = [row for row in found.rows if row.lane is lane]
        upto = rows[0].settled if rows else 0
        for row in rows:
            if (row.first or row.seq) != upto + 1:
                wrong.append(f"{lane.name}: {row.first or row.seq} follows {upto}")
            upto = row.seq
    numbers = {(row.lane, row.event.id): row.seq for row in found.rows}
    wrong += [f"{id_} had number {told.numbers[lane, id_]} and has {seq}" for (lane, id_), seq in numbers.items()
              if told.numbers.get((lane, id_), seq) != seq]
    told.numbers = numbers
    return lost, wrong


async def _write(plan: Plan, folder: Path, run: int, pipe: int) -> None:
    def tell(line: str) -> None:
        os.write(pipe, line.encode() + b"\n")

    if plan.forgetful:
        honest = Ledger.begin
        Ledger.begin = lambda ledger, durable: honest(ledger, durable=False)  # type: ignore[method-assign]
    limits = Limits(max_bytes=plan.max_bytes, telemetry_delay_s=plan.pause_s / 4)
    store = await Store.open(folder, limits)
    if store.trouble is None:
        tell(OPENED)
    life = store_writer.Plan(folder=str(folder), seed=plan.seed, kills=plan.cuts, after_s=plan.after_s,
                             pause_s=plan.pause_s)
    writer = store_writer.Writer if plan.settles else _Unsettled
    await writer(life, run, store, tell).live()


class _Unsettled(store_writer.Writer):
    """A writer without a city."""

    async def _settle(self) -> None:
        pass


def _start(plan: Plan, folder: Path, run: int) -> tuple[int, int]:
    """Return the writer's process and the end of its pipe to read."""
    read, write = os.pipe()
    if pid := os.fork():
        os.close(write)
        return pid, read
    try:
        asyncio.run(_write(plan, folder, run, write))
    finally:
        os._exit(1)  # its disk is gone, and it says so to nobody


def _hear(pieces: dict[int, bytes], until_s: float, opened: bool = False) -> None:
    """Read the pipes until that moment, or until all writers have gone; or until all have opened their store."""
    left = set(pieces)
    while left and (wait_s := until_s - time.monotonic()) > 0:
        for pipe in select.select(list(left), [], [], wait_s)[0]:
            piece = os.read(pipe, 1 << 20)
            pieces[pipe] += piece
            if not piece or (opened and b"\n" in pieces[pipe]):
                left.remove(pipe)


def _do(plan: Plan, op: str, **arguments: Any) -> None:
    asyncio.run(control.call(Path(plan.control), op, **arguments))


def _round(plan: Plan, run: int, folders: Sequence[Told], chance: random.Random) -> None:
    """Let the writers live until the power goes; the power is there again at the end."""
    seed = plan.seed * 1000 + run
    if plan.calls:
        least = plan.calls[0] if run else max(plan.calls)  # the first opening has a test of its own
        _do(plan, "arm", calls=chance.randint(least, plan.calls[1]), seed=seed)
    writers = [(told, *_start(plan, told.folder, run)) for told in folders]
    pieces = {pipe: b"" for _, _, pipe in writers}
    _hear(pieces, time.monotonic() + _LINGER_S, opened=not plan.calls)
    if not plan.calls:
        _hear(pieces, time.monotonic() + chance.uniform(*plan.after_s))
        _do(plan, "cut", seed=seed, off=True)
    for _, pid, _ in writers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    _hear(pieces, time.monotonic() + _LINGER_S)
    for told, _, pipe in writers:
        told.hear(pieces[pipe])
        os.close(pipe)
    _do(plan, "heal")


def _run(plan: Plan) -> Outcome:
    chance, outcome = random.Random(plan.seed), Outcome()
    folders = [Told(Path(plan.mount) / f"flat-{number}") for number in range(plan.folders)]
    for told in folders:
        told.folder.mkdir()
    handle = os.open(plan.mount, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    for run in range(plan.cuts):
        _round(plan, run, folders, chance)
        outcome.cuts += 1
        for told in folders:
            copy = Path(plan.copies) / f"{told.folder.name}-{run}"
            shutil.copytree(told.folder, copy, ignore=shutil.ignore_patterns("*.reserve-*"))
            found = asyncio.run(Found.read(copy))
            lost, wrong = judge(told, found)
            outcome.lost += [f"round {run} {told.folder.name}: {what}" for what in lost]
            outcome.wrong += [f"round {run} {told.folder.name}: {what}" for what in wrong]
            outcome.given_up = max(outcome.given_up, found.gaps())
            if not lost and not wrong:  # else somebody will want to look at it
                shutil.rmtree(copy)
        if outcome.wrong or (outcome.lost and not plan.forgetful):
            break
    outcome.accepted = sum(len(told.ids["accepted"]) for told in folders)
    outcome.opened = sum(len(told.ids[OPENED]) for told in folders)
    return outcome


def main() -> None:
    print(msgspec.json.encode(_run(msgspec.json.decode(sys.argv[1], type=Plan))).decode())


if __name__ == "__main__":
    main()
