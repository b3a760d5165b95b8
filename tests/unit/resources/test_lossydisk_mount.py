"""The mounted lossy disk: SQLite on it loses nothing where it may not, and is seen to lose where it may."""

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil.resources.control import ControlError
from hil.resources.lossydisk.program import LossyDisk, lossy_disk, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

CUTS = 60


@pytest_asyncio.fixture
async def disk(tmp_path: Path) -> AsyncIterator[LossyDisk]:
    async with lossy_disk(tmp_path) as disk:
        yield disk


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _open(path: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 30")
    connection.execute("CREATE TABLE IF NOT EXISTS row (n INTEGER PRIMARY KEY, filler BLOB)")
    return connection


def _insert(connection: sqlite3.Connection, numbers: range) -> int:
    """Return how many rows were accepted before the power went."""
    accepted = 0
    with contextlib.suppress(sqlite3.OperationalError):
        for number in numbers:
            connection.execute("INSERT INTO row VALUES (?, ?)", (number, os.urandom(900)))
            accepted += 1
    return accepted


async def _rows_lost(disk: LossyDisk, synchronous: str) -> int:
    """Write until the power goes, over and over; return how many accepted rows are gone. Checks that none is wrong."""
    path, chance, lost = disk.mount / f"{synchronous}.db", random.Random(1), 0
    _open(path, "FULL").close()
    _fsync_folder(disk.mount)
    top = 0
    for seed in range(CUTS):
        connection = _open(path, synchronous)
        await disk("arm", calls=chance.randint(1, 120), seed=seed)
        top += _insert(connection, range(top, top + 1000))
        connection.close()
        await disk("heal")
        with contextlib.closing(_open(path, synchronous)) as reader:
            assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            numbers = [n for (n,) in reader.execute("SELECT n FROM row ORDER BY n")]
        assert numbers == list(range(len(numbers)))
        lost += max(0, top - len(numbers))
        top = len(numbers)
    return lost


@pytest.mark.parametrize("fsync_ms", [20.0, 60.0])
async def test_an_fsync_takes_at_least_as_long_as_it_shall(tmp_path: Path, fsync_ms: float) -> None:
    async with lossy_disk(tmp_path, fsync_ms=fsync_ms) as disk:
        handle = os.open(disk.mount / "file", os.O_WRONLY | os.O_CREAT)
        begun_s = time.monotonic()
        await asyncio.to_thread(os.fsync, handle)
        assert time.monotonic() - begun_s >= fsync_ms / 1000  # a bound from below holds on the slowest machine too
        os.close(handle)



async def test_a_writer_with_synchronous_full_loses_nothing_over_many_cuts(disk: LossyDisk) -> None:
    assert await _rows_lost(disk, "FULL") == 0


async def test_a_writer_with_synchronous_normal_is_seen_to_lose(disk: LossyDisk) -> None:
    assert await _rows_lost(disk, "NORMAL") > CUTS


async def test_a_file_written_without_fsync_is_lost_or_torn(disk: LossyDisk) -> None:
    whole = os.urandom(40_000)
    left = set()
    for seed in range(30):
        (disk.mount / "a").write_bytes(whole)
        await disk("cut", seed=seed, names="ordered")
        path = disk.mount / "a"
        left.add(path.read_bytes() if path.exists() else None)
        path.unlink(missing_ok=True)
    assert None in left
    assert left - {None, b"", whole}


async def test_what_survives_is_served_afresh_and_not_from_a_cache_of_the_kernel(disk: LossyDisk) -> None:
    path, found = disk.mount / "a", set()
    for seed in range(20):
        with path.open("wb", buffering=0) as file:
            file.write(b"old")
            os.fsync(file.fileno())
            _fsync_folder(disk.mount)
            file.write(b" and new")
            assert path.read_bytes() == b"old and new"
            await disk("cut", seed=seed)
            with pytest.raises(OSError, match=r"Errno 5\b"):
                file.write(b"x")
        found.add(path.read_bytes())
        assert path.stat().st_size == len(path.read_bytes())
    assert {b"old", b"old and new"} <= found


async def test_locks_between_two_programs_hold(disk: LossyDisk) -> None:
    with contextlib.closing(_open(disk.mount / "a.db", "FULL")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        other = await asyncio.create_subprocess_exec("python3", "-c", code, disk.mount / "a.db",
                                                     stderr=asyncio.subprocess.PIPE)
        _, complaint = await other.communicate()
        assert b"database is locked" in complaint


async def test_faults_reach_the_caller_by_their_own_number(disk: LossyDisk) -> None:
    path = disk.mount / "a"
    path.write_bytes(b"x" * 5000)
    for fault, number in ((("read", "EIO"), 5), (("readonly", ""), 30), (("full", ""), 28)):
        await disk("fail", what=fault[0], **({"error": fault[1]} if fault[1] else {}))
        with pytest.raises(OSError, match=rf"Errno {number}\b"):
            path.read_bytes() if fault[0] == "read" else (disk.mount / "b").write_bytes(b"y" * 5000)
        await disk("heal")
    assert path.read_bytes() == b"x" * 5000


async def test_space_is_told_and_can_be_allocated(disk: LossyDisk) -> None:
    before = os.statvfs(disk.mount)
    with (disk.mount / "a").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 20)
    after = os.statvfs(disk.mount)
    assert (before.f_bavail - after.f_bavail) * after.f_frsize == 1 << 20
    assert (await disk("stats"))["bytes"] == 0


async def test_an_operation_that_it_does_not_know_is_refused_by_name(disk: LossyDisk) -> None:
    with pytest.raises(ControlError, match="there are cut, arm, fail"):
        await disk("explode")


async def test_it_unmounts_itself_though_a_file_is_open(tmp_path: Path) -> None:
    async with lossy_disk(tmp_path) as disk:
        file = (disk.mount / "a").open("wb")
    assert not os.path.ismount(tmp_path / "disk")
    with contextlib.suppress(OSError):
        file.close()
