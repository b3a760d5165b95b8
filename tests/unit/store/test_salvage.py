"""What is saved of a file that is used no more: whatever the power cut, once, and with no alarm opened that ended."""

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.model.alarm import Alarm, AlarmState
from gateway.model.command import CommandResult, Outcome
from gateway.model.event import Event, EventType, Lane
from gateway.store import Limits, Store
from gateway.store.ledger import Ledger
from gateway.store.salvage import Salvage, set_aside
from tests.unit.store.kit import AT, alarm, command, event

ALL = dict.fromkeys(Lane, 0)
PAGE_BYTES = 4096


def damage(folder: Path, table: str = "detector") -> None:
    """Overwrite the first page of a table."""
    path = folder / "anju.db"
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_BYTES:page * PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    path.write_bytes(content)


def put_back(folder: Path, old: Alarm) -> None:
    """Let the alarm's row be an old one, as after a write that the disk lost."""
    with closing(sqlite3.connect(folder / "anju.db", isolation_level=None)) as db:
        db.execute("UPDATE alarm SET state = ?, body = ? WHERE id = ?", (old.state, msgspec.json.encode(old), old.id))


def last_event(alarm_id: str, type_: str) -> Event:
    return Event(f"{alarm_id}/1", type_, Lane.ALARM, "pendant", AT, {"alarm": alarm_id})


def result(command_id: str, outcome: Outcome) -> Event:
    data = msgspec.to_builtins(CommandResult(command_id, outcome))
    return Event(f"{command_id}.{outcome.value}", EventType.COMMAND_RESULT, Lane.EVENT, "gateway", AT, data)


async def what_is_there(folder: Path) -> tuple[list[str], list[str]]:
    """The waiting alarm events and the open alarms, from one start to its end."""
    store = await Store.open(folder, Limits(telemetry_delay_s=0))
    rows = [row.event.id for row in await store.next_rows({Lane.ALARM: 0}, 100)]
    alarms = [found.id for found in await store.open_alarms()]
    await store.close()
    return rows, alarms


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("anju.db*"))


# -- whatever the power cut -------------------------------------------------------------------------------------------

_DIES = """
import asyncio, os, sys
from pathlib import Path
from gateway.store import Store
from gateway.store import salvage
setattr(salvage.Salvage, sys.argv[2], lambda *_: os._exit(9))
asyncio.run(Store.open(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("moment", ["take_file", "give", "leave"])
async def test_a_salvage_that_the_power_cut_ended_is_done_by_the_next_start(tmp_path: Path, moment: str) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("waiting", Lane.ALARM)], alarm("waiting"))
    await store.close()
    damage(tmp_path)
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", _DIES, str(tmp_path), moment,
                                                cwd=Path(__file__).parents[3])
    assert await died.wait() == 9
    assert "anju.db.unread-1" in names(tmp_path)
    assert await what_is_there(tmp_path) == (["waiting"], ["waiting"])
    assert "anju.db.damaged-1" in names(tmp_path)
    assert not [name for name in names(tmp_path) if "unread" in name]


async def test_a_salvage_for_which_the_disk_has_no_room_is_done_by_a_later_start(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("waiting", Lane.ALARM)], alarm("waiting"))
    await store.close()
    damage(tmp_path)

    def full(self: Salvage, ledger: object) -> str:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as disk:
        disk.setattr(Salvage, "give", full)
        await (await Store.open(tmp_path)).close()
    assert await what_is_there(tmp_path) == (["waiting"], ["waiting"])


async def test_what_was_taken_over_is_read_by_no_later_start(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("old", Lane.ALARM)], alarm("old"))
    await store.close()
    damage(tmp_path)
    assert await what_is_there(tmp_path) == (["old"], ["old"])
    store = await Store.open(tmp_path)
    await store.settle(store.epoch, Lane.ALARM, 1, "old")
    await store.append([event("new", Lane.ALARM)], alarm("new"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "anju.db", isolation_level=None)) as db:
        db.execute("DELETE FROM alarm WHERE id = 'old'")  # ended so long ago that it is forgotten
    damage(tmp_path)
    assert await what_is_there(tmp_path) == (["new"], ["new"])
    assert {"anju.db.damaged-1", "anju.db.damaged-2"} <= set(names(tmp_path))


async def test_of_several_files_left_by_power_cuts_all_are_read(tmp_path: Path) -> None:
    for name in ("first", "second"):
        store = await Store.open(tmp_path / name)
        await store.append([event(name, Lane.ALARM)], alarm(name))
        await store.close()
        (tmp_path / name / "anju.db").rename(tmp_path / "anju.db")
        await asyncio.to_thread(set_aside, tmp_path / "anju.db")
    rows, alarms = await what_is_there(tmp_path)
    assert (sorted(rows), sorted(alarms)) == (["first", "second"], ["first", "second"])


async def test_a_journal_that_was_set_aside_before_the_power_cut_goes_back_to_its_file(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("before", Lane.ALARM)])
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "anju.db", copy / "anju.db")
    shutil.copy(tmp_path / "anju.db-wal", copy / "anju.db.unread-1-wal")
    await store.close()
    assert await what_is_there(copy) == (["before"], [])
    assert not [name for name in names(copy) if "unread" in name or "damaged" in name]


# -- which copy is the newer one --------------------------------------------------------------------------------------

@pytest.mark.parametrize(("type_", "open_"), [
    (EventType.ALARM_CLOSED, []), (EventType.ALARM_CANCELLED, []), (EventType.ALARM_REPEATED, ["a"])])
async def test_an_alarm_whose_last_event_waits_is_not_opened_by_its_old_row(
        tmp_path: Path, type_: str, open_: list[str]) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("a", Lane.ALARM), last_event("a", type_)], alarm("a", AlarmState.CLOSED))
    await store.close()
    put_back(tmp_path, alarm("a"))
    damage(tmp_path)
    assert await what_is_there(tmp_path) == (["a", "a/1"], open_)


@pytest.mark.parametrize(("outcome", "open_"), [(Outcome.DONE, []), (Outcome.REJECTED, ["alarm-1"])])
async def test_an_alarm_that_the_city_closed_is_not_opened_by_its_old_row(
        tmp_path: Path, outcome: Outcome, open_: list[str]) -> None:
    store = await Store.open(tmp_path)
    await store.accept_command(command("c1"))
    await store.append([result("c1", outcome)], alarm("alarm-1"), result_of="c1")
    await store.close()
    damage(tmp_path)
    assert await what_is_there(tmp_path) == ([], open_)


async def test_an_older_file_put_in_the_place_of_a_newer_one_opens_no_alarm_that_ended(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for name in ("ended", "open"):
        await store.append([event(name, Lane.ALARM)], alarm(name))
    await store.settle(store.epoch, Lane.ALARM, 2, "open")
    await store.close()
    shutil.copy(tmp_path / "anju.db", tmp_path / "older")
    store = await Store.open(tmp_path)
    await store.append([], alarm("ended", AlarmState.CLOSED))
    await store.append([], msgspec.structs.replace(alarm("open"), repeats=3))
    (tmp_path / "older").replace(tmp_path / "anju.db")
    await store.append([event("next")])
    assert [(found.id, found.repeats) for found in await store.open_alarms()] == [("open", 3)]
    await store.close()


STEPS = [alarm("a"), alarm("a", AlarmState.SENT), alarm("a", AlarmState.RECEIVED),
         msgspec.structs.replace(alarm("a"), repeats=1), msgspec.structs.replace(alarm("a"), repeats=1, told=2),
         msgspec.structs.replace(alarm("a", AlarmState.RECEIVED), repeats=1, told=2),
         msgspec.structs.replace(alarm("a", AlarmState.CLOSED), repeats=1, told=3)]


@pytest.mark.parametrize("older", range(len(STEPS) - 1))
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_copies_of_an_alarm_the_one_that_went_further_is_kept(older: int, order: int) -> None:
    salvage = Salvage()
    for copy in STEPS[older:older + 2][::order]:
        with closing(_file_of([copy])) as file:
            salvage.take(file)
    assert salvage.alarms == {"a": STEPS[older + 1]}


def test_what_ended_stays_so_though_a_copy_counts_more_repeats() -> None:
    """A disk that forgets writes may hold a copy of a life that went another way."""
    ended, other = alarm("a", AlarmState.CLOSED), msgspec.structs.replace(alarm("a"), repeats=9)
    for copies in ((ended, other), (other, ended)):
        salvage = Salvage()
        for copy in copies:
            with closing(_file_of([copy])) as file:
                salvage.take(file)
        assert salvage.alarms == {"a": ended}


def _file_of(alarms: Sequence[Alarm]) -> sqlite3.Connection:
    file = sqlite3.connect(":memory:")
    file.execute("CREATE TABLE alarm (id TEXT PRIMARY KEY, state TEXT, body BLOB)")
    file.executemany("INSERT INTO alarm VALUES (?, ?, ?)",
                     [(one.id, one.state, msgspec.json.encode(one)) for one in alarms])
    return file


async def test_what_ended_in_a_damaged_file_stays_known(tmp_path: Path) -> None:
    """Or an even older copy of it, which may turn up later, would open it again."""
    store = await Store.open(tmp_path)
    await store.append([event("a", Lane.ALARM)], alarm("a"))
    await store.settle(store.epoch, Lane.ALARM, 1, "a")
    await store.close()
    shutil.copy(tmp_path / "anju.db", tmp_path / "copy")
    store = await Store.open(tmp_path)
    await store.append([], alarm("a", AlarmState.CLOSED))
    await store.close()
    damage(tmp_path)
    assert (await what_is_there(tmp_path))[1] == []
    (tmp_path / "copy").rename(tmp_path / "anju.db.unread-7")
    assert (await what_is_there(tmp_path))[1] == []


# -- commands ---------------------------------------------------------------------------------------------------------

async def test_a_command_that_was_promised_to_be_obeyed_is_taken_over_and_one_that_was_obeyed_is_not(
        tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for name in ("promised", "obeyed"):
        await store.accept_command(command(name))
    await store.append([result("obeyed", Outcome.DONE)], result_of="obeyed")
    await store.close()
    damage(tmp_path)
    store = await Store.open(tmp_path)
    assert [found.id for found in await store.open_commands()] == ["promised"]
    assert "and 1 commands were read" in store.faults()[-1].reason
    await store.close()


async def test_of_the_other_lanes_is_taken_over_what_can_be_read_and_told_how_much(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, Limits(telemetry_delay_s=0))
    await store.append([event("sos", Lane.ALARM), *(event(f"door-{n:03}") for n in range(200)),
                        *(event(f"pulse-{n}", Lane.TELEMETRY) for n in range(5))])
    await store.close()
    path = tmp_path / "anju.db"
    content = bytearray(path.read_bytes())
    page = content.index(b'"door-100"') // PAGE_BYTES
    content[page * PAGE_BYTES:(page + 1) * PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    path.write_bytes(content)
    store = await Store.open(tmp_path)
    rows = [row.event.id for row in await store.next_rows(ALL, 500)]
    assert (rows[0], rows[1], rows[-1]) == ("sos", "door-000", "pulse-4")
    assert rows == sorted(rows, key=lambda id_: ("sdp".index(id_[0]), id_))
    assert "door-199" in rows
    assert 180 < len(rows) < 206
    assert store.faults()[-1].reason.endswith(f"were read and taken over, and {len(rows) - 1} other events")
    await store.close()


async def test_an_alarm_is_taken_over_though_there_is_no_room_for_the_other_lanes(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await Store.open(tmp_path)
    await store.append([event("sos", Lane.ALARM), event("door")])
    await store.close()
    damage(tmp_path)
    append = Ledger.append

    def refuse(ledger: Ledger, events: Sequence[tuple[Event, bytes]]) -> None:
        append(ledger, events)
        if any(found.lane is not Lane.ALARM for found, _ in events):
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Ledger, "append", refuse)
    store = await Store.open(tmp_path)
    assert [row.event.id for row in await store.next_rows(ALL, 10)] == ["sos"]
    assert ", 1 other events were not (database or disk is full)" in store.faults()[-1].reason
    assert "anju.db.damaged-1" in names(tmp_path)
    await store.close()
