"""The model of a disk with a volatile cache keeps what was brought to it, of the rest only what a disk can leave."""

import errno
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.resources.lossydisk.disk import Disk
from hil.resources.lossydisk.file import PAGE_BYTES, SECTOR_BYTES

SEEDS = range(200)
SIZE_BYTES = 1 << 24


def _disk() -> Disk:
    return Disk(SIZE_BYTES, lambda: 0)


def _written(disk: Disk, path: str, data: bytes, offset: int = 0) -> int:
    handle = disk.create(path, 0o644)
    disk.write(handle, data, offset)
    return handle


def _fsync_root(disk: Disk) -> None:
    handle = disk.open_folder("/")
    disk.fsync_folder(handle)
    disk.close(handle)


def _given_up() -> tuple[Disk, int]:
    """A disk with a page in /a whose fsync failed, and the handle."""
    disk = _disk()
    handle = _written(disk, "/a", b"a" * PAGE_BYTES)
    _fsync_root(disk)
    disk.fail("fsync", times=1)
    with pytest.raises(OSError, match=r"Errno 5\b"):
        disk.fsync(handle)
    return disk, handle


def _content(disk: Disk, path: str) -> bytes | None:
    try:
        handle = disk.open(path, writes=False)
    except FileNotFoundError:
        return None
    data = disk.read(handle, SIZE_BYTES, 0)
    disk.close(handle)
    return data


def _names(disk: Disk) -> set[str]:
    return set(disk.folder(disk.open_folder("/")).entries)


def _all_outcomes(prepare: Callable[[Disk], object], names: str | None = None) -> list[Disk]:
    outcomes = []
    for seed in SEEDS:
        disk = _disk()
        prepare(disk)
        disk.cut(seed, names)
        outcomes.append(disk)
    return outcomes


def test_what_is_written_is_seen_at_once() -> None:
    disk = _disk()
    _written(disk, "/a", b"hello", 3)
    assert _content(disk, "/a") == b"\0\0\0hello"


def test_a_file_and_its_name_brought_to_the_disk_survive_every_cut() -> None:
    def prepare(disk: Disk) -> None:
        disk.fsync(_written(disk, "/a", b"x" * 10_000))
        _fsync_root(disk)

    assert {_content(disk, "/a") for disk in _all_outcomes(prepare)} == {b"x" * 10_000}


def test_a_file_written_without_fsync_is_lost_or_torn_or_whole() -> None:
    whole = b"new" * 4000

    def prepare(disk: Disk) -> None:
        handle = _written(disk, "/a", b"")
        _fsync_root(disk)
        for at in range(0, len(whole), 1000):
            disk.write(handle, whole[at:at + 1000], at)

    found = [_content(disk, "/a") for disk in _all_outcomes(prepare)]
    assert b"" in found
    assert whole in found
    torn = [data for data in found if data not in (b"", whole)]
    assert len({data for data in torn if data}) > len(SEEDS) // 10


def test_a_page_tears_only_between_sectors() -> None:
    def prepare(disk: Disk) -> None:
        handle = _written(disk, "/a", b"o" * 4 * PAGE_BYTES)
        disk.fsync(handle)
        _fsync_root(disk)
        disk.write(handle, b"n" * 4 * PAGE_BYTES, 0)

    tears = 0
    for disk in _all_outcomes(prepare):
        data = _content(disk, "/a")
        assert data is not None
        assert len(data) == 4 * PAGE_BYTES
        sectors = [data[at:at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]
        assert set(sectors) <= {b"o" * SECTOR_BYTES, b"n" * SECTOR_BYTES}
        pages = [data[at:at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES)]
        tears += any(len(set(page)) == 2 for page in pages)
    assert tears


def test_a_truncation_happened_or_it_did_not() -> None:
    def prepare(disk: Disk) -> None:
        handle = _written(disk, "/a", b"o" * PAGE_BYTES * 2)
        disk.fsync(handle)
        _fsync_root(disk)
        disk.resize(disk.node(None, handle), 0)
        disk.write(handle, b"n", 0)

    found = {_content(disk, "/a") for disk in _all_outcomes(prepare)}
    assert found == {b"o" * PAGE_BYTES * 2, b"", b"\0", b"n"}


def test_a_name_without_fsync_of_its_folder_may_be_lost_though_the_file_was_brought() -> None:
    def prepare(disk: Disk) -> None:
        disk.fsync(_written(disk, "/a", b"x"))

    assert {_content(disk, "/a") for disk in _all_outcomes(prepare, "any")} == {b"x", None}
    assert {_content(disk, "/a") for disk in _all_outcomes(prepare, "ordered")} == {b"x"}


def test_names_are_lost_in_order_or_in_any() -> None:
    def prepare(disk: Disk) -> None:
        for name in "abc":
            disk.create(f"/{name}", 0o644)

    ordered = {frozenset(_names(disk)) for disk in _all_outcomes(prepare, "ordered")}
    assert ordered == {frozenset("abc"[:n]) for n in range(4)}
    assert len({frozenset(_names(disk)) for disk in _all_outcomes(prepare, "any")}) == 8


@pytest.mark.parametrize("names", ["ordered", "any"])
def test_a_rename_happens_as_a_whole_or_not_at_all(names: str) -> None:
    def prepare(disk: Disk) -> None:
        disk.fsync(_written(disk, "/old", b"x"))
        disk.fsync(_written(disk, "/there", b"y"))
        _fsync_root(disk)
        disk.rename("/old", "/there")
        disk.rename("/there", "/third")

    found = {tuple(sorted((name, _content(disk, f"/{name}")) for name in _names(disk)))
             for disk in _all_outcomes(prepare, names)}
    assert found == {(("old", b"x"), ("there", b"y")), (("there", b"x"),), (("third", b"x"),)}


def test_a_removal_without_fsync_of_the_folder_may_be_undone() -> None:
    def prepare(disk: Disk) -> None:
        disk.fsync(_written(disk, "/a", b"x"))
        _fsync_root(disk)
        disk.remove("/a")

    assert {_content(disk, "/a") for disk in _all_outcomes(prepare)} == {b"x", None}


def test_a_folder_made_without_fsync_may_take_all_that_was_brought_into_it_along() -> None:
    def prepare(disk: Disk) -> None:
        disk.make_folder("/d", 0o755)
        disk.fsync(_written(disk, "/d/a", b"x"))
        disk.fsync_folder(disk.open_folder("/d"))

    assert {frozenset(_names(disk)) for disk in _all_outcomes(prepare, "any")} == {frozenset(), frozenset("d")}
    assert {_content(disk, "/d/a") for disk in _all_outcomes(prepare, "ordered")} == {b"x"}


def test_every_file_that_was_open_is_dead_after_a_cut() -> None:
    disk = _disk()
    handle = _written(disk, "/a", b"x")
    disk.fsync(handle)
    _fsync_root(disk)
    disk.cut(1)
    for call in (lambda: disk.read(handle, 1, 0), lambda: disk.write(handle, b"y", 0), lambda: disk.fsync(handle),
                 lambda: disk.resize(disk.node(None, handle), 0)):
        with pytest.raises(OSError, match=r"Errno 5\b"):
            call()
    assert _content(disk, "/a") == b"x"


def test_the_same_seed_leaves_the_same() -> None:
    def left(seed: int) -> bytes | None:
        disk = _disk()
        handle = _written(disk, "/a", b"")
        for n in range(20):
            disk.write(handle, bytes([n]) * 700, n * 700)
        disk.cut(seed)
        return _content(disk, "/a")

    assert [left(seed) for seed in SEEDS] == [left(seed) for seed in SEEDS]


def test_an_armed_cut_comes_in_place_of_that_call_and_the_power_stays_away_until_healed() -> None:
    disk = _disk()
    handle = _written(disk, "/a", b"")
    disk.fsync(handle)
    _fsync_root(disk)
    disk.arm(calls=3, seed=0)
    disk.write(handle, b"x", 0)
    disk.fsync(handle)
    with pytest.raises(OSError, match=r"Errno 5\b"):
        disk.write(handle, b"y", 0)
    for call in (lambda: disk.open("/a", writes=False), lambda: disk.create("/b", 0o644), lambda: disk.remove("/a")):
        with pytest.raises(OSError, match=r"Errno 5\b"):
            call()
    disk.heal()
    assert _content(disk, "/a") == b"x"


def test_what_a_failed_fsync_was_to_bring_is_seen_but_no_later_fsync_brings_it() -> None:
    disk, handle = _given_up()
    disk.write(handle, b"b" * PAGE_BYTES, PAGE_BYTES)
    disk.fsync(handle)
    assert _content(disk, "/a") == b"a" * PAGE_BYTES + b"b" * PAGE_BYTES
    disk.cut(1)
    assert _content(disk, "/a") == bytes(PAGE_BYTES) + b"b" * PAGE_BYTES


def test_a_page_written_again_after_a_failed_fsync_is_brought_whole() -> None:
    disk, handle = _given_up()
    disk.write(handle, b"b", 0)
    disk.fsync(handle)
    disk.cut(1)
    assert _content(disk, "/a") == b"b" + b"a" * (PAGE_BYTES - 1)


def test_a_call_fails_for_names_of_a_kind_so_often_and_then_works() -> None:
    disk = _disk()
    journal, other = _written(disk, "/db-wal", b""), _written(disk, "/db", b"")
    disk.fail("write", error="ENOSPC", suffix="-wal", times=1)
    assert disk.write(other, b"x", 0) == 1
    with pytest.raises(OSError, match="No space left"):
        disk.write(journal, b"x", 0)
    assert disk.write(journal, b"x", 0) == 1


def test_a_full_disk_lets_nothing_grow_and_everything_be_overwritten() -> None:
    disk = _disk()
    handle = _written(disk, "/a", b"x" * 100)
    disk.fail("full")
    assert disk.space() == (SIZE_BYTES, 0)
    assert disk.write(handle, b"y" * PAGE_BYTES, 0) == PAGE_BYTES
    with pytest.raises(OSError, match="No space left"):
        disk.write(handle, b"z", PAGE_BYTES)
    disk.resize(disk.node(None, handle), 0)
    assert disk.space()[1] == PAGE_BYTES
    disk.heal()
    disk.write(handle, b"z", PAGE_BYTES)


def test_a_read_only_disk_refuses_every_change_and_reads() -> None:
    disk = _disk()
    handle = _written(disk, "/a", b"x")
    disk.fail("readonly")
    for call in (lambda: disk.write(handle, b"y", 0), lambda: disk.fsync(handle), lambda: disk.create("/b", 0o644),
                 lambda: disk.remove("/a"), lambda: disk.rename("/a", "/b"), lambda: disk.open("/a", writes=True)):
        with pytest.raises(OSError, match="Read-only file system") as refused:
            call()
        assert refused.value.errno == errno.EROFS
    assert _content(disk, "/a") == b"x"


def test_flipped_bytes_are_other_bytes_and_survive() -> None:
    disk = _disk()
    disk.fsync(_written(disk, "/a", bytes(1000)))
    _fsync_root(disk)
    disk.flip("/a", 5, seed=3)
    seen = _content(disk, "/a")
    assert seen is not None
    assert 1 <= sum(byte != 0 for byte in seen) <= 5
    disk.cut(1)
    assert _content(disk, "/a") == seen


def test_it_counts_what_it_is_asked_for_by_name() -> None:
    disk = _disk()
    handle = _written(disk, "/a", b"xyz")
    disk.fsync(handle)
    _fsync_root(disk)
    stats = disk.stats()
    assert stats["files"] == {"a": {"writes": 1, "bytes": 3, "fsyncs": 1}}
    assert disk.trace()["calls"] == ["create a", "write a", "fsync a", "fsync "]
    assert (stats["bytes"], stats["fsyncs"], stats["folder_fsyncs"], stats["calls"]) == (3, 1, 1, 4)


def test_an_unknown_fault_or_kind_of_disk_is_refused() -> None:
    with pytest.raises(ValueError, match="there are read, write, fsync, full, readonly"):
        _disk().fail("everything")
    with pytest.raises(ValueError, match="there are ordered, any"):
        _disk().cut(1, "journal")


_WRITES = st.lists(st.one_of(
    st.tuples(st.just("write"), st.integers(0, 3 * PAGE_BYTES), st.integers(1, 2 * PAGE_BYTES)),
    st.tuples(st.just("resize"), st.integers(0, 4 * PAGE_BYTES), st.just(0)),
    st.tuples(st.just("fsync"), st.just(0), st.just(0)),
), max_size=12)


@settings(max_examples=150, deadline=None)
@given(_WRITES, st.integers(0, 2**32))
def test_each_sector_is_as_it_was_at_some_time_since_the_last_fsync_or_empty(
        calls: list[tuple[str, int, int]], seed: int) -> None:
    disk = _disk()
    handle = disk.create("/a", 0o644)
    _fsync_root(disk)
    states = [b""]
    for stamp, (what, at, size_bytes) in enumerate(calls, 1):
        if what == "fsync":
            disk.fsync(handle)
            states = states[-1:]
            continue
        if what == "write":
            disk.write(handle, bytes([stamp]) * size_bytes, at)
        else:
            disk.resize(disk.node(None, handle), at)
        states.append(_content(disk, "/a") or b"")
    disk.cut(seed)
    left = _content(disk, "/a")
    assert left is not None
    assert len(left) in {len(state) for state in states}
    for at in range(0, len(left), SECTOR_BYTES):
        sector = left[at:at + SECTOR_BYTES]
        known = {state[at:at + SECTOR_BYTES].ljust(SECTOR_BYTES, b"\0")[:len(sector)] for state in states}
        cut_short = {state[:n].ljust(len(left), b"\0")[at:at + SECTOR_BYTES] for state in states
                     for n in {len(other) for other in states}}
        assert sector in known | cut_short | {bytes(len(sector))}
