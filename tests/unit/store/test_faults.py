"""The store on bad disks and bad files: it says so, loses nothing it took, and comes back by itself."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.alarm import AlarmState
from gateway.model.event import Lane
from gateway.store import Store, StoreBusy, StoreUnwritable
from gateway.store.migrate import open_sound
from tests.unit.store.kit import alarm, event

ALL = dict.fromkeys(Lane, 0)


async def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_started(tmp_path: Path) -> None:
    (tmp_path / "anju.db").write_bytes(b"what is this" * 1000)
    store = await Store.open(tmp_path)
    await store.append([event("a")])
    assert (tmp_path / "anju.db.damaged-1").read_bytes() == b"what is this" * 1000
    assert "set aside as anju.db.damaged-1" in store.faults()[0].reason
    assert store.trouble is None
    await store.close()


async def test_a_second_damage_does_not_overwrite_what_was_set_aside_before(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "anju.db").write_bytes(f"garbage {number}".encode() * 1000)
        await (await Store.open(tmp_path)).close()
        (tmp_path / "anju.db").unlink()
    assert (tmp_path / "anju.db.damaged-1").read_bytes().startswith(b"garbage 1")
    assert (tmp_path / "anju.db.damaged-2").read_bytes().startswith(b"garbage 2")


async def test_pages_damaged_within_the_file_are_found_at_the_start(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event(f"e{n}") for n in range(500)])
    await store.close()
    path = tmp_path / "anju.db"
    content = bytearray(path.read_bytes())
    content[8192:len(content) // 2] = b"\xa5" * (len(content) // 2 - 8192)
    path.write_bytes(content)
    store = await Store.open(tmp_path)
    await store.append([event("new")])
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["new"]
    damaged, salvaged = store.faults()
    assert "set aside" in damaged.reason
    assert "0 waiting alarm events" in salvaged.reason
    await store.close()


async def test_a_torn_journal_loses_at_most_its_tail(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for n in range(10):
        await store.append([event(f"e{n}")])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("anju.db", "anju.db-wal"):
        shutil.copy(tmp_path / name, copy / name)
    await store.close()
    with (copy / "anju.db-wal").open("r+b") as wal:
        wal.truncate(wal.seek(0, os.SEEK_END) - 1000)
    again = await Store.open(copy)
    assert [row.event.id for row in await again.next_rows(ALL, 20)] == [f"e{n}" for n in range(9)]
    assert again.faults() == ()
    await again.close()


async def test_a_file_removed_under_the_store_is_noticed_and_a_new_one_made(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("a")])
    epoch = store.epoch
    for path in tmp_path.glob("anju.db*"):
        path.unlink()
    await store.append([event("b")])
    assert (tmp_path / "anju.db").exists()
    assert store.epoch != epoch
    assert "removed or replaced" in store.faults()[0].reason
    await store.close()


async def test_a_folder_that_cannot_be_made_opens_a_store_in_trouble_which_heals(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file in the way")
    store = await Store.open(folder)
    assert isinstance(store.trouble, StoreUnwritable)
    with pytest.raises(StoreUnwritable, match="check that state_dir is mounted writable"):
        await store.append([event("a")])
    folder.unlink()
    await store.append([event("a")])
    assert store.trouble is None
    assert [row.seq for row in await store.next_rows(ALL, 10)] == [1]
    await store.close()


async def test_nobody_waits_at_the_start_for_a_file_that_takes_long_to_look_at(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Store.open(tmp_path)).close()
    looked = threading.Event()

    def slowly(path: Path) -> sqlite3.Connection:
        looked.wait()
        return open_sound(path)

    monkeypatch.setattr("gateway.store.file.open_sound", slowly)
    monkeypatch.setattr("gateway.store.store.OPEN_S", 0.05)
    try:
        async with asyncio.timeout(5):
            store = await Store.open(tmp_path)
        taken = asyncio.create_task(store.append([event("sos", Lane.ALARM)]))
        done, _ = await asyncio.wait([taken], timeout=0.05)
        assert not done
    finally:
        looked.set()
    await taken
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["sos"]
    await store.close()


async def test_a_lock_held_by_another_program_at_the_start_is_told_at_once_and_heals(tmp_path: Path) -> None:
    first = await Store.open(tmp_path)
    await first.append([event("before")])
    await first.close()
    with closing(sqlite3.connect(tmp_path / "anju.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = await Store.open(tmp_path)
        asked_s = time.monotonic()
        waiting = [store.append([event(f"e{n}")]) for n in range(6)]
        told = await asyncio.gather(*waiting, store.append([event("alarm", Lane.ALARM)]), return_exceptions=True)
        assert time.monotonic() - asked_s < 1.0
        assert all(isinstance(error, StoreBusy) and "another program holds" in error.reason for error in told)
        other.execute("ROLLBACK")
    await store.append([event("alarm", Lane.ALARM)])
    assert store.trouble is None
    assert store.faults() == ()
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["alarm", "before"]
    await store.close()


async def test_no_other_program_can_hold_the_file_while_it_is_open(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / "anju.db", timeout=0, isolation_level=None)) as other, \
            pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    await store.append([event("alarm", Lane.ALARM)])
    assert not (tmp_path / "anju.db-shm").exists()
    await store.close()


async def test_alarms_that_can_be_read_are_taken_over_from_a_damaged_file(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("old", Lane.ALARM)], alarm("old"))
    await store.settle(store.epoch, Lane.ALARM, 1, "old")
    await store.append([event("closed", Lane.ALARM)], alarm("closed", AlarmState.CLOSED))
    await store.append([event("waiting", Lane.ALARM), event("door")], alarm("waiting"))
    await store.append([event(f"e{n}") for n in range(500)])
    await store.close()
    path = tmp_path / "anju.db"
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as db:
        page, = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'inbox'").fetchone()
    content[(page - 1) * 4096:page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    store = await Store.open(tmp_path)
    assert [row.event.id for row in await store.next_rows(ALL, 4)] == ["closed", "waiting", "door", "e0"]
    assert [found.id for found in await store.open_alarms()] == ["old", "waiting"]
    assert "2 waiting alarm events and 2 open alarms" in store.faults()[-1].reason
    assert (tmp_path / "anju.db.damaged-1").exists()
    await store.close()


async def test_a_damaged_page_of_the_outbox_hides_no_alarm_beside_it(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event(f"alarm-{n:03}", Lane.ALARM) for n in range(200)])
    await store.close()
    path = tmp_path / "anju.db"
    content = bytearray(path.read_bytes())
    page = content.index(b'"alarm-100"') // 4096
    content[page * 4096:(page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    store = await Store.open(tmp_path)
    saved = {row.event.id for row in await store.next_rows(ALL, 500)}
    assert {"alarm-000", "alarm-199"} <= saved
    assert 150 < len(saved) < 200
    await store.close()


async def test_alarms_are_taken_over_from_a_removed_file_though_nobody_writes(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("waiting", Lane.ALARM)], alarm("waiting"))
    epoch = store.epoch
    for path in tmp_path.glob("anju.db*"):
        path.unlink()
    async with asyncio.timeout(10.0):
        while store.epoch == epoch:
            await asyncio.sleep(0.05)  # the thread looks by itself, on a clock of its own
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["waiting"]
    assert [found.id for found in await store.open_alarms()] == ["waiting"]
    assert "1 waiting alarm events and 1 open alarms" in store.faults()[-1].reason
    await store.close()


async def test_a_journal_that_was_removed_takes_nothing_along(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("before", Lane.ALARM), event("door")], alarm("before"))
    (tmp_path / "anju.db-wal").unlink()
    await store.append([event("after", Lane.ALARM)])
    assert "anju.db-wal was removed or replaced" in store.faults()[0].reason
    shutil.copytree(tmp_path, tmp_path / "killed")  # as kill -9 leaves it
    await store.close()
    store = await Store.open(tmp_path / "killed")
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["before", "after", "door"]
    await store.close()


async def test_a_journal_that_was_replaced_takes_nothing_along_though_nobody_writes(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("before", Lane.ALARM)], alarm("before"))
    (tmp_path / "another").write_bytes(b"of another file")
    (tmp_path / "another").replace(tmp_path / "anju.db-wal")
    async with asyncio.timeout(10.0):
        while not store.faults():
            await asyncio.sleep(0.05)  # the thread looks by itself, on a clock of its own
    assert "anju.db-wal was removed or replaced" in store.faults()[0].reason
    await store.append([event("after", Lane.ALARM)])
    shutil.copytree(tmp_path, tmp_path / "killed")  # as kill -9 leaves it
    await store.close()
    store = await Store.open(tmp_path / "killed")
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["before", "after"]
    await store.close()


async def test_an_alarm_whose_page_the_card_lost_is_not_taken_for_there(tmp_path: Path) -> None:
    """The index names it, the table has it no more: a page of the one was written, a page of the other was not."""
    store = await Store.open(tmp_path)
    await store.append([event("first", Lane.ALARM)], alarm("first"))
    await store.close()
    path = tmp_path / "anju.db"
    with closing(sqlite3.connect(path)) as base:
        root = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outbox'").fetchone()[0]
    old = path.read_bytes()[(root - 1) * 4096:root * 4096]
    store = await Store.open(tmp_path)
    await store.append([event("sos", Lane.ALARM)], alarm("sos"))
    await store.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(old)
    store = await Store.open(tmp_path)
    await store.append([event("sos", Lane.ALARM)])
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["first", "sos"]
    assert [found.id for found in await store.open_alarms()] == ["first", "sos"]
    assert any("the index knows alarm sos" in fault.reason for fault in store.faults())
    await store.close()


_ON_SMALL_DISK = """
import asyncio, subprocess, sys
from pathlib import Path
from gateway.model.event import Lane
from gateway.store import Store, StoreFull, StoreUnwritable
from tests.unit.store.kit import alarm, event
disk = Path(sys.argv[1])
ALL = dict.fromkeys(Lane, 0)
async def refused(store, kind, name):
    try:
        await store.append([event(name)])
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} expected")
async def main():
    store = await Store.open(disk)
    await store.append([event("before")])
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    kept = []
    for n in range(500):
        try:
            await store.append([event(f"while-{n}")])
        except StoreFull as error:
            print("full:", error)
            break
        kept.append(f"while-{n}")
    else:
        raise AssertionError("the disk never was full")
    filler.unlink()
    await store.append([event("after")])
    await store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    store = await Store.open(disk)
    print("read-only:", await refused(store, StoreUnwritable, "no"))
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    await store.append([event("at-last")])
    ids = [row.event.id for row in await store.next_rows(ALL, 1000)]
    assert ids == ["before", *kept, "after", "at-last"], ids
    assert [row.seq for row in await store.next_rows(ALL, 1000)] == list(range(1, len(ids) + 1))
    await store.close()
asyncio.run(main())
"""


def test_a_full_and_a_read_only_disk_refuse_and_then_take_again(tmp_path: Path) -> None:
    """On a real small file system, in a mount namespace of its own."""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode and not os.environ.get("CI"):
        pytest.skip("this machine lets nobody mount: run as root or allow user namespaces")
    script = 'mount -t tmpfs -o size=400k tmpfs "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run([*unshare, "sh", "-c", script, str(tmp_path), sys.executable, _ON_SMALL_DISK],
                          capture_output=True, text=True, timeout=50, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    assert "full: no space left for the database: free space" in done.stdout
    assert "read-only: the database cannot be written" in done.stdout
