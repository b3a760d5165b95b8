"""Writers of a real store that are killed over and over: `python -m tests.system.store_writer PLAN...`, each PLAN JSON.

Everything is imported once; each plan then has a process of its own, which forks a writer, kills it with SIGKILL at a
moment of its plan, and forks the next one on the same folder. What a writer tells through its pipe it tells after the
call of the store has returned, so that is what must be there ever after. Told, a line each:

    accepted LANE ID    append() has returned
    alarm ID            the alarm is saved and open          closing ID    it may be closed from now on
    command ID          the command is accepted              finishing ID  it may have its result from now on
    settling ID         the row may be gone from now on      received ID   the uplink says that the city has it
"""

import asyncio
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
import sqlite_utils.migrations  # noqa: F401 - a new database needs it, and it weighs 0.25 s

from gateway.config.schema import City
from gateway.model.alarm import AlarmState
from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Lane
from gateway.store import Limits, Store
from gateway.sync import Uplink
from tests.system.broker import HOST, FlatClock, event
from tests.unit.store.kit import alarm, command

TOLD = "told"  # the file in a plan's folder that keeps what its writers told
_SETTLE = 20  # rows at once

Tell = Callable[[str], None]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One folder and the writers that are killed there.

    `pause_s`: the mean between two writes of one kind, 0 is flat out. `told_early_s`: how long before its commit a
    writer tells that it has it, which is what no store may do; None for an honest one. `broker_port`: an uplink runs.
    `drains`: one more writer, which appends nothing and is left alone until its outbox is empty.
    """

    folder: str
    seed: int
    kills: int
    after_s: tuple[float, float]
    pause_s: float = 0.0
    told_early_s: float | None = None
    gateway: str = ""
    broker_port: int | None = None
    drains: bool = False


class Writer:
    """One life on the folder of a plan, which SIGKILL ends."""

    def __init__(self, plan: Plan, run: int, store: Store, tell: Tell) -> None:
        self._plan, self._run, self._store, self._tell = plan, run, store, tell
        self._chance = random.Random(f"{plan.seed} {run}")
        self._late: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._plan.broker_port is None:
                group.create_task(self._settle())
            else:
                group.create_task(self._uplink(self._plan.broker_port).run())
            for write in (self._alarms, self._events, self._telemetry, self._commands):
                group.create_task(write())

    async def drain(self) -> None:
        """Bring what lies there to the city."""
        assert self._plan.broker_port is not None
        running = asyncio.create_task(self._uplink(self._plan.broker_port).run())
        while any(count.waiting for count in self._store.counts().values()) and not running.done():
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])

    def _uplink(self, port: int) -> Uplink:
        async def obey(command: Command) -> CommandResult:
            return CommandResult(command.id, Outcome.DONE)

        def received(ids: Sequence[str]) -> None:
            for event_id in ids:
                self._tell(f"received {event_id}")

        return Uplink(self._store, City(host=HOST, port=port, tls=False), self._plan.gateway, now=FlatClock().now,
                      rng=self._chance.random, on_sent=lambda ids: None, on_received=received, on_command=obey,
                      answer_s=2.0)

    async def _alarms(self) -> None:
        for number in count():
            alarm_id = f"alarm-{self._run}-{number}"
            await self._do(self._store.append([event(alarm_id, Lane.ALARM)], alarm(alarm_id)),
                           f"accepted 0 {alarm_id}", f"alarm {alarm_id}")
            if number % 3 == 2:
                closed_id = f"{alarm_id}/closed"
                self._tell(f"closing {alarm_id}")
                await self._do(self._store.append([event(closed_id, Lane.ALARM)], alarm(alarm_id, AlarmState.CLOSED)),
                               f"accepted 0 {closed_id}")

    async def _events(self) -> None:
        for number in count():
            event_id = f"event-{self._run}-{number}"
            await self._do(self._store.append([event(event_id)]), f"accepted 1 {event_id}")

    async def _telemetry(self) -> None:
        for number in count():
            ids = [f"vitals-{self._run}-{number}-{part}" for part in range(3)]
            await self._do(self._store.append([event(event_id, Lane.TELEMETRY) for event_id in ids]),
                           *(f"accepted 2 {event_id}" for event_id in ids))

    async def _commands(self) -> None:
        for number in count():
            command_id = f"command-{self._run}-{number}"
            receipt, result = event(f"{command_id}.accepted"), event(f"{command_id}.done")
            await self._do(self._store.accept_command(command(command_id), receipt),
                           f"command {command_id}", f"accepted 1 {receipt.id}")
            if number % 2:
                self._tell(f"finishing {command_id}")
                await self._do(self._store.append([result], result_of=command_id), f"accepted 1 {result.id}")

    async def _settle(self) -> None:
        """Stand in for a city that has some of what waits."""
        while True:
            await self._rest()
            lane = self._chance.choice(list(Lane))
            rows = await self._store.next_rows({lane: 0}, _SETTLE)
            rows = rows[: self._chance.randint(0, len(rows))]
            for row in rows:
                self._tell(f"settling {row.event.id}")
            if rows:
                await self._store.settle(rows[-1].epoch, lane, rows[-1].seq, rows[-1].event.id)

    async def _do(self, call: Awaitable[object], *told: str) -> None:
        if self._plan.told_early_s is None:
            await call
        else:
            late = asyncio.ensure_future(_later(call, self._plan.told_early_s))
            self._late.add(late)
        for line in told:
            self._tell(line)
        await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(self._plan.pause_s * self._chance.uniform(0.5, 1.5))


async def _later(call: Awaitable[object], after_s: float) -> None:
    await asyncio.sleep(after_s)
    await call


async def _write(plan: Plan, run: int, tell: Tell) -> None:
    store = await Store.open(Path(plan.folder), limits=Limits(telemetry_delay_s=plan.pause_s / 4))
    writer = Writer(plan, run, store, tell)
    if run < plan.kills:
        await writer.live()
    else:
        await writer.drain()
    await store.close()


def _fork(work: Callable[[], None]) -> int:
    """Do it in a process of its own; return that. Its exit code is 1 where the work raised."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        work()
        code = 0
    except Exception:  # noqa: BLE001 - this process ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(code)


def _start(plan: Plan, run: int) -> tuple[int, int]:
    """Return the writer's process and the end of its pipe to read."""
    read, write = os.pipe()

    def tell(line: str) -> None:
        os.write(write, line.encode() + b"\n")

    pid = _fork(lambda: asyncio.run(_write(plan, run, tell)))
    os.close(write)
    return pid, read


def _kill_all(plan: Plan) -> None:
    """Let one writer after another live and be killed; keep what they told."""
    chance = random.Random(plan.seed)
    with (Path(plan.folder) / TOLD).open("wb") as told:
        for run in range(plan.kills + plan.drains):
            pid, pipe = _start(plan, run)
            until_s = time.monotonic() + chance.uniform(*plan.after_s) if run < plan.kills else None
            heard = _hear(pipe, until_s)
            if until_s is not None:
                os.kill(pid, signal.SIGKILL)
                heard += _hear(pipe, None)
            os.close(pipe)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            expected = 0 if until_s is None else -signal.SIGKILL
            if status != expected:
                raise RuntimeError(f"writer {run} of {plan.folder} ended by itself with {status}")
            told.write(heard[: heard.rfind(b"\n") + 1])


def _hear(pipe: int, until_s: float | None) -> bytes:
    """Read the pipe until that moment, or until its writer has gone."""
    heard = b""
    while True:
        left_s = None if until_s is None else until_s - time.monotonic()
        if (left_s is not None and left_s <= 0) or not select.select([pipe], [], [], left_s)[0]:
            return heard
        if not (piece := os.read(pipe, 1 << 16)):
            return heard
        heard += piece


def main() -> None:
    keepers = []
    for plan in (msgspec.json.decode(text, type=Plan) for text in sys.argv[1:]):
        Path(plan.folder).mkdir(parents=True, exist_ok=True)
        keepers.append(_fork(partial(_kill_all, plan)))
    codes = [os.waitpid(pid, 0)[1] for pid in keepers]
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
