"""Commands: kept before they are confirmed, obeyed once, answered for sure."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Store, StoreError
from gateway.sync.commands import Commands
from gateway.sync.wire import WireError
from tests.unit.sync.kit import BOOT, NOW


def payload(command_id: str = "c1", expires_s: float = NOW.wall_s or 0.0) -> bytes:
    return json.dumps({"id": command_id, "verb": "close_alarm", "target": "a", "expires_s": expires_s}).encode()


async def outcomes(store: Store) -> list[tuple[str, str]]:
    rows = await store.next_rows(dict.fromkeys(Lane, 0), 100)
    return [(row.event.data["command"], row.event.data["outcome"]) for row in rows]


class Obedient:
    """Obeys, and says when."""

    def __init__(self, result: Outcome | Exception = Outcome.DONE) -> None:
        self.seen: list[Command] = []
        self.result = result

    async def __call__(self, command: Command) -> CommandResult:
        self.seen.append(command)
        if isinstance(self.result, Exception):
            raise self.result
        return CommandResult(command.id, self.result)


@asynccontextmanager
async def keeper(folder: Path, obey: Any, now: Stamp = NOW) -> AsyncIterator[tuple[Commands, Store]]:
    store = await Store.open(folder)
    commands = Commands(store, lambda: now, obey)
    running = asyncio.create_task(commands.run())
    try:
        yield commands, store
    finally:
        running.cancel()
        await asyncio.wait([running])
        await store.close()


async def until(store: Store, *expected: tuple[str, str]) -> None:
    appended = asyncio.Event()
    store.on_append(appended.set)
    async with asyncio.timeout(10):
        while await outcomes(store) != list(expected):
            await appended.wait()
            appended.clear()


async def test_a_command_is_accepted_obeyed_and_answered(tmp_path: Path) -> None:
    obey = Obedient()
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload())
        await until(store, ("c1", "accepted"), ("c1", "done"))
        assert [command.target for command in obey.seen] == ["a"]


async def test_a_command_sent_again_is_not_obeyed_again(tmp_path: Path) -> None:
    obey = Obedient()
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload())
        await commands.receive(payload())
        await until(store, ("c1", "accepted"), ("c1", "done"))
        await commands.receive(payload())
        await until(store, ("c1", "accepted"), ("c1", "done"), ("c1", "done"))
        assert len(obey.seen) == 1


async def test_a_command_whose_obedience_fails_is_answered_and_the_next_one_obeyed(tmp_path: Path) -> None:
    obey = Obedient(ValueError("no such thing"))
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload("c1"))
        await commands.receive(payload("c2"))
        async with asyncio.timeout(10):
            while len(await outcomes(store)) < 4:
                await asyncio.sleep(0)
        assert sorted(await outcomes(store)) == [
            ("c1", "accepted"), ("c1", "failed"), ("c2", "accepted"), ("c2", "failed")]


async def test_a_command_accepted_before_a_restart_is_obeyed_after_it(tmp_path: Path) -> None:
    first = await Store.open(tmp_path)
    await Commands(first, lambda: NOW, Obedient()).receive(payload())  # the power fails before it is obeyed
    await first.close()
    obey = Obedient()
    async with keeper(tmp_path, obey) as (_, store):
        await until(store, ("c1", "accepted"), ("c1", "done"))
        assert len(obey.seen) == 1


async def test_a_command_that_was_being_obeyed_when_its_part_of_the_daemon_failed_is_obeyed_when_that_begins_anew(
        tmp_path: Path) -> None:
    obey, begun = Obedient(), asyncio.Event()

    async def never(command: Command) -> CommandResult:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    store = await Store.open(tmp_path)
    commands = Commands(store, lambda: NOW, never)
    for obeys in (never, obey):
        commands._obey = obeys
        running = asyncio.create_task(commands.run())
        if obeys is never:
            await commands.receive(payload())
        async with asyncio.timeout(5):
            await (begun.wait() if obeys is never else until(store, ("c1", "accepted"), ("c1", "done")))
        running.cancel()
        await asyncio.wait([running])
    await store.close()


async def test_a_late_command_is_not_obeyed(tmp_path: Path) -> None:
    obey = Obedient()
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload(expires_s=(NOW.wall_s or 0.0) - 0.001))
        await until(store, ("c1", "expired"))
        assert obey.seen == []


@pytest.mark.parametrize("wall_s", [None, 3.0])
async def test_without_a_clock_a_command_is_put_off(tmp_path: Path, wall_s: float | None) -> None:
    obey = Obedient()
    async with keeper(tmp_path, obey, Stamp(BOOT, 1.0, wall_s, ClockQuality.UNSET)) as (commands, store):
        await commands.receive(payload())
        await until(store, ("c1", "rejected"))
        assert obey.seen == []


async def test_garbage_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    async with keeper(tmp_path, Obedient()) as (commands, store):
        with pytest.raises(WireError):
            await commands.receive(b"{}")
        assert await outcomes(store) == []


async def test_a_command_that_the_disk_does_not_take_is_not_confirmed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file in the way")
    obey = Obedient()
    store = await Store.open(folder)
    with pytest.raises(StoreError):
        await Commands(store, lambda: NOW, obey).receive(payload())
    await store.close()
    assert obey.seen == []


async def test_a_result_waits_for_the_disk(tmp_path: Path) -> None:
    folder, naps = tmp_path / "state", []
    folder.write_text("a file in the way")
    store = await Store.open(folder)

    async def nap(seconds: float) -> None:
        await asyncio.to_thread(folder.unlink)  # the disk comes back meanwhile
        naps.append(seconds)

    commands = Commands(store, lambda: NOW, Obedient(), nap)
    running = asyncio.create_task(commands.run())
    async with asyncio.timeout(10):
        while not naps:
            await asyncio.sleep(0)
        await commands.receive(payload())
        await until(store, ("c1", "accepted"), ("c1", "done"))
    running.cancel()
    await asyncio.wait([running])
    await store.close()


async def settle_all(store: Store) -> None:
    for row in await store.next_rows(dict.fromkeys(Lane, 0), 100):
        await store.settle(row.epoch, row.lane, row.seq, row.event.id)


async def test_an_obeyed_command_that_comes_again_too_late_is_answered_with_the_result_it_had(tmp_path: Path) -> None:
    obey, clock = Obedient(), [NOW]
    store = await Store.open(tmp_path)
    commands = Commands(store, lambda: clock[0], obey)
    running = asyncio.create_task(commands.run())
    await commands.receive(payload())
    await until(store, ("c1", "accepted"), ("c1", "done"))
    result = (await store.next_rows(dict.fromkeys(Lane, 0), 100))[-1].event
    await settle_all(store)
    for later in (msgspec.structs.replace(NOW, wall_s=(NOW.wall_s or 0.0) + 1000.0),
                  Stamp("next-boot", 5.0, None, ClockQuality.UNSET)):
        clock[0] = later
        await commands.receive(payload())
        (row,) = await store.next_rows(dict.fromkeys(Lane, 0), 100)
        assert row.event == result
        await settle_all(store)
    assert len(obey.seen) == 1
    running.cancel()
    await asyncio.wait([running])
    await store.close()


async def test_an_accepted_command_that_comes_again_before_it_is_obeyed_is_answered_once(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    commands = Commands(store, lambda: NOW, Obedient())  # nobody runs it: the command stays open
    await commands.receive(payload())
    late = Commands(store, lambda: msgspec.structs.replace(NOW, wall_s=(NOW.wall_s or 0.0) + 1000.0), Obedient())
    await late.receive(payload())
    assert await outcomes(store) == [("c1", "accepted")]
    assert [command.id for command in await store.open_commands()] == ["c1"]
    await store.close()


async def test_a_result_that_cannot_be_read_any_more_leaves_the_command_obeyed(tmp_path: Path) -> None:
    obey = Obedient()
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload())
        await until(store, ("c1", "accepted"), ("c1", "done"))
        await settle_all(store)
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("UPDATE inbox SET result = 'torn'")
    async with keeper(tmp_path, obey) as (commands, store):
        await commands.receive(payload())
        assert await outcomes(store) == []
    assert len(obey.seen) == 1
