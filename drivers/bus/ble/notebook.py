"""Notebook: what drivers want to know again of a device after a restart, in one small file of the bus's own folder.

A note is written some seconds after it was kept, whole and by rename: a power cut leaves the old file or the new one. A
file that cannot be read is set aside and a new one begun; a disk that does not write costs the notes, not the devices.
"""

import asyncio
import logging
import os
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

NAME = "notes.json"
MAX_BYTES = 256  # of one note


class Page:
    """The Notes of one device."""

    def __init__(self, notes: dict[str, bytes], device: str) -> None:
        self._notes, self._device = notes, device

    def recall(self) -> bytes:
        return self._notes.get(self._device, b"")

    def keep(self, note: bytes) -> None:
        if len(note) > MAX_BYTES:
            raise ValueError(f"a note of {len(note)} bytes: at most {MAX_BYTES}")
        self._notes[self._device] = bytes(note)


class Notebook:
    """All notes of a bus, by the device's name in the configuration. Without a folder they last as long as it does."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME
        self._notes: dict[str, bytes] = {}
        self._on_disk: dict[str, bytes] | None = None  # None: not looked yet
        self._faulty = False

    def page(self, device: str) -> Page:
        return Page(self._notes, device)

    async def load(self) -> None:
        """Read the file, once; what was kept meanwhile is newer and stays."""
        if self._path and self._on_disk is None:
            self._on_disk = await asyncio.to_thread(_read, self._path)
            for device, note in self._on_disk.items():
                self._notes.setdefault(device, note)

    async def save(self) -> None:
        """Write what is new."""
        if self._path is None or self._on_disk is None or self._notes == self._on_disk:
            return
        notes = dict(self._notes)
        try:
            await asyncio.to_thread(_write, self._path, notes)
        except OSError as error:
            if not self._faulty:
                log.warning("notes of devices not saved: %s: look at the disk that holds state_dir", error)
            self._faulty = True
            return
        self._on_disk, self._faulty = notes, False


def _read(path: Path) -> dict[str, bytes]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, bytes])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("notes of devices not readable path=%s reason=%r: begun anew", path, str(error))
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError as denied:
            log.warning("and not set aside: %s", denied)
        return {}


def _write(path: Path, notes: dict[str, bytes]) -> None:
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(notes))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
