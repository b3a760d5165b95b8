"""A disk that is full, read-only, failing or rotten costs no alarm, is told, and heals with the disk."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from gateway.model.alarm import Alarm
from gateway.model.event import Event, Lane
from gateway.runtime import keeper
from gateway.store import Limits, Store, StoreError
from gateway.store.migrate import FILE
from hil.resources.lossydisk.program import LossyDisk, lossy_disk, why_not
from tests.system.daemon import device, fault, flat
from tests.unit.store.kit import alarm, event

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

ALL = dict.fromkeys(Lane, 0)
EAGER = Limits(telemetry_delay_s=0)

FAULTS: dict[str, dict[str, Any]] = {
    "full": {"what": "full"},
    "read-only": {"what": "readonly"},
    "EIO on fsync": {"what": "fsync"},
    "EIO on fsync of the journal": {"what": "fsync", "suffix": "-wal"},
    "EIO on write": {"what": "write"},
    "EIO on read and write": {"what": "write", "and": "read"},
    "ENOSPC on write to the journal": {"what": "write", "error": "ENOSPC", "suffix": "-wal"},
}


@pytest_asyncio.fixture
async def disk(tmp_path: Path) -> AsyncIterator[LossyDisk]:
    async with lossy_disk(tmp_path) as disk:
        yield disk


async def _break(disk: LossyDisk, fault: dict[str, Any]) -> None:
    """Make the disk fail: `and` names another kind of call that fails as well."""
    for what in (fault["what"], fault.get("and")):
        if what:
            await disk("fail", **{key: value for key, value in fault.items() if key != "and"} | {"what": what})


@dataclass
class Flat:
    """A store, its keeper, and what either told."""

    store: Store
    keeper: keeper.Keeper
    offered: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def has_been_told(self) -> bool:
        return bool(self.told or self.store.faults() or self.store.trouble)

    async def committed(self) -> list[str]:
        return [row.event.id for row in await self.store.next_rows(ALL, 100_000)]


@asynccontextmanager
async def _flat(folder: Path) -> AsyncIterator[Flat]:
    offered: list[str] = []
    told: list[str] = []
    store = await Store.open(folder, Limits(min_free_bytes=0, telemetry_delay_s=0))
    kept = keeper.Keeper(store, lambda events: offered.extend(e.id for e in events),
                         lambda what, reason, cure: told.append(f"{what}: {reason}: {cure}"))
    running = asyncio.create_task(kept.run())
    try:
        yield Flat(store, kept, offered, told)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await store.close()


@asynccontextmanager
async def _store(folder: Path) -> AsyncIterator[Store]:
    store = await Store.open(folder, EAGER)
    try:
        yield store
    finally:
        await store.close()


async def _until(condition: Callable[[], object], timeout_s: float = 8.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", FAULTS)
async def test_alarms_go_out_while_the_disk_fails_and_all_is_saved_when_it_heals(
        name: str, disk: LossyDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "RETRY_S", 0.05)
    done: list[str] = []

    def submit(flat: Flat, *events: Event, of: Alarm | None = None) -> None:
        flat.keeper.submit([keeper.Commit(events, of)], lambda: done.extend(e.id for e in events))

    async with _flat(disk.mount) as flat:
        await flat.store.append([event("before")])
        await _break(disk, FAULTS[name])
        while not flat.has_been_told():  # where it is full, the journal may have room of its own for a while
            submit(flat, event(f"filler-{len(done)}"))
            await asyncio.sleep(0.02)
        for n in range(3):
            submit(flat, event(f"alarm-{n}", Lane.ALARM), of=alarm(f"alarm-{n}"))
            submit(flat, event(f"door-{n}"))
            await _until(lambda n=n: f"alarm-{n}" in flat.offered or f"alarm-{n}" in done)
        assert flat.has_been_told()
        await disk("heal")
        await _until(lambda: flat.keeper.waiting() == 0 and {f"door-{n}" for n in range(3)} <= set(done))
        assert flat.store.trouble is None
    await disk("cut", seed=1)
    async with _store(disk.mount) as again:
        rows = await again.next_rows(ALL, 100_000)
        alarms = {f"alarm-{n}" for n in range(3)}
        assert [row.event.id for row in rows if row.lane is Lane.ALARM] == sorted(alarms)
        assert {found.id for found in await again.open_alarms()} == alarms
        given_up = sum(row.seq - row.first + 1 for row in rows if row.first is not None)
        assert given_up == 0 or name == "full"
        assert len({"before", *done} - {row.event.id for row in rows}) <= given_up


@pytest.mark.parametrize("suffix", ["", "-wal", ".db"],
                         ids=["everywhere", "the journal", "the database"])
async def test_what_is_accepted_after_an_fsync_failed_survives_a_power_cut(
        suffix: str, tmp_path: Path, disk: LossyDisk) -> None:
    """The kernel gives the pages of a failed fsync up: what stands behind them in the journal is worth nothing."""
    lost = []
    for seed in range(12):
        folder, accepted = disk.mount / f"flat-{seed}", []
        store = await Store.open(folder, EAGER)
        await disk("fail", what="fsync", suffix=suffix, times=1 + seed % 3)
        for n in range(6):
            with suppress(StoreError):
                await store.append([event(f"alarm-{n}", Lane.ALARM)])
                accepted.append(f"alarm-{n}")
        await disk("cut", seed=seed, names="ordered", off=True)
        await store.close()
        await disk("heal")
        shutil.copytree(folder, copy := tmp_path / f"copy-{seed}")
        async with _store(copy) as again:
            kept = {row.event.id for row in await again.next_rows(ALL, 100)}
        lost += [f"seed {seed}: {id_}" for id_ in accepted if id_ not in kept]
        if len(accepted) < 2:
            lost.append(f"seed {seed}: it does not come back")
    assert lost == []


ALARMS = 30


async def _base(folder: Path) -> None:
    """Leave a database with many alarms, and a journal with some more, as a crash does."""
    store = await Store.open(folder / "filled", EAGER)

    async def alarms(numbers: range) -> None:
        for n in numbers:
            await store.append([event(f"alarm-{n:03}", Lane.ALARM), event(f"door-{n}")], alarm(f"alarm-{n:03}"))

    await alarms(range(ALARMS - 5))
    await store.append([event(f"filler-{n}") for n in range(200)])
    await store.close()
    store = await Store.open(folder / "filled", EAGER)
    await alarms(range(ALARMS - 5, ALARMS))
    for name in (FILE, f"{FILE}-wal"):
        shutil.copy(folder / "filled" / name, folder)
    await store.close()


def _readable(folder: Path) -> tuple[set[str], set[str]]:
    """Return which alarm events and open alarms can be looked up one by one, with the journal or without."""
    events: set[str] = set()
    alarms: set[str] = set()
    for options in ("mode=ro", "immutable=1"):
        with suppress(sqlite3.Error), closing(
                sqlite3.connect(f"{(folder / FILE).as_uri()}?{options}", uri=True)) as db:
            db.text_factory = bytes
            for n in range(ALARMS):
                id_ = f"alarm-{n:03}"
                for body in _bodies(db, "SELECT CAST(body AS BLOB) FROM outbox WHERE lane = 0 AND seq = ?", n + 1):
                    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                        events |= {id_} & {msgspec.json.decode(body, type=Event).id}
                for body in _bodies(db, "SELECT CAST(body AS BLOB) FROM alarm WHERE id = ?", id_):
                    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                        alarms |= {id_} & {msgspec.json.decode(body, type=Alarm).id}
    return events, alarms


def _bodies(db: sqlite3.Connection, query: str, key: object) -> list[bytes]:
    try:
        return [body for body, in db.execute(query, (key,))]
    except (sqlite3.Error, UnicodeDecodeError):  # the latter where SQLite quotes what is damaged
        return []


async def test_a_store_opens_on_a_rotten_file_and_saves_every_alarm_that_can_be_read(
        tmp_path: Path, disk: LossyDisk, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "base").mkdir()
    await _base(tmp_path / "base")
    wrong, untold, damaged = [], [], 0
    for seed in range(105):
        folder = disk.mount / f"flat-{seed}"
        folder.mkdir()
        for name in (FILE, f"{FILE}-wal"):
            shutil.copy(tmp_path / "base" / name, folder)
        chance = random.Random(seed)
        for name in ([FILE], [f"{FILE}-wal"], [FILE, f"{FILE}-wal"])[seed % 3]:
            await disk("flip", name=f"/flat-{seed}/{name}", count=chance.choice((1, 3, 10, 40)), seed=seed)
        shutil.copytree(folder, copy := tmp_path / f"copy-{seed}")
        events, alarms = await asyncio.to_thread(_readable, copy)
        try:
            async with _store(folder) as store:
                await store.append([event("new", Lane.ALARM)], alarm("new"))
                rows = await store.next_rows(ALL, 1000)
                open_alarms = {found.id for found in await store.open_alarms()}
                told = store.faults()
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not happen
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
            continue
        finally:
            shutil.rmtree(folder)
        kept = {row.event.id for row in rows if row.lane is Lane.ALARM}
        if lost := (events - kept) | (alarms - open_alarms):
            wrong.append(f"seed {seed}: {len(lost)} alarms can be read and are not there: {told}")
        damaged += bool(told)
        if seed % 3 == 0 and len(kept) <= ALARMS and not told:  # a journal that ends early looks like a crash
            untold.append(f"seed {seed}: {ALARMS + 1 - len(kept)} alarms are gone and nobody is told")
    assert wrong + untold == []
    assert damaged > 35
    with capsys.disabled():
        print(f"\n105 rotten files: all opened, {damaged} times a fault was told, every readable alarm was there")


async def test_a_file_that_rots_while_it_is_open_stops_nothing(disk: LossyDisk) -> None:
    wrong = []
    for seed in range(25):
        folder = disk.mount / f"flat-{seed}"
        store = await Store.open(folder, EAGER)
        await store.append([event(f"filler-{n}", Lane.EVENT) for n in range(100)])
        for name in ([FILE], [f"{FILE}-wal"], [FILE, f"{FILE}-wal"])[seed % 3]:
            await disk("flip", name=f"/flat-{seed}/{name}", count=60, seed=seed)
        for n in range(5):
            with suppress(StoreError):
                await store.append([event(f"alarm-{n}", Lane.ALARM)], alarm(f"alarm-{n}"))
        await store.close()
        try:
            async with _store(folder) as again:
                await again.append([event("new", Lane.ALARM)])
                assert "new" in {row.event.id for row in await again.next_rows(ALL, 1000)}
            shutil.rmtree(folder)
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not happen
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
    assert wrong == []


@pytest.mark.parametrize("name", ["full", "EIO on fsync"])
async def test_the_daemon_alarms_through_a_failing_disk_tells_it_and_comes_back(name: str, tmp_path: Path,
                                                                                disk: LossyDisk) -> None:
    state = disk.mount / "state"
    state.mkdir()
    async with flat(tmp_path, state=state) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and fault(s, "store") is None)
        await _break(disk, FAULTS[name])
        await f.press_sos()
        raised = await f.city_has("sos")
        if name != "full":  # which the reserve covers
            await f.until(lambda s: fault(s, "store"))
        await disk("heal")
        await f.until(lambda s: fault(s, "store") is None)
        await f.gateway.program.kill()
        await disk("cut", seed=1)
        await f.gateway.start()
        status = await f.until(lambda s: s["alarms"])
        assert [a["id"] for a in status["alarms"]] == [raised["id"]]


@pytest.mark.parametrize("name", ["read-only", "EIO on read and write"])
async def test_an_alarm_that_was_safe_on_a_disk_which_then_fails_goes_from_memory(name: str, tmp_path: Path,
                                                                                  disk: LossyDisk) -> None:
    state = disk.mount / "state"
    state.mkdir()
    async with flat(tmp_path, state=state) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and s["city"]["connected"])
        await f.broker.stop()
        await f.press_sos()
        await f.until(lambda s: s["alarms"] and s["store"]["waiting"]["alarm"] == 1)
        await _break(disk, FAULTS[name])
        await f.do("modbus", "input", address=1, active=True)
        await f.until(lambda s: fault(s, "store"))
        await f.broker.start()
        await f.city_has("sos")
        await f.until(lambda s: s["alarms"][0]["state"] == "received")


@pytest.mark.parametrize("name", ["read-only", "EIO on fsync", "EIO on write"])
@pytest.mark.parametrize("journal", [True, False], ids=["with a journal", "closed before"])
async def test_what_waits_on_a_disk_that_takes_nothing_is_read_and_settled_all_the_same(
        name: str, journal: bool, tmp_path: Path, disk: LossyDisk) -> None:
    async with _store(tmp_path) as before:
        await before.append([event("sos", Lane.ALARM), event("door")], alarm("sos"))
        if journal:
            shutil.copytree(tmp_path, disk.mount, dirs_exist_ok=True, ignore=shutil.ignore_patterns("disk*"))
    if not journal:
        shutil.copy(tmp_path / FILE, disk.mount)
    await _break(disk, FAULTS[name])
    async with _store(disk.mount) as store:
        assert store.trouble is not None
        rows, epoch = await store.next_rows(ALL, 10), store.epoch
        assert [row.event.id for row in rows] == ["sos", "door"]
        assert [found.id for found in await store.open_alarms()] == ["sos"]
        assert await store.settle(epoch, Lane.ALARM, 1, "sos") == ["sos"]
        with pytest.raises(StoreError):
            await store.append([event("new")])
        assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["door"]
        assert (store.epoch, store.counts()[Lane.ALARM].waiting) == (epoch, 0)
        await disk("heal")
        await store.append([event("new")])
        assert store.trouble is None
        assert {row.event.id for row in await store.next_rows(ALL, 10)} >= {"door", "new"}
        assert store.epoch != epoch


async def test_a_daemon_that_starts_on_a_disk_turned_read_only_sends_the_alarm_that_waits_on_it(
        tmp_path: Path, disk: LossyDisk) -> None:
    state = disk.mount / "state"
    state.mkdir()
    async with flat(tmp_path, state=state) as f:
        await f.until(lambda s: device(s, "sos")["state"] == "up" and s["city"]["connected"])
        await f.broker.stop()
        await f.press_sos()
        await f.until(lambda s: s["alarms"] and s["store"]["waiting"]["alarm"] == 1)
        await f.gateway.program.kill()
        await _break(disk, FAULTS["read-only"])
        await f.broker.start()
        await f.gateway.start()
        await f.city_has("sos")
        status = await f.until(lambda s: s["alarms"] and s["alarms"][0]["state"] == "received")
        assert fault(status, "store") is not None
