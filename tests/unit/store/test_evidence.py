"""The evidence of falls on disk: few, bounded, awaited until it is told, and nothing that an alarm would miss."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alarm.evidence import told
from gateway.model.alarm import AlarmState
from gateway.model.event import Lane
from gateway.model.evidence import Evidence, Piece, lacking
from gateway.store import Limits, Store
from gateway.store.evidence import NO_SPACE, departing
from tests.unit.store.kit import AT, alarm, event

ALL = dict.fromkeys(Lane, 0)
LIMITS = Limits(telemetry_delay_s=0)


def awaited(id_: str, alarm_id: str = "") -> Evidence:
    return Evidence(id_, alarm_id or id_, "bracelet", AT, "a blow", 4.5)


def kept(id_: str, alarm_id: str = "", samples: int = 1560) -> Evidence:
    """Samples that no zlib makes shorter."""
    pieces = (Piece(-10.0, 52.0, 8.0, samples),)
    return msgspec.structs.replace(awaited(id_, alarm_id), pieces=pieces, samples_mg=os.urandom(samples * 6))


async def fell(store: Store, id_: str) -> None:
    await store.append([event(id_, Lane.ALARM)], alarm(id_), evidence=awaited(id_))


async def keep(store: Store, evidence: Evidence) -> None:
    await store.append([told(evidence)], evidence=evidence)


async def ids(store: Store) -> list[str]:
    return [evidence.id for evidence, _ in await store.evidence.heads()]


async def test_it_is_awaited_from_its_alarms_commit_until_it_is_kept(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LIMITS)
    await fell(store, "a")
    assert await store.evidence.awaited() == [awaited("a")]
    whole = kept("a")
    await keep(store, whole)
    assert await store.evidence.awaited() == []
    await store.close()
    store = await Store.open(tmp_path, LIMITS)
    assert await store.evidence.find("a") == whole
    rows = [row.event for row in await store.next_rows(ALL, 10)]
    assert [(row.id, row.lane) for row in rows] == [("a", Lane.ALARM), ("a.evidence", Lane.EVENT)]
    assert rows[1] == told(whole)
    await store.close()


async def test_the_list_has_no_samples_and_each_alarms_state_as_long_as_it_is_known(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LIMITS)
    for id_ in ("first", "second", "third"):
        await fell(store, id_)
        await keep(store, kept(id_))
    await store.save_alarm(alarm("second", AlarmState.CANCELLED))
    forget = "DELETE FROM alarm WHERE id = 'first'"
    await store._thread.submit(lambda ledger: ledger.connection.execute(forget), writes=True)
    heads = await store.evidence.heads()
    assert [(evidence.id, state) for evidence, state in heads] == [
        ("third", "raised"), ("second", "cancelled"), ("first", "")]
    assert all(not evidence.samples_mg and evidence.pieces for evidence, _ in heads)
    assert await store.evidence.find("nobody") is None
    await store.close()


async def test_past_the_number_the_oldest_goes(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, Limits(evidence_count=3))
    for n in range(5):
        await keep(store, kept(f"f{n}"))
    assert await ids(store) == ["f4", "f3", "f2"]
    await store.close()


async def test_past_the_bytes_the_oldest_goes_however_few_there_are(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, Limits(evidence_bytes=30_000))
    for n in range(5):
        await keep(store, kept(f"f{n}"))
    assert await ids(store) == ["f4", "f3", "f2"]
    await keep(store, kept("large", samples=4500))
    assert await ids(store) == ["large"]
    await store.close()


@given(st.lists(st.integers(1, 100), max_size=20), st.integers(1, 100), st.integers(1, 10), st.integers(100, 1000))
def test_the_decision_leaves_room_and_lets_no_more_go_than_it_must(
        sizes: list[int], own_bytes: int, count: int, bytes_: int) -> None:
    limits = Limits(evidence_count=count, evidence_bytes=bytes_)
    rows = list(enumerate(sizes))
    gone = departing(rows, own_bytes, limits)
    assert gone == list(range(len(gone)))  # the oldest
    stays = sizes[len(gone):]
    assert len(stays) < count
    assert sum(stays) + own_bytes <= bytes_
    if gone:
        more = sizes[len(gone) - 1 :]
        assert len(more) >= count or sum(more) + own_bytes > bytes_


async def test_on_a_disk_without_room_the_samples_are_refused_and_told_missing_while_alarms_are_taken(
        tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LIMITS)
    store.evidence._volume.space = lambda: (300_000_000, 100_000_000_000)  # type: ignore[method-assign]
    await keep(store, kept("fits"))
    store.evidence._volume.space = lambda: (256_000_000, 100_000_000_000)  # type: ignore[method-assign]
    spare = await store._thread.submit(lambda ledger: ledger.space()[1])
    await fell(store, "a")
    await keep(store, kept("a", samples=4500 + spare // 6))
    found = await store.evidence.find("a")
    assert found == lacking(awaited("a"), NO_SPACE)
    rows = [row.event for row in await store.next_rows(ALL, 10)]
    assert [row.id for row in rows] == ["a", "fits.evidence", "a.evidence"]
    assert rows[2].data["missing"] == NO_SPACE
    assert store.trouble is None
    assert await store.evidence.awaited() == []
    await store.close()


async def test_told_twice_it_is_one_row(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, LIMITS)
    await fell(store, "a")
    await keep(store, lacking(awaited("a"), "stopped"))
    await keep(store, kept("a"))
    assert await ids(store) == ["a"]
    await store.close()


@pytest.mark.parametrize("column", ["head", "samples"])
async def test_a_row_that_rotted_hides_no_other(tmp_path: Path, column: str) -> None:
    store = await Store.open(tmp_path, LIMITS)
    for id_ in ("a", "b"):
        await keep(store, kept(id_))
    rot = f"UPDATE evidence SET {column} = x'00ff' WHERE id = 'a'"  # noqa: S608 - a column of ours
    await store._thread.submit(lambda ledger: ledger.connection.execute(rot), writes=True)
    assert await ids(store) == (["b"] if column == "head" else ["b", "a"])
    found = await store.evidence.find("a")
    assert found is None if column == "head" else found is not None and "check the disk" in found.missing
    await keep(store, kept("c"))
    assert (await ids(store))[:2] == ["c", "b"]
    await store.close()
