"""The store keeps what it took, in order, once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Store, StoreClosed, StoreError, StoreNewer
from gateway.store.ledger import Ledger
from gateway.store.thread import FAULTS
from tests.unit.store.kit import AT, alarm, command, event

ALL = dict.fromkeys(Lane, 0)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path)
    yield opened
    await opened.close()


async def test_numbers_are_gapless_in_each_lane(store: Store) -> None:
    await asyncio.gather(*(store.append([event(f"{lane}-{n}", lane)]) for n in range(20) for lane in Lane))
    rows = await store.next_rows(ALL, 1000)
    for lane in Lane:
        assert [row.seq for row in rows if row.lane is lane] == list(range(1, 21))


async def test_rows_come_alarm_first_and_each_lane_in_order(store: Store) -> None:
    await store.append([event("t1", Lane.TELEMETRY), event("e1"), event("t2", Lane.TELEMETRY), event("a1", Lane.ALARM)])
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["a1", "e1", "t1", "t2"]
    assert [row.event.id for row in await store.next_rows(ALL, 2)] == ["a1", "e1"]
    assert [row.event.id for row in await store.next_rows({Lane.TELEMETRY: 1}, 10)] == ["t2"]


async def test_an_event_of_an_alarm_appended_twice_stands_there_once(store: Store) -> None:
    await store.append([event("a", Lane.ALARM), event("b", Lane.ALARM)])
    await store.append([event("b", Lane.ALARM), event("c", Lane.ALARM)])
    assert [(row.seq, row.event.id) for row in await store.next_rows(ALL, 10)] == [(1, "a"), (2, "b"), (3, "c")]


async def test_what_was_appended_comes_back_as_it_was(store: Store) -> None:
    undated = Stamp("boot-2", 3.25, None, ClockQuality.UNSET)
    await store.append([event("a", at=undated)])
    assert (await store.next_rows(ALL, 1))[0].event == event("a", at=undated)


async def test_settling_deletes_the_rows_and_names_them(store: Store) -> None:
    await store.append([event("a"), event("b"), event("c")])
    assert await store.settle(store.epoch, Lane.EVENT, 2, "b") == ["a", "b"]
    assert await store.settle(store.epoch, Lane.EVENT, 2, "b") == []
    (left,) = await store.next_rows(ALL, 10)
    assert (left.event.id, left.seq, left.settled) == ("c", 3, 2)


async def test_an_acknowledgement_of_another_epoch_changes_nothing(store: Store) -> None:
    await store.append([event("a")])
    assert await store.settle("0123456789abcdef", Lane.EVENT, 1, "a") == []
    assert store.counts()[Lane.EVENT].waiting == 1


@pytest.mark.parametrize(("upto", "last_id"), [(3, "c"), (2, "another"), (9, "")])
async def test_an_acknowledgement_that_contradicts_the_file_deletes_nothing_and_renews_the_epoch(
    store: Store, upto: int, last_id: str
) -> None:
    await store.append([event("x")])
    await store.settle(store.epoch, Lane.EVENT, 1, "x")
    await store.append([event("a"), event("t", Lane.TELEMETRY)])
    old = store.epoch
    assert await store.settle(old, Lane.EVENT, upto, last_id) == []
    assert store.epoch != old
    assert [(row.epoch, row.seq, row.event.id) for row in await store.next_rows(ALL, 10)] == [
        (store.epoch, 1, "a"), (store.epoch, 1, "t")
    ]
    assert "back in time" in store.faults()[0].reason
    await store.append([event("b")])
    assert [row.seq for row in await store.next_rows({Lane.EVENT: 1}, 10)] == [2]


async def test_numbers_go_on_after_a_restart_even_when_everything_was_settled(tmp_path: Path) -> None:
    first = await Store.open(tmp_path)
    await first.append([event("a"), event("b")])
    await first.settle(first.epoch, Lane.EVENT, 2, "b")
    await first.close()
    second = await Store.open(tmp_path)
    await second.append([event("c")])
    (row,) = await second.next_rows(ALL, 10)
    assert row.seq == 3
    assert second.epoch != first.epoch  # each opening has its own: the file may be an old copy
    await second.close()


async def test_an_alarm_is_open_until_it_is_closed_or_cancelled(store: Store) -> None:
    await store.append([event("a", Lane.ALARM)], alarm("a"))
    await store.append([event("b", Lane.ALARM)], alarm("b"))
    await store.save_alarm(alarm("a", AlarmState.RECEIVED))
    await store.save_alarm(alarm("b", AlarmState.CANCELLED))
    assert await store.open_alarms() == [alarm("a", AlarmState.RECEIVED)]


async def test_a_command_is_accepted_once_and_stays_open_until_its_result_is_committed(store: Store) -> None:
    assert await store.accept_command(command("c1"), event("receipt"))
    assert not await store.accept_command(command("c1"), event("receipt-2"))
    assert await store.open_commands() == [command("c1")]
    await store.append([event("result")], result_of="c1")
    assert await store.open_commands() == []
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["receipt", "result"]
    assert not await store.accept_command(command("c1"))


async def test_counts_tell_what_waits_and_since_when(store: Store) -> None:
    later = Stamp("boot-1", 200.0, None, ClockQuality.UNSET)
    await store.append([event("a"), event("b", at=later)])
    assert (store.counts()[Lane.EVENT].waiting, store.counts()[Lane.EVENT].oldest) == (2, AT)
    await store.settle(store.epoch, Lane.EVENT, 1, "a")
    assert (store.counts()[Lane.EVENT].waiting, store.counts()[Lane.EVENT].oldest) == (1, later)
    await store.settle(store.epoch, Lane.EVENT, 2, "b")
    assert (store.counts()[Lane.EVENT].waiting, store.counts()[Lane.EVENT].oldest) == (0, None)


async def test_a_listener_is_called_after_every_commit_to_the_outbox_and_no_other(store: Store) -> None:
    calls: list[int] = []
    store.on_append(lambda: calls.append(store.counts()[Lane.EVENT].waiting))
    await store.append([event("a")])
    assert calls == [1]
    await store.save_alarm(alarm("a"))
    await store.settle(store.epoch, Lane.EVENT, 1, "a")
    assert calls == [1]


async def test_callers_that_wait_together_share_one_commit(store: Store, tmp_path: Path) -> None:
    await store.append([event("first")])
    before = (tmp_path / "anju.db-wal").stat().st_size
    await asyncio.gather(*(store.append([event(f"e{n}")]) for n in range(200)))
    grown = (tmp_path / "anju.db-wal").stat().st_size - before
    assert grown < 200 * 4096  # two hundred commits of their own would write several pages each


async def test_a_caller_that_was_cancelled_still_has_its_event_kept(store: Store) -> None:
    task = asyncio.create_task(store.append([event("a")]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await store.append([event("b")])
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["a", "b"]


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.close()
    with pytest.raises(StoreClosed):
        await store.append([event("a")])


async def test_a_database_of_a_newer_version_is_refused_and_left_untouched(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("a")])
    await store.close()
    path = tmp_path / "anju.db"
    with closing(sqlite3.connect(path)) as db, db:
        record = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('anju', '9999_future', '')"
        db.execute(record)
    before = path.read_bytes()
    with pytest.raises(StoreNewer, match=r"9999_future.*install that version"):
        await Store.open(tmp_path)
    assert path.read_bytes() == before


async def test_a_row_damaged_on_disk_departs_as_a_fault_and_blocks_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("a"), event("b")])
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("UPDATE outbox SET body = x'00ff' WHERE seq = 1")
    store = await Store.open(tmp_path)
    first, second = await store.next_rows(ALL, 10)
    assert (first.seq, first.event.type) == (1, EventType.GATEWAY_FAULT)
    assert first.event.id.startswith("unreadable-")
    assert second.event == event("b")
    assert "row event 1 could not be read" in store.faults()[0].reason
    await store.close()


@pytest.mark.parametrize("damage", [
    "UPDATE outbox SET body = CAST(replace(CAST(body AS TEXT), 'door', x'ff') AS BLOB) WHERE seq = 1",
    "UPDATE outbox SET body = CAST(replace(CAST(body AS TEXT), '\"alarm\"', '\"alarn\"') AS BLOB) WHERE seq = 1",
    "UPDATE outbox SET id = CAST(x'ff' AS TEXT) WHERE seq = 1",
], ids=["not UTF-8", "another id", "an id that is not UTF-8"])
async def test_a_damaged_alarm_row_is_never_taken_for_received_and_can_be_appended_again(
    tmp_path: Path, damage: str
) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("alarm", Lane.ALARM), event("next", Lane.ALARM)])
    epoch = store.epoch
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute(damage)
    store = await Store.open(tmp_path)
    first, second = await store.next_rows(ALL, 10)
    assert (first.event.type, second.event.id) == (EventType.GATEWAY_FAULT, "next")
    assert first.epoch == store.epoch != epoch  # which has the pipeline append again what nobody has received
    await store.append([event("alarm", Lane.ALARM)])
    assert [row.event.id for row in await store.next_rows({Lane.ALARM: 2}, 10)] == ["alarm"]
    assert await store.settle(store.epoch, Lane.ALARM, 1, first.event.id) == [first.event.id]
    assert await store.settle(store.epoch, Lane.ALARM, 3, "alarm") == ["next", "alarm"]
    await store.close()


async def test_the_thread_outlives_an_error_that_nobody_expected(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "counts", lambda self: 1 / 0)
        with pytest.raises(StoreError, match="division by zero"):
            await store.append([event("a")])
    await store.append([event("b")])
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["a", "b"]


async def test_one_callers_bad_event_does_not_spoil_anothers_commit(store: Store) -> None:
    good = store.append([event("good")])
    bad = store.append([event("lost"), msgspec.structs.replace(event("bad"), lane=7)])
    results = await asyncio.gather(good, bad, store.append([event("also-good")]), return_exceptions=True)
    assert isinstance(results[1], StoreError)
    assert [results[0], results[2]] == [None, None]
    assert [(row.seq, row.event.id) for row in await store.next_rows(ALL, 10)] == [(1, "good"), (2, "also-good")]


async def test_open_alarms_come_oldest_finding_first(tmp_path: Path) -> None:
    def found(alarm_id: str, boot_id: str, mono_s: float, wall_s: float | None) -> Alarm:
        at = Stamp(boot_id, mono_s, wall_s, ClockQuality.RESTORED)
        one = alarm(alarm_id)
        return msgspec.structs.replace(one, finding=msgspec.structs.replace(one.finding, at=at))

    expected = [found("d", "unset-boot", 5.0, None), found("c", "early-boot", 900.0, 10_000.0),
                found("e", "late-boot", 10.0, None), found("b", "late-boot", 20.0, 20_000.0),
                found("a", "late-boot", 30.0, 20_010.0)]
    store = await Store.open(tmp_path)
    for one in sorted(expected, key=lambda one: one.id):
        await store.save_alarm(one)
    assert await store.open_alarms() == expected
    await store.close()


BAD_BODIES = ['{"id":"a1"', b"\x00\xff", b'"\xff"', 5, "[" * 5000, "{}"]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_an_unreadable_alarm_is_set_aside_and_told_and_the_others_are_open(tmp_path: Path, body: object) -> None:
    store = await Store.open(tmp_path)
    await store.save_alarm(alarm("a2"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("INSERT INTO alarm VALUES ('a1', 'raised', ?)", (body,))
    store = await Store.open(tmp_path)
    for _ in range(2):
        assert await store.open_alarms() == [alarm("a2")]
    (fault,) = store.faults()
    assert "alarm a1 could not be read" in fault.reason
    assert "ask the centre" in fault.cure
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db:
        assert db.execute("SELECT state, length(body) > 0 FROM alarm WHERE id = 'a1'").fetchone() == ("unreadable", 1)


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_an_unreadable_command_is_set_aside_and_told_and_accepted_when_it_comes_again(
    tmp_path: Path, body: object
) -> None:
    store = await Store.open(tmp_path)
    await store.accept_command(command("c2"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("INSERT INTO inbox (id, body) VALUES ('c1', ?)", (body,))
    store = await Store.open(tmp_path)
    for _ in range(2):
        assert await store.open_commands() == [command("c2")]
    (fault,) = store.faults()
    assert "command c1 could not be read" in fault.reason
    assert "send it again" in fault.cure
    assert await store.accept_command(command("c1"))
    assert not await store.accept_command(command("c1"))
    assert await store.open_commands() == [command("c1"), command("c2")]
    await store.close()


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
async def test_whatever_lies_in_the_outbox_the_rows_behind_it_depart(tmp_path: Path, body: object) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("a"), event("b")])
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("UPDATE outbox SET body = ? WHERE seq = 1", (body,))
    store = await Store.open(tmp_path)
    first, second = await store.next_rows(ALL, 10)
    assert first.event.type == EventType.GATEWAY_FAULT
    assert second.event == event("b")
    assert await store.settle(store.epoch, Lane.EVENT, 1, first.event.id) == [first.event.id]
    await store.close()


async def test_a_disk_that_takes_no_mark_still_gives_the_readable_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(ledger: Ledger, ids: object) -> None:
        raise OSError("read-only")

    store = await Store.open(tmp_path)
    await store.save_alarm(alarm("a2"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("INSERT INTO alarm VALUES ('a1', 'raised', '{}')")
    monkeypatch.setattr(Ledger, "set_alarms_aside", refuse)
    store = await Store.open(tmp_path)
    assert await store.open_alarms() == [alarm("a2")]
    assert store.trouble is not None
    await store.close()


async def test_a_database_of_the_version_before_is_migrated_with_its_commands(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.accept_command(command("c1"))
    await store.append([event("result")], result_of="c1")
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db")) as db, db:
        db.execute("ALTER TABLE inbox DROP COLUMN result")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = '0003_inbox_result'")
    store = await Store.open(tmp_path)
    assert await store.answer_again("c1")
    assert not await store.answer_again("c2")
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["result"]
    await store.close()


async def test_an_acknowledgement_of_what_was_not_sent_settles_only_what_its_id_proves(store: Store) -> None:
    await store.append([event("a"), event("b"), event("c")])
    assert await store.settle(store.epoch, Lane.EVENT, 2, published=1) == []
    assert await store.settle(store.epoch, Lane.EVENT, 2, "b", published=1) == ["a", "b"]
    epoch = store.epoch
    for _ in range(3):
        assert await store.settle(epoch, Lane.EVENT, 1003, renew=False) == []
    assert (store.epoch, store.faults()) == (epoch, ())
    assert await store.settle(epoch, Lane.EVENT, 1003) == []
    assert store.epoch != epoch
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["c"]


async def test_a_fault_is_told_once_and_no_more_faults_than_people_can_read(store: Store) -> None:
    for number in range(3 * FAULTS):
        store._thread.fault(f"page {number // 2} damaged", "check the disk")
    assert len(store.faults()) == len(set(store.faults())) == FAULTS
    assert store.faults()[-1].reason == f"page {3 * FAULTS // 2 - 1} damaged"
