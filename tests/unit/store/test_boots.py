"""The chronicle of boots on disk only learns, and keeps what an event that waits may need."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest_asyncio

from gateway.model.event import Lane
from gateway.model.time import Boot, ClockQuality, Stamp
from gateway.store import Store
from gateway.store.boots import HEADS, KEPT
from tests.unit.store.kit import event

KNOWN = Boot("known", 100.0, 1_770_000_000.0, 10.0, 90.0)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path)
    yield opened
    await opened.close()


def taken_in(boot_id: str) -> Stamp:
    return Stamp(boot_id, 1.0, None, ClockQuality.UNSET)


async def note(store: Store, *boot_ids: str) -> None:
    for boot_id in boot_ids:
        await store.note_boot(Boot(boot_id, 1.0))


def numbered(first: int, count: int) -> list[str]:
    return [f"boot-{number}" for number in range(first, first + count)]


async def ids(store: Store) -> list[str]:
    return [boot.id for boot in await store.boots()]


async def test_boots_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    told = [Boot("z", 5.0, restored_wall_s=1e9), KNOWN, Boot("a", 7.0)]
    store = await Store.open(tmp_path)
    for boot in told:
        await store.note_boot(boot)
    await store.close()
    store = await Store.open(tmp_path)
    assert await store.boots() == told
    await store.close()


async def test_a_boot_never_gets_shorter_and_never_forgets_when_it_began(store: Store) -> None:
    await store.note_boot(msgspec.structs.replace(KNOWN, restored_wall_s=1.0))
    await store.note_boot(Boot("known", 50.0, restored_wall_s=2.0))
    assert await store.boots() == [msgspec.structs.replace(KNOWN, restored_wall_s=1.0)]


async def test_a_later_sync_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await note(store, "before")
    await store.note_boot(KNOWN)
    await note(store, "after")
    moved = Boot("known", 200.0, 1_770_007_200.0, 150.0, 160.0)
    await store.note_boot(moved)
    assert (await store.boots())[1] == moved


async def test_the_newest_boots_stay(store: Store) -> None:
    await note(store, *numbered(0, KEPT + 3))
    assert await ids(store) == numbered(3, KEPT)


async def test_a_boot_stays_while_an_event_of_it_waits_and_with_it_the_known_one_before(store: Store) -> None:
    await note(store, "older")
    await store.note_boot(KNOWN)
    await note(store, "between", "waiting")
    await store.append([event("e", at=taken_in("waiting"))])
    later = numbered(0, KEPT + 3)
    await note(store, *later)
    assert await ids(store) == ["known", "between", "waiting", *later]
    await store.settle(store.epoch, Lane.EVENT, 1, "e")
    await note(store, "newest")
    assert await ids(store) == [*later[-KEPT + 1:], "newest"]


async def test_an_old_event_that_was_appended_again_behind_others_is_found(store: Store) -> None:
    await note(store, "waiting")
    await store.append([event(f"n{number}", Lane.ALARM, taken_in("later")) for number in range(HEADS - 1)])
    await store.append([event("again", Lane.ALARM, taken_in("waiting"))])
    await note(store, *numbered(0, KEPT + 1))
    assert (await ids(store))[0] == "waiting"


async def test_what_is_damaged_on_disk_stands_in_nobodys_way(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await note(store, "a", "b")
    await store.append([event("e", at=taken_in("a"))])
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db", isolation_level=None)) as file:
        file.execute("UPDATE boot SET lasted_s = 'long' WHERE id = 'a'")
        file.execute("UPDATE outbox SET body = x'ff' WHERE seq = 1")
    store = await Store.open(tmp_path)
    assert await ids(store) == ["b"]
    await note(store, *numbered(0, KEPT))
    assert await ids(store) == numbered(0, KEPT)
    await store.close()
