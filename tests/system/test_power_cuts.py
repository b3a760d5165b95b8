"""A power cut at any moment loses nothing that was accepted: the real store on a disk with a volatile cache."""

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.model.event import Lane
from gateway.store import Limits, Store, thread, volume
from gateway.store.migrate import FILE, scripts
from hil.resources.lossydisk.program import lossy_disk, why_not
from tests.system.power_writer import Found, Outcome, Plan
from tests.unit.store.kit import alarm, command, event

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

SEED = 20_260_301


async def _cut(folder: Path, **plan: object) -> Outcome:
    """Carry a plan out on a disk of its own."""
    folder.mkdir()
    async with lossy_disk(folder) as disk:
        whole = msgspec.convert({"mount": str(disk.mount), "control": str(disk.socket), "copies": str(folder)} | plan,
                                Plan)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.system.power_writer", msgspec.json.encode(whole).decode(),
            cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE)
        try:
            told, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    assert child.returncode == 0
    return msgspec.json.decode(told, type=Outcome)


async def test_nothing_accepted_is_lost_by_any_of_many_cuts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat_out = [_cut(tmp_path / f"flat-out-{n}", seed=SEED + n, cuts=30, calls=(1, 400)) for n in range(2)]
    flat_out += [_cut(tmp_path / "flat-out-timed", seed=SEED, cuts=30, after_s=(0.02, 0.25))]
    at_home = [_cut(tmp_path / "home", seed=SEED, cuts=12, folders=4, after_s=(0.2, 1.2), pause_s=0.4)]
    outcomes = await asyncio.gather(*flat_out, *at_home)
    _nothing_lost(outcomes)
    cuts = sum(outcome.cuts for outcome in outcomes)
    assert cuts >= 100
    assert min(outcome.accepted for outcome in outcomes[:3]) > 30 * 10
    assert outcomes[3].accepted > 12 * 4
    with capsys.disabled():
        print(f"\n{cuts} power cuts, {sum(outcome.accepted for outcome in outcomes)} events accepted, 0 lost")


def _nothing_lost(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        assert outcome.wrong == []
        assert outcome.lost == []
        assert outcome.opened > outcome.cuts // 2


@pytest.mark.parametrize("plan", [{"calls": (40, 400), "cuts": 8}, {"pause_s": 0.3, "after_s": (0.5, 1.0), "cuts": 3}],
                         ids=["flat out", "at home"])
async def test_a_store_that_leaves_out_the_fsync_is_seen_to_lose(tmp_path: Path, plan: dict[str, object]) -> None:
    assert (await _cut(tmp_path / "forgetful", seed=SEED, folders=3, forgetful=True, **plan)).lost


async def test_cuts_while_the_oldest_is_given_up_lose_no_alarm_and_no_more_than_the_gap_tells(tmp_path: Path) -> None:
    outcome = await _cut(tmp_path / "small", seed=SEED, cuts=15, calls=(40, 400), max_bytes=150e3, settles=False)
    _nothing_lost([outcome])
    assert outcome.given_up > 100


@pytest.fixture(params=[False, pytest.param(True, marks=[pytest.mark.nightly, pytest.mark.timeout(300)])],
                ids=["calls that differ", "every call"])
def every(request: pytest.FixtureRequest) -> bool:
    """Whether the power goes at every call, or of calls alike that follow each other only at the first."""
    return bool(request.param)


async def _wrong_moments(tmp_path: Path, base: Path, wrong: Callable[[Found], object], every: bool) -> list[str]:
    """Open and close a store on copies of `base`, with the power gone at its calls in turn; return those after which
    something is wrong."""
    found_wrong = []
    async with lossy_disk(tmp_path) as disk:
        whole = _copied(base, disk.mount / "whole")
        copying = len((await disk("trace"))["calls"])
        await _open_and_close(whole)
        calls = (await disk("trace"))["calls"][copying:]
        for number, (earlier, call) in enumerate(pairwise(["", *calls]), 1):
            if call == earlier and not every:
                continue
            folder = _copied(base, disk.mount / "cut")
            await disk("arm", calls=number, seed=number)
            await _open_and_close(folder)
            assert not (await disk("stats"))["on"]
            await disk("heal")
            copy = tmp_path / f"copy-{number}"
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.reserve-*"))
            shutil.rmtree(folder)
            if what := wrong(await Found.read(copy)):
                found_wrong.append(f"{number} of {len(calls)}, {call}: {what}")
    assert len(calls) > 20
    return found_wrong


def _copied(base: Path, folder: Path) -> Path:
    """Copy a folder to the disk, and bring it there."""
    shutil.copytree(base, folder)
    for path in (folder.parent, *folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return folder


async def _open_and_close(folder: Path) -> None:
    await (await Store.open(folder)).close()


async def test_a_cut_at_any_moment_of_the_first_opening_leaves_a_store_that_opens(tmp_path: Path, every: bool) -> None:
    (tmp_path / "empty").mkdir()
    assert await _wrong_moments(tmp_path, tmp_path / "empty", lambda found: found.complaints, every) == []


def _old(folder: Path) -> None:
    """A database as the first schema had it, with something in every table."""
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        migrations = Migrations("anju")

        @migrations(name="0001_outbox")
        def first(database: Database) -> None:
            for statement in scripts()["0001_outbox"].split(";"):
                database.conn.execute(statement)

        migrations.apply(Database(db, execute_plugins=False))
        db.execute("INSERT INTO meta VALUES ('epoch', 'old')")
        db.execute("UPDATE lane SET settled = 3 WHERE lane = 1")
        db.execute("BEGIN")
        for lane in Lane:
            rows = [event(f"{lane.name}-{seq}", lane) for seq in range(4 if lane is Lane.EVENT else 1, 40)]
            db.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?)",
                           [(lane, int(row.id.split("-")[1]), row.id, msgspec.json.encode(row)) for row in rows])
        for n in range(20):
            found, asked = alarm(f"alarm-{n}"), command(f"command-{n}")
            db.execute("INSERT INTO alarm VALUES (?, ?, ?)", (found.id, found.state.value, msgspec.json.encode(found)))
            db.execute("INSERT INTO inbox (id, body) VALUES (?, ?)", (asked.id, msgspec.json.encode(asked)))
        db.execute("COMMIT")


async def test_a_cut_at_any_moment_of_a_migration_leaves_the_old_or_the_new_with_everything(
        tmp_path: Path, every: bool) -> None:
    base = tmp_path / "old"
    base.mkdir()
    await asyncio.to_thread(_old, base)
    numbers = [(lane, seq) for lane in Lane for seq in range(4 if lane is Lane.EVENT else 1, 40)]

    def wrong(found: Found) -> object:
        right = ([(row.lane, row.seq, row.event.id) for row in found.rows]
                 == [(lane, seq, f"{lane.name}-{seq}") for lane, seq in numbers]
                 and {row.settled for row in found.rows if row.lane is Lane.EVENT} == {3}
                 and found.alarms == {f"alarm-{n}" for n in range(20)}
                 and found.commands == {f"command-{n}" for n in range(20)})
        return found.complaints or not right

    assert await _wrong_moments(tmp_path, base, wrong, every) == []


async def _filled(folder: Path) -> Store:
    store = await Store.open(folder, Limits(telemetry_delay_s=0))
    for n in range(30):
        await store.append([event(f"alarm-{n}", Lane.ALARM)], alarm(f"alarm-{n}"))
    await store.append([event(f"e-{n}") for n in range(100)])
    return store


ALARMS = [f"alarm-{n}" for n in range(30)]


async def _crashed(tmp_path: Path) -> Path:
    """A folder with everything in the journal, as a crash leaves it."""
    base = tmp_path / "crashed"
    base.mkdir()
    store = await _filled(tmp_path / "filled")
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / "filled" / f"{FILE}{suffix}", base)
    await store.close()
    return base


async def test_a_cut_at_any_moment_of_a_checkpoint_loses_nothing(tmp_path: Path, every: bool) -> None:
    """Closing brings the journal into the database."""
    whole = [*ALARMS, *(f"e-{n}" for n in range(100))]

    def wrong(found: Found) -> object:
        return found.complaints or [row.event.id for row in found.rows] != whole or found.alarms != set(ALARMS)

    assert await _wrong_moments(tmp_path, await _crashed(tmp_path), wrong, every) == []


def _damage(folder: Path) -> None:
    """Make a page of no alarm unreadable, in the database itself."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        page, = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'inbox'").fetchone()
    with (folder / FILE).open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)


@pytest.mark.parametrize("journal", [False, True], ids=["alarms in the database", "alarms in the journal"])
async def test_a_cut_at_any_moment_of_setting_a_damaged_file_aside_loses_no_alarm(
        tmp_path: Path, journal: bool, every: bool) -> None:
    if journal:
        await (await Store.open(tmp_path / "filled")).close()
        shutil.copytree(tmp_path / "filled", tmp_path / "empty")
        base = await _crashed(tmp_path)
        _damage(tmp_path / "empty")
        shutil.copy(tmp_path / "empty" / FILE, base)
    else:
        await (await _filled(tmp_path / "filled")).close()
        base = tmp_path / "filled"
        _damage(base)

    def wrong(found: Found) -> object:
        waiting = {row.event.id for row in found.rows if row.lane is Lane.ALARM}
        return set(ALARMS) - (waiting & found.alarms)

    assert await _wrong_moments(tmp_path, base, wrong, every) == []


async def test_a_folder_that_the_store_has_made_survives_with_all_that_was_accepted(tmp_path: Path) -> None:
    async with lossy_disk(tmp_path) as disk:
        for seed in range(8):
            store = await Store.open(disk.mount / f"flat-{seed}")
            await store.append([event("alarm", Lane.ALARM)])
            await disk("cut", seed=seed, names="any", off=True)
            await store.close()
            await disk("heal")
            assert (disk.mount / f"flat-{seed}").exists()


async def test_the_reserves_are_there_again_after_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "LOOK_S", 0.02)
    async with lossy_disk(tmp_path) as disk:
        reserves = [disk.mount / name for name in volume.RESERVES]
        for seed in range(8):
            store = await Store.open(disk.mount)
            async with asyncio.timeout(5.0):
                while sum(path.stat().st_size if path.exists() else 0 for path in reserves) < 2 * volume.RESERVE_BYTES:
                    await asyncio.sleep(0.02)
            await disk("cut", seed=seed, names="ordered", off=True)
            await store.close()
            await disk("heal")
