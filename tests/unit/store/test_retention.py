"""What the outbox gives up when there is no room: the decision by itself, then the real file."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.model.alarm import AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Limits, Row, Store
from gateway.store.ledger import KEPT_ALARMS, KEPT_COMMANDS
from gateway.store.migrate import scripts
from gateway.store.retention import HEADROOM_BYTES, STEP, Usage, decide
from tests.unit.store.kit import AT, alarm, command, event

MB = 2**20
ALL = dict.fromkeys(Lane, 0)
KEEPS_HOUSE = "gateway.store.thread.HOUSE_S"
FULL_OF = {Lane.ALARM: 5, Lane.EVENT: 5, Lane.TELEMETRY: 5}
LIMITS = Limits(max_bytes=100 * MB, min_free_bytes=50 * MB, telemetry_delay_s=0.0)
SMALL = Limits(max_bytes=8 * MB, min_free_bytes=0, telemetry_delay_s=0.0)


@pytest.fixture(autouse=True)
def house_is_kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KEEPS_HOUSE, 0.0)


def usage(used: int, spare: int = 0, free: int = 1000 * MB, disk: int = 10_000 * MB,
          waiting: dict[Lane, int] | None = None) -> Usage:
    return Usage(used, spare, free, disk, FULL_OF if waiting is None else waiting)


def test_with_room_nothing_is_given_up() -> None:
    assert decide(LIMITS, usage(99 * MB), cutting=False) is None


def test_at_the_cap_the_oldest_telemetry_goes_first() -> None:
    cut = decide(LIMITS, usage(100 * MB), cutting=False)
    assert cut is not None
    assert (cut.lane, cut.rows) == (Lane.TELEMETRY, 2)
    cut = decide(LIMITS, usage(100 * MB, waiting={**FULL_OF, Lane.TELEMETRY: 100_000}), cutting=False)
    assert cut is not None
    assert cut.rows == STEP
    assert "100" in cut.reason or "105" in cut.reason
    assert "max_mb" in cut.cure


def test_without_telemetry_events_go_and_alarms_never() -> None:
    cut = decide(LIMITS, usage(100 * MB, waiting={**FULL_OF, Lane.TELEMETRY: 1}), cutting=False)
    assert cut is not None
    assert cut.lane is Lane.EVENT
    assert decide(LIMITS, usage(200 * MB, waiting={**ALL, Lane.ALARM: 10_000}), cutting=False) is None


def test_a_disk_that_others_filled_costs_telemetry_only_until_the_file_has_room_of_its_own() -> None:
    cut = decide(LIMITS, usage(20 * MB, free=40 * MB), cutting=False)
    assert cut is not None
    assert "disk" in cut.reason
    assert decide(LIMITS, usage(20 * MB, spare=20 * MB // 8 + 1, free=40 * MB), cutting=True) is None
    assert decide(LIMITS, usage(90 * MB, spare=HEADROOM_BYTES + 1, free=40 * MB), cutting=True) is None


def test_on_a_small_disk_the_floor_is_a_tenth_of_it() -> None:
    assert decide(LIMITS, usage(1 * MB, free=5 * MB, disk=40 * MB), cutting=False) is None
    assert decide(LIMITS, usage(1 * MB, free=4 * MB, disk=40 * MB), cutting=False) is not None


@given(st.integers(0, 300 * MB), st.integers(0, 50 * MB), st.integers(0, 500 * MB), st.booleans())
def test_cutting_ends(used: int, spare: int, free: int, cutting: bool) -> None:
    """Each cut frees pages in the file: as many steps as there are rows are enough."""
    waiting, steps = dict(FULL_OF), 0
    while (cut := decide(LIMITS, usage(used, spare, free, waiting=waiting), cutting)) is not None:
        waiting[cut.lane] = max(1, waiting[cut.lane] - 1)
        used, spare, cutting, steps = used - MB, spare + MB, True, steps + 1
        assert steps <= 10
    assert waiting[Lane.ALARM] == FULL_OF[Lane.ALARM]


@given(st.integers(100, 100_000), st.integers(0, 40 * MB), st.integers(0, 2_000))
def test_a_disk_that_others_filled_costs_about_as_much_as_comes_in(waiting: int, free: int, more: int) -> None:
    """400 bytes a row, pages of 4096: what is inside when the disk becomes full stays, but for a share."""
    row_bytes, rows = 400, waiting
    file_bytes = -(-rows * row_bytes // 4096) * 4096
    cutting = False
    for _ in range(more + 1):
        while True:
            used = -(-rows * row_bytes // 4096) * 4096
            cut = decide(LIMITS, usage(used, file_bytes - used, free, waiting={**ALL, Lane.TELEMETRY: rows}), cutting)
            cutting = cut is not None
            if cut is None:
                break
            rows -= cut.rows - 1
        if rows * row_bytes >= file_bytes:
            break
        rows += 1
    assert rows >= waiting * 0.7 - 20


@asynccontextmanager
async def small_store(folder: Path, limits: Limits = SMALL) -> AsyncIterator[Store]:
    store = await Store.open(folder, limits)
    try:
        yield store
    finally:
        await store.close()


def heavy(prefix: str, count: int, lane: Lane) -> list[Event]:
    return [Event(f"{prefix}{n:05d}", EventType.VITALS_SUMMARY, lane, "wrist", AT, {"words": "x" * 4000})
            for n in range(count)]


async def fill(store: Store, prefix: str, count: int, lane: Lane) -> None:
    events = heavy(prefix, count, lane)
    for start in range(0, count, 100):
        await store.append(events[start:start + 100])


async def settled_down(store: Store) -> list[Row]:
    """Return what waits once nothing is given up any more."""
    before = -1
    while before != (before := store.given_up()):
        for _ in range(50):
            await store.detector("nobody")  # a turn of the thread
    return await store.next_rows(ALL, 100_000)


async def test_past_the_cap_a_gap_record_stands_for_the_oldest_telemetry(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await store.append([event("sos", Lane.ALARM)], alarm("sos"))
        await store.append([event("door")])
        await fill(store, "t", 2500, Lane.TELEMETRY)
        rows = await settled_down(store)
        telemetry = [row for row in rows if row.lane is Lane.TELEMETRY]
        gap, kept = telemetry[0], telemetry[1:]
        assert gap.event.type == EventType.OUTBOX_GAP
        assert (gap.first, gap.event.lane, gap.event.subject) == (1, Lane.TELEMETRY, "gateway")
        assert gap.event.data["events"] == gap.seq
        assert gap.event.data["cure"]
        assert [row.seq for row in kept] == list(range(gap.seq + 1, 2501))
        assert [row.event.id for row in kept] == [f"t{row.seq - 1:05d}" for row in kept]
        assert {row.event.id for row in rows if row.lane is not Lane.TELEMETRY} == {"sos", "door"}
        assert store.given_up() == gap.seq
        assert store.counts()[Lane.TELEMETRY].waiting == len(telemetry)
        assert any("telemetry was given up" in fault.reason for fault in store.faults())
    assert (tmp_path / "anju.db").stat().st_size < 16 * MB


async def test_when_no_telemetry_is_left_events_go_and_every_alarm_stays(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await fill(store, "t", 300, Lane.TELEMETRY)
        await fill(store, "a", 1000, Lane.ALARM)
        await fill(store, "e", 1500, Lane.EVENT)
        rows = await settled_down(store)
        alarms = [row.event.id for row in rows if row.lane is Lane.ALARM]
        assert alarms == [f"a{n:05d}" for n in range(1000)]
        telemetry = [row for row in rows if row.lane is Lane.TELEMETRY]
        assert [row.first for row in telemetry] == [1]
        events = [row for row in rows if row.lane is Lane.EVENT]
        assert events[0].first == 1
        assert len(events) < 1500
        await fill(store, "b", 1500, Lane.ALARM)
        alarms = [row.event.id for row in await settled_down(store) if row.lane is Lane.ALARM]
        assert len(alarms) == 2500


async def test_a_gap_that_grows_stays_one_record_and_settles_like_any_other(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await fill(store, "t", 2500, Lane.TELEMETRY)
        first = next(row for row in await settled_down(store) if row.first)
        await fill(store, "u", 2500, Lane.TELEMETRY)
        rows = await settled_down(store)
        gap = rows[0]
        assert sum(row.first is not None for row in rows) == 1
        assert gap.seq > first.seq
        assert gap.event.id != first.event.id
        assert await store.settle(store.epoch, Lane.TELEMETRY, first.seq, first.event.id) == []
        assert (await store.next_rows(ALL, 1))[0].settled == first.seq
        assert await store.settle(store.epoch, Lane.TELEMETRY, gap.seq, gap.event.id) == [gap.event.id]
        assert (await store.next_rows(ALL, 1))[0].seq == gap.seq + 1
        assert store.faults() == tuple(fault for fault in store.faults() if "went back" not in fault.reason)


async def test_the_citys_answer_for_an_event_that_was_given_up_meanwhile_is_no_contradiction(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await fill(store, "t", 2500, Lane.TELEMETRY)
        gap = next(row for row in await settled_down(store) if row.first)
        epoch = store.epoch
        await store.settle(epoch, Lane.TELEMETRY, gap.seq, f"t{gap.seq - 1:05d}")
        assert store.epoch == epoch
        assert (await store.next_rows(ALL, 1))[0].seq == gap.seq + 1


async def test_gap_and_numbers_survive_a_restart_and_a_new_epoch(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await fill(store, "t", 2500, Lane.TELEMETRY)
        gap = (await settled_down(store))[0]
    async with small_store(tmp_path, LIMITS) as store:
        again = (await store.next_rows(ALL, 1))[0]
        assert (again.seq, again.first, again.event) == (gap.seq, gap.first, gap.event)
        await store.settle(store.epoch, Lane.TELEMETRY, 40)
        await store.settle(store.epoch, Lane.TELEMETRY, 10_000, "never")
        assert store.epoch != gap.epoch
        again = (await store.next_rows(ALL, 1))[0]
        assert (again.seq, again.first, again.event) == (gap.seq - 40, 1, gap.event)


async def test_ended_alarms_and_expired_commands_are_forgotten_at_last_and_open_ones_never(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await store.append([], alarm("open"))
        for n in range(KEPT_ALARMS + 5):
            await store.append([], alarm(f"closed-{n}", AlarmState.CLOSED))
        await store.accept_command(command("waits"))
        for n in range(KEPT_COMMANDS + 5):
            await store.accept_command(command(f"done-{n}"))
            await store.append([event(f"r{n}")], result_of=f"done-{n}")
        assert [found.id for found in await store.open_alarms()] == ["open"]
        assert [found.id for found in await store.open_commands()] == ["waits"]
        assert not await store.accept_command(command(f"done-{KEPT_COMMANDS + 4}"))
    with closing(sqlite3.connect(tmp_path / "anju.db")) as base:
        kept = [i for (i,) in base.execute("SELECT id FROM alarm ORDER BY rowid")]
        # The commands expire after their results' own time: until then they are known, however many there are.
        assert base.execute("SELECT count(*) FROM inbox WHERE done").fetchone() == (KEPT_COMMANDS + 5,)
    assert kept == ["open", *(f"closed-{n}" for n in range(5, KEPT_ALARMS + 5))]


async def test_commands_are_known_until_they_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.ledger.KEPT_COMMANDS", 3)
    late = Stamp("boot-1", 200.0, 1_770_000_061.0, ClockQuality.SYNCED)
    unsure = Stamp("boot-1", 200.0, 1_770_000_061.0, ClockQuality.RESTORED)
    async with small_store(tmp_path) as store:
        for n in range(6):
            await store.accept_command(command(f"c{n}"))
            await store.append([event(f"r{n}", at=unsure)], result_of=f"c{n}")
        await store.accept_command(command("last"))
        assert not await store.accept_command(command("c0"))
        await store.append([event("r-last", at=late)], result_of="last")
        assert await store.accept_command(command("c0"))
        assert not await store.accept_command(command("c5"))


async def test_a_damaged_command_keeps_nothing_else_from_being_forgotten(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await store.accept_command(command("c"))
        await store.append([event("r")], result_of="c")
    with closing(sqlite3.connect(tmp_path / "anju.db")) as base, base:
        base.executemany("INSERT INTO inbox (id, body, done) VALUES (?, ?, 1)",
                         [(f"x{n}", json.dumps({"expires_s": 1.0})[n % 3:].encode()) for n in range(600)])
    async with small_store(tmp_path) as store:
        await store.accept_command(command("d"))
        await store.append([event("r2")], result_of="d")
        assert store.trouble is None


def make_old_file(path: Path) -> None:
    """A database as it was before gap records, with something of everything in it."""
    migrations = Migrations("anju")
    for name, sql in list(scripts().items())[:3]:
        migrations(name=name)(lambda db, sql=sql: [db.conn.execute(one) for one in sql.split(";") if one.strip()])
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        migrations.apply(Database(base))
        base.execute("INSERT INTO meta VALUES ('epoch', 'e1')")
        base.execute("UPDATE lane SET settled = 7 WHERE lane = 1")
        base.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?)", [
            (lane, seq, f"{lane}-{seq}", msgspec.json.encode(event(f"{lane}-{seq}", Lane(lane))))
            for lane, seq in ((0, 1), (1, 8), (1, 9), (2, 1))])
        base.execute("INSERT INTO alarm VALUES ('a', 'raised', ?)", (msgspec.json.encode(alarm("a")),))
        base.execute("INSERT INTO inbox (id, body) VALUES ('c', ?)", (msgspec.json.encode(command("c")),))


async def test_a_file_of_the_first_format_keeps_its_numbers_rows_alarms_and_commands(tmp_path: Path) -> None:
    await asyncio.to_thread(make_old_file, tmp_path / "anju.db")
    async with small_store(tmp_path) as store:
        rows = await store.next_rows(ALL, 10)
        assert [(row.lane, row.seq, row.event.id) for row in rows] == [(0, 1, "0-1"), (1, 8, "1-8"), (1, 9, "1-9"),
                                                                       (2, 1, "2-1")]
        assert [row.settled for row in rows] == [0, 7, 7, 0]
        assert await store.open_alarms() == [alarm("a")]
        assert await store.open_commands() == [command("c")]
        await store.append([event("0-1", Lane.ALARM), event("next")])
        assert [row.seq for row in await store.next_rows(ALL, 10)] == [1, 8, 9, 10, 1]


async def test_a_lane_whose_own_row_was_lost_goes_on(tmp_path: Path) -> None:
    async with small_store(tmp_path) as store:
        await store.append([event("a"), event("b")])
    with closing(sqlite3.connect(tmp_path / "anju.db")) as base, base:
        base.execute("DELETE FROM outbox WHERE seq = 0")
    async with small_store(tmp_path) as store:
        await store.append([event("c")])
        assert [row.seq for row in await store.next_rows(ALL, 10)] == [1, 2, 3]
        await store.settle(store.epoch, Lane.EVENT, 3, "c")
    async with small_store(tmp_path) as store:
        await store.append([event("d")])
        assert [row.seq for row in await store.next_rows(ALL, 10)] == [4]
