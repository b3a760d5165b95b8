"""How little is written: late telemetry shares commits, settled rows leave with others, and all of it is counted."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.event import Lane
from gateway.store import Limits, Store, StoreFull
from gateway.store.volume import RESERVES, Volume
from tests.unit.store.kit import alarm, event

ALL = dict.fromkeys(Lane, 0)
KEEPS_HOUSE = "gateway.store.thread.HOUSE_S"
LATE = Limits(telemetry_delay_s=3600.0)


@pytest.fixture(autouse=True)
def house_is_kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KEEPS_HOUSE, 0.0)


async def fsyncs(store: Store) -> int:
    await store.detector("nobody")
    return store.writes().fsyncs


async def written_bytes(store: Store) -> int:
    for _ in range(2):  # the house is kept behind each turn of the thread
        await store.detector("nobody")
    return store.writes().bytes


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(path / "anju.db")) as base:
        count: int = base.execute("SELECT count(*) FROM outbox WHERE seq > 0").fetchone()[0]
        return count


async def test_appends_one_after_another_look_for_the_file_and_leave_the_journals_times_alone(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask for them would make each commit write the journal's inode too."""
    monkeypatch.setattr(KEEPS_HOUSE, 3600.0)
    store = await Store.open(tmp_path)
    await store.append([event("first")])
    asked: list[str] = []
    stat = Path.stat

    def stat_noted(path: Path) -> os.stat_result:
        asked.append(path.name)
        return stat(path)

    monkeypatch.setattr(Path, "stat", stat_noted)
    for number in range(5):
        await store.append([event(f"door-{number}")])
    assert asked == ["anju.db"] * 5
    await store.close()


async def test_telemetry_waits_for_a_commit_that_is_made_anyway(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    late = [asyncio.ensure_future(store.append([event(f"t{n}", Lane.TELEMETRY)])) for n in range(20)]
    before = await fsyncs(store)
    assert not any(one.done() for one in late)
    assert await store.next_rows(ALL, 100) == []
    await store.append([event("door")])
    await asyncio.gather(*late)
    assert await fsyncs(store) == before + 1
    assert [row.event.id for row in await store.next_rows(ALL, 100)] == ["door", *(f"t{n}" for n in range(20))]
    await store.close()


async def test_telemetry_is_committed_in_time_though_nothing_else_happens(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, Limits(telemetry_delay_s=0.05))
    async with asyncio.timeout(10):
        await asyncio.gather(*(store.append([event(f"t{n}", Lane.TELEMETRY)]) for n in range(20)))
    assert len(await store.next_rows(ALL, 100)) == 20
    await store.close()


async def test_closing_waits_for_no_delay_and_loses_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    late = asyncio.ensure_future(store.append([event("t", Lane.TELEMETRY)]))
    await store.detector("nobody")
    await store.close()
    await late
    assert rows_in(tmp_path) == 1


async def test_telemetry_that_belongs_to_an_alarm_or_comes_with_an_event_is_not_late(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    async with asyncio.timeout(10):
        await store.append([event("t1", Lane.TELEMETRY)], alarm("a"))
        await store.append([event("t2", Lane.TELEMETRY), event("door")])
    await store.close()


async def test_what_is_settled_is_gone_at_once_and_leaves_the_file_with_the_next_commit(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    await store.append([event(f"e{n}") for n in range(10)])
    before = await fsyncs(store)
    assert await store.settle(store.epoch, Lane.EVENT, 4, "e3") == ["e0", "e1", "e2", "e3"]
    assert [row.seq for row in await store.next_rows(ALL, 100)] == list(range(5, 11))
    assert store.counts()[Lane.EVENT].waiting == 6
    assert await fsyncs(store) == before
    await store.append([event("e3")])  # its number is settled: the same id again is a new row
    assert [row.event.id for row in await store.next_rows(ALL, 100)][-1] == "e3"
    await store.close()
    assert rows_in(tmp_path) == 7


async def test_many_settled_rows_leave_the_file_by_themselves(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    await store.append([event(f"e{n}") for n in range(1000)])
    before = await written_bytes(store)
    await store.settle(store.epoch, Lane.EVENT, 900, "e899")
    assert await written_bytes(store) > before
    await store.close()
    assert rows_in(tmp_path) == 100


async def test_what_is_settled_leaves_the_file_in_time_though_nothing_else_happens(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.thread.LOOK_S", 0.02)
    store = await Store.open(tmp_path, Limits(telemetry_delay_s=0.0))
    await store.append([event("a"), event("b")])
    before = await written_bytes(store)
    await store.settle(store.epoch, Lane.EVENT, 2, "b")
    async with asyncio.timeout(10):
        while store.writes().bytes == before:
            await asyncio.sleep(0.01)
    written = await written_bytes(store)
    await asyncio.sleep(0.1)
    assert await written_bytes(store) == written
    await store.close()


async def test_a_commit_that_fails_forgets_no_settling(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    await store.append([event("a"), event("b")])
    await store.settle(store.epoch, Lane.EVENT, 1, "a")
    with pytest.raises(Exception, match="refused"):
        await store.save_detector(None, b"")  # type: ignore[arg-type]
    assert [row.event.id for row in await store.next_rows(ALL, 100)] == ["b"]
    await store.close()
    assert rows_in(tmp_path) == 1


async def test_bytes_and_fsyncs_are_counted(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    before, before_bytes = await fsyncs(store), await written_bytes(store)
    for n in range(10):
        await store.append([event(f"e{n}")])
    assert await fsyncs(store) == before + 10
    assert 10 * 4096 <= await written_bytes(store) - before_bytes <= 10 * 16_384
    await store.close()


async def test_an_alarm_that_stands_there_already_writes_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LATE)
    await store.append([event("sos", Lane.ALARM)])
    before = await fsyncs(store), await written_bytes(store)
    for _ in range(10):
        await store.append([event("sos", Lane.ALARM)])
    assert (await fsyncs(store), await written_bytes(store)) == before
    await store.close()


async def test_an_idle_thread_brings_the_journal_into_the_database(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for n in range(300):
        await store.append([event(f"e{n}")])
    await store.detector("nobody")
    assert (tmp_path / "anju.db").stat().st_size > 20 * 4096
    assert store.writes().fsyncs >= 303
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "anju-test", str(disk)], check=False,
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill_up(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(handle, bytes(4096))
    os.close(handle)


async def test_on_a_disk_that_others_filled_the_reserve_takes_alarms_and_lets_settled_rows_go(
        small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.thread.LOOK_S", 0.05)
    store = await Store.open(small_disk, LATE)
    reserves = [small_disk / name for name in RESERVES]
    assert [reserve.stat().st_size for reserve in reserves] == [2**20, 2**20]
    await store.append([event(f"e{n}") for n in range(2000)])
    fill_up(small_disk / "ballast")
    await store.append([event("sos", Lane.ALARM)], alarm("sos"))
    await store.settle(store.epoch, Lane.EVENT, 1900, "e1899")
    await store.append([event("sos2", Lane.ALARM)], alarm("sos2"))
    assert store.counts()[Lane.EVENT].waiting <= 100
    assert [alarm.id for alarm in await store.open_alarms()] == ["sos", "sos2"]
    assert any("reserve is used up" in fault.reason for fault in store.faults())
    (small_disk / "ballast").unlink()
    async with asyncio.timeout(10):
        while any("reserve" in fault.reason for fault in store.faults()):
            await asyncio.sleep(0.01)
    assert all(reserve.exists() for reserve in reserves)
    await store.close()


async def test_an_outbox_that_filled_its_disk_drains_and_takes_events_again(small_disk: Path) -> None:
    store = await Store.open(small_disk, LATE)
    taken = 0
    with contextlib.suppress(StoreFull):
        while True:
            await store.append([event(f"a{taken}-{n}", Lane.ALARM) for n in range(20)])
            taken += 20
    assert taken > 1000
    assert not (small_disk / RESERVES[0]).exists()
    for upto in range(64, taken + 1, 64):
        await store.settle(store.epoch, Lane.ALARM, upto)
    await store.append([event("door")])
    assert store.trouble is None
    assert store.counts()[Lane.ALARM].waiting <= 64
    await store.close()


def test_a_reserve_is_made_only_where_there_is_plenty_and_the_last_is_not_for_everything(small_disk: Path) -> None:
    volume = Volume(small_disk)
    volume.keep_reserves()
    assert volume.release(last=False)
    assert not volume.release(last=False)
    assert volume.release(last=True)
    assert not volume.release(last=True)
    with (small_disk / "ballast").open("wb") as file:
        file.write(bytes(29 * 2**20))
    volume.keep_reserves()
    assert not volume.release(last=True)
    assert Volume(small_disk / "nowhere").space() is None
