# SPDX-License-Identifier: GPL-3.0-or-later
"""zigpy's database file: what it knows of the network and of every device's interview and enrolment.

Losing it costs no network (the stick's own memory holds that), but every device would have to be interviewed again
when it next speaks. So a sound file is copied before each start and after each change; a damaged one is set aside,
never deleted, and the copy takes its place. Blocking: call it in a thread.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

NAME = "zigbee.db"
_SIDE_FILES = ("", "-wal", "-shm")


def prepare(folder: Path) -> str:
    """Make the database usable before a start; return what had to be done, "" if nothing. Raises OSError."""
    path, copy = folder / NAME, folder / f"{NAME}.copy"
    if path.exists() and _sound(path):
        try:
            keep(folder)
        except (OSError, sqlite3.Error) as error:
            return f"the Zigbee database could not be copied ({error}): make room on the disk"
        return ""
    aside = ""
    if path.exists():
        aside = _set_aside(path)
    elif not copy.exists():
        return ""  # the first start
    lost = f"the Zigbee database was damaged and is kept as {aside}" if aside else "the Zigbee database was gone"
    if copy.exists() and _sound(copy):
        _copy(copy, path)
        return f"{lost}; its last copy took its place"
    return f"{lost}; there was no good copy: each device is interviewed again when it next speaks"


def keep(folder: Path) -> None:
    """Copy the database, in use or not, onto the disk beside it."""
    path, copy = folder / NAME, folder / f"{NAME}.copy"
    draft = copy.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    _copy(path, draft)
    if copy.exists() and (before := _version(copy)) != _version(draft):
        copy.replace(folder / f"{NAME}.v{before}")  # another release of zigpy has rewritten it: the old one can go back
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(copy)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as into:
        origin.backup(into)


def _version(path: Path) -> int:
    """The version of zigpy's tables; -1 of what is no database."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return -1


def _sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
    except sqlite3.DatabaseError:
        return False


def _set_aside(path: Path) -> str:
    number = 1
    while path.with_name(f"{NAME}.damaged-{number}").exists():
        number += 1
    name = f"{NAME}.damaged-{number}"
    for suffix in _SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(path.with_name(name + suffix))
    return name
