"""zigpy's database file: checked, copied, set aside."""

import sqlite3
from contextlib import closing
from pathlib import Path

from drivers.bus.zigbee import database


def fill(path: Path, word: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word TEXT)")
        connection.execute("INSERT INTO words VALUES (?)", (word,))


def words(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_a_first_start_has_nothing_to_tell(tmp_path: Path) -> None:
    assert database.prepare(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_sound_database_is_copied_before_each_start(tmp_path: Path) -> None:
    fill(tmp_path / database.NAME, "one")
    assert database.prepare(tmp_path) == ""
    fill(tmp_path / database.NAME, "two")
    assert words(tmp_path / "zigbee.db.copy") == ["one"]
    database.keep(tmp_path)
    assert words(tmp_path / "zigbee.db.copy") == ["one", "two"]


def test_a_copy_is_taken_of_a_database_in_use(tmp_path: Path) -> None:
    path = tmp_path / database.NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        fill(path, "one")
        database.keep(tmp_path)
        assert words(tmp_path / "zigbee.db.copy") == ["one"]


def test_each_damaged_database_is_kept_and_the_copy_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / database.NAME
    fill(path, "one")
    database.prepare(tmp_path)
    for number in (1, 2):
        path.write_bytes(b"\x00" * 5000)
        assert "its last copy took its place" in database.prepare(tmp_path)
        assert (tmp_path / f"zigbee.db.damaged-{number}").read_bytes() == b"\x00" * 5000
        assert words(path) == ["one"]


def test_a_page_damaged_within_is_found(tmp_path: Path) -> None:
    path = tmp_path / database.NAME
    for number in range(500):
        fill(path, f"word {number}" * 20)
    database.prepare(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[8192:8292] = b"\xff" * 100
    path.write_bytes(raw)
    assert "damaged" in database.prepare(tmp_path)
    assert len(words(path)) == 500


def test_a_database_that_is_gone_comes_back_from_its_copy(tmp_path: Path) -> None:
    fill(tmp_path / database.NAME, "one")
    database.prepare(tmp_path)
    (tmp_path / database.NAME).unlink()
    assert database.prepare(tmp_path) == "the Zigbee database was gone; its last copy took its place"
    assert words(tmp_path / database.NAME) == ["one"]


def test_a_damaged_copy_takes_no_place(tmp_path: Path) -> None:
    for name in (database.NAME, "zigbee.db.copy"):
        (tmp_path / name).write_bytes(b"\x00" * 5000)
    assert "no good copy" in database.prepare(tmp_path)
    assert not (tmp_path / database.NAME).exists()


def test_the_database_before_an_upgrade_of_zigpy_is_kept(tmp_path: Path) -> None:
    path = tmp_path / database.NAME
    fill(path, "one")
    for version, word in ((15, "two"), (16, "three"), (16, "four")):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        fill(path, word)
        database.prepare(tmp_path)
    assert words(tmp_path / "zigbee.db.v15") == ["one", "two"]
    assert words(tmp_path / "zigbee.db.copy") == ["one", "two", "three", "four"]
