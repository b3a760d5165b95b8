"""Volume: the disk under the file: its space, two reserves for the worst day, and what has been written to it.

A reserve is a file that holds some blocks. Where the disk is full, be it by other programs, the first is given up, and
alarms find room in its place. The last is kept for deletions, which need a journal too: else an outbox that filled its
disk could not drain. They return when there is space again.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import NamedTuple

from gateway.store.migrate import sync_folder

RESERVES = ("anju.reserve-1", "anju.reserve-2")
RESERVE_BYTES = 2 * 2**20  # the journal that may wait for its way into the database, twice (thread.CHECKPOINT_BYTES)
_SHARE = 32  # of a small disk a reserve takes no more than one part in so many
_AGAIN = 4  # so many times its size must be free before it is made again


class Writes(NamedTuple):
    """What the store has written since it was opened; `fsyncs` as SQLite makes them."""

    bytes: int
    fsyncs: int


class Volume:
    """The disk that holds a folder. No method raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def space(self) -> tuple[int, int] | None:
        """Return the bytes that are free for this user, and those of the whole disk; None where it does not say."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def has_reserves(self) -> bool:
        """Tell whether both are there."""
        return not any(_is_empty(self._folder / name) for name in RESERVES)

    def keep_reserves(self) -> None:
        """Make what is missing of them where there is plenty of space, the last first."""
        for reserve in reversed([self._folder / name for name in RESERVES]):
            space = self.space() if _is_empty(reserve) else None
            if space is None:
                continue
            free_bytes, disk_bytes = space
            wanted_bytes = min(RESERVE_BYTES, disk_bytes // _SHARE)
            if free_bytes >= wanted_bytes * _AGAIN:
                _allocate(reserve, wanted_bytes)

    def release(self, last: bool) -> bool:
        """Give up a reserve, the last one only if `last`; tell whether there was one."""
        for name in RESERVES if last else RESERVES[:1]:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
                return True
        return False


def _is_empty(path: Path) -> bool:
    """Tell whether a file holds nothing: it is not there, or a power cut took its blocks."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def _allocate(path: Path, size_bytes: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, size_bytes)
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def written_bytes() -> int:
    """Return what this thread has written so far (proc_pid_io(5)); 0 where the kernel does not count.

    `wchar` is what was asked for, `write_bytes` what went to a disk, in whole pages; a disk in memory has no such.
    """
    try:
        lines = Path(f"/proc/self/task/{threading.get_native_id()}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    counts = dict(line.split(": ") for line in lines)
    return max(int(counts["wchar"]), int(counts["write_bytes"]))
