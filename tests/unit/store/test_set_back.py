"""What nobody takes stands in no other row's way, and is not lost."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from gateway.model.event import Event, EventType, Lane
from gateway.store import Store
from gateway.store.ledger import KEPT_QUARANTINE
from tests.unit.store.kit import AT, event

ALL = dict.fromkeys(Lane, 0)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path)
    yield opened
    await opened.close()


def fault(lane: Lane, name: str = "fault") -> Event:
    return Event(name, EventType.GATEWAY_FAULT, lane, "gateway", AT, {"reason": f"{name} of x", "cure": "look"})


async def test_an_alarm_that_nobody_takes_goes_to_the_end_of_its_lane(store: Store) -> None:
    await store.append([event(name, Lane.ALARM) for name in ("a", "poison", "b")])
    assert await store.set_back(store.epoch, Lane.ALARM, 2, fault(Lane.ALARM))
    rows = await store.next_rows(ALL, 10)
    assert [(row.seq, row.event.id) for row in rows] == [(1, "a"), (2, "fault"), (3, "b"), (4, "poison")]
    assert rows[3].event == event("poison", Lane.ALARM)
    assert store.counts()[Lane.ALARM].waiting == 4
    assert [told.reason for told in store.faults()] == ["fault of x"]
    await store.append([event("poison", Lane.ALARM), event("c", Lane.ALARM)])
    assert [row.seq for row in await store.next_rows(ALL, 10)] == [1, 2, 3, 4, 5]  # known: it stands there once


async def test_any_other_event_goes_to_the_quarantine_of_which_the_newest_stay(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    names = [f"e{number}" for number in range(KEPT_QUARANTINE + 3)]
    await store.append([event(name) for name in names])
    for seq in range(1, len(names) + 1):
        assert await store.set_back(store.epoch, Lane.EVENT, seq, fault(Lane.EVENT, f"fault{seq}"))
    assert [row.event.id for row in await store.next_rows(ALL, 3)] == ["fault1", "fault2", "fault3"]
    assert store.counts()[Lane.EVENT].waiting == len(names)
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as base:
        kept = base.execute("SELECT id, lane, body FROM quarantine ORDER BY n").fetchall()
    assert [row[0] for row in kept] == names[3:]
    assert kept[0][1:] == (Lane.EVENT, msgspec.json.encode(event("e3")))


async def test_what_is_not_there_any_more_is_not_set_back(store: Store) -> None:
    await store.append([event("a", Lane.ALARM), event("b", Lane.ALARM)])
    await store.settle(store.epoch, Lane.ALARM, 1, "a")
    assert not await store.set_back(store.epoch, Lane.ALARM, 1, fault(Lane.ALARM))
    assert not await store.set_back(store.epoch, Lane.ALARM, 3, fault(Lane.ALARM))
    assert not await store.set_back("another", Lane.ALARM, 2, fault(Lane.ALARM))
    assert await store.set_back(store.epoch, Lane.ALARM, 2, fault(Lane.ALARM))
    assert not await store.set_back(store.epoch, Lane.ALARM, 2, fault(Lane.ALARM))  # a second time
    with pytest.raises(ValueError, match="lane"):
        await store.set_back(store.epoch, Lane.ALARM, 3, fault(Lane.EVENT))
    assert [row.event.id for row in await store.next_rows(ALL, 9)] == ["fault", "b"]


async def test_an_epoch_is_renewed_where_numbers_were_settled_and_only_there(store: Store) -> None:
    await store.append([event("a", Lane.ALARM), event("b", Lane.ALARM)])
    before = store.epoch
    assert not await store.renew_epoch(before, Lane.ALARM)
    await store.settle(before, Lane.ALARM, 1, "a")
    assert not await store.renew_epoch("another", Lane.ALARM)
    assert not await store.renew_epoch(before, Lane.EVENT)
    assert await store.renew_epoch(before, Lane.ALARM)
    (row,) = await store.next_rows(ALL, 9)
    assert (row.event.id, row.seq, row.settled) == ("b", 1, 0)
    assert store.epoch == row.epoch != before
