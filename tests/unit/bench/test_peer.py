"""The events of the comparison, what is read of them in either product, and how the peer is installed or is not."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.event import Lane
from gateway.store import Store
from tests.bench.thingsboard import SETTINGS, chain, installation, missing
from tests.bench.thingsboard.events import (
    DEVICE,
    EVENT_BYTES,
    event,
    event_id,
    feed,
    number_of,
    numbers_in,
    stored_number,
    template,
)
from tests.bench.thingsboard.writer import Writer, packed

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("number", [0, 7, 999_999_999])
def test_events_are_of_the_same_length_in_both_files(number: int) -> None:
    theirs = template() % (number, number)
    assert len(theirs) == len(msgspec.json.encode(event(number))) == EVENT_BYTES
    assert len(msgspec.json.encode(event(number, Lane.ALARM))) == EVENT_BYTES
    assert f"{EVENT_BYTES} bytes" in SETTINGS["Events"]
    assert stored_number(theirs) == number_of(event(number).id) == number


def test_what_a_sensor_sends_becomes_what_is_stored() -> None:
    stored = json.loads(template() % (12, 12))
    assert json.loads(feed(12)) == stored["telemetry"][0]
    assert stored["deviceName"] == DEVICE


def test_two_events_never_have_the_same_moment() -> None:
    moments = {json.loads(feed(number))["ts"] for number in range(2000)}
    assert len(moments) == 2000


def test_the_numbers_of_a_publication_are_read_in_either_spelling() -> None:
    entries = [json.loads(feed(number)) for number in (3, 1, 2)]
    for separators in ((",", ":"), (", ", ": ")):
        assert numbers_in(json.dumps({DEVICE: entries}, separators=separators).encode()) == [3, 1, 2]


@pytest.mark.parametrize("message", ["", '{"deviceName":"door-1","telem', b"\xff", None, '{"id":"e12"}'])
def test_a_damaged_row_has_no_number(message: Any) -> None:
    assert stored_number(message) is None


def test_what_is_no_event_of_ours_has_no_number() -> None:
    assert number_of("unreadable-1") is None
    assert number_of(event_id(5) + "0") is None


def test_what_a_killed_writer_had_accepted_stays_known(tmp_path: Path) -> None:
    process = Writer(True, tmp_path / "store", tmp_path, capacity=4)
    (tmp_path / "accepted").write_bytes(packed([0.0, 12.5, 0.0, 13.0]))
    assert process.accepted() == {1: 12.5, 3: 13.0}


async def test_what_is_kept_is_read_from_all_files_of_the_peer(tmp_path: Path) -> None:
    for name, numbers in (("data.db", [1, 2]), ("data_1770000000000.db", [3])):
        with closing(sqlite3.connect(tmp_path / name)) as base, base:
            base.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, timestamp INTEGER, message TEXT)")
            base.executemany("INSERT INTO messages (timestamp, message) VALUES (0, ?)",
                             [(template() % (number, number),) for number in numbers])
            base.execute("INSERT INTO messages (timestamp, message) VALUES (0, ?)", (chain.FEED,))
    assert list((await Writer(True, tmp_path, tmp_path, 4).kept()).numbers) == [1, 2, 3]


async def test_what_is_kept_is_read_from_our_store(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.append([event(4), event(5)])
    await store.close()
    kept = await Writer(False, tmp_path, tmp_path, 4).kept()
    assert (list(kept.numbers), kept.given_up) == ([4, 5], 0)


def test_without_a_network_it_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1 if "pip" in command else 0, "", "WARNING: x\nERROR: no route\n")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    installation.python.cache_clear()
    why = missing()
    assert why is not None
    assert "ERROR: no route" in why
    assert why.endswith("run it again then")
    assert not list(tmp_path.rglob(".installed"))


def test_an_environment_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "anju-bench" / "thingsboard-3.8.5"
    place.mkdir(parents=True)
    (place / ".installed").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    installation.python.cache_clear()
    assert installation.python() == str(place / "bin" / "python")
    assert missing() is None
    installation.python.cache_clear()
