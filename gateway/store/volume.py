"""Volume: the disk under the file: its space, a reserve for the worst day, and what has been written to it.

The reserve is a file that holds some blocks. Where the disk is full, be it by other programs, it is given up, and
alarms find room in its place, as does the journal that a deletion needs. It returns when there is space again.
"""

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

RESERVE = "anju.reserve"
RESERVE_BYTES = 2**20
_SHARE = 16  # of a small disk the reserve takes no more than one part in so many
_AGAIN = 8  # so many times its size must be free before it is made again


@dataclass(frozen=True, slots=True)
class Writes:
    """What the store has written since it was opened; `fsyncs` as SQLite makes them."""

    bytes: int
    fsyncs: int


class Volume:
    """The disk that holds a folder. No method raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserve = folder / RESERVE

    def space(self) -> tuple[int, int] | None:
        """Return the bytes that are free for this user, and those of the whole disk; None where it does not say."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def keep_reserve(self) -> None:
        """Make the reserve where it is missing and there is plenty of space."""
        space = None if self._reserve.exists() else self.space()
        if space is None:
            return
        free_bytes, disk_bytes = space
        wanted_bytes = min(RESERVE_BYTES, disk_bytes // _SHARE)
        if free_bytes < wanted_bytes * _AGAIN:
            return
        try:
            handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(handle, 0, wanted_bytes)
            finally:
                os.close(handle)
        except OSError:
            with contextlib.suppress(OSError):
                self._reserve.unlink(missing_ok=True)

    def release(self) -> bool:
        """Give the reserve up; tell whether there was one."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True


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
