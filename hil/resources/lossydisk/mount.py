"""The disk as a mounted file system: calls of the kernel to calls of the model. The only import of mfusepy.

One thread serves the kernel, another the scenario; a lock stands between them. Neither waits for anything while it has
it. The kernel keeps no pages, names or attributes: a cut must not be hidden by its caches. Only SQLite's -shm, which is
mapped, goes through them.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

from hil.resources.lossydisk.disk import Disk
from hil.resources.lossydisk.file import PAGE_BYTES, File
from hil.resources.lossydisk.tree import Node

_MAPPED = "-shm"


def serve(disk: Disk, lock: threading.Lock, folder: Path, fsync_s: float, mounted: Callable[[], None]) -> None:
    """Serve the disk at `folder` until a signal or umount(8) ends it. Raises RuntimeError where nobody may mount."""
    _Fuse(_Calls(disk, lock, fsync_s, mounted), str(folder), raw_fi=True, foreground=True, nothreads=True,
          fsname="lossydisk", use_ino=True, hard_remove=True, attr_timeout=0, entry_timeout=0, negative_timeout=0)


class _Fuse(mfusepy.FUSE):  # type: ignore[misc]
    def truncate_fuse_3(self, path: bytes | None, length: int, info: Any) -> int:
        """Hand on the open file too (mfusepy has it for libfuse 2 alone): it may have no name, or be dead."""
        return int(self.ftruncate(path, length, info) or 0)


class _Calls(mfusepy.Operations):  # type: ignore[misc]
    use_ns = True
    flag_nopath = flag_nullpath_ok = True  # what has no name any more is known by its handle

    def __init__(self, disk: Disk, lock: threading.Lock, fsync_s: float, mounted: Callable[[], None]) -> None:
        self._disk, self._lock, self._fsync_s, self._mounted = disk, lock, fsync_s, mounted

    def init(self, path: str) -> None:
        self._mounted()

    def getattr(self, path: str | None, fh: Any = None) -> dict[str, Any]:
        with self._lock:
            return _attributes(self._disk.node(path, fh and fh.fh))

    def opendir(self, path: str) -> int:
        with self._lock:
            return self._disk.open_folder(path)

    def readdir(self, path: str | None, fh: int) -> list[tuple[str, dict[str, Any], int]]:
        with self._lock:
            found = {".": self._disk.folder(fh), "..": self._disk.folder(fh)} | self._disk.folder(fh).entries
            return [(name, _attributes(node), 0) for name, node in found.items()]

    def releasedir(self, path: str | None, fh: int) -> int:
        with self._lock:
            self._disk.close(fh)
        return 0

    def fsyncdir(self, path: str | None, datasync: int, fh: int) -> int:
        with self._lock:
            self._disk.fsync_folder(fh)
        return 0

    def open(self, path: str, info: Any) -> int:
        with self._lock:
            writes = bool(info.flags & os.O_ACCMODE)
            info.fh = self._disk.open(path, writes, bool(info.flags & os.O_TRUNC))
        info.direct_io = not path.endswith(_MAPPED)
        return 0

    def create(self, path: str, mode: int, info: Any = None) -> int:
        with self._lock:
            info.fh = self._disk.create(path, mode)
        info.direct_io = not path.endswith(_MAPPED)
        return 0

    def release(self, path: str | None, info: Any) -> int:
        with self._lock:
            self._disk.close(info.fh)
        return 0

    def read(self, path: str | None, size: int, offset: int, info: Any) -> bytes:
        with self._lock:
            return self._disk.read(info.fh, size, offset)

    def write(self, path: str | None, data: bytes, offset: int, info: Any) -> int:
        with self._lock:
            return self._disk.write(info.fh, data, offset)

    def truncate(self, path: str | None, length: int, fh: Any = None) -> int:
        with self._lock:
            self._disk.resize(self._disk.node(path, fh and fh.fh), length)
        return 0

    def fallocate(self, path: str | None, mode: int, offset: int, size: int, info: Any) -> int:
        with self._lock:
            self._disk.allocate(info.fh, offset + size)
        return 0

    def fsync(self, path: str | None, datasync: int, info: Any) -> int:
        time.sleep(self._fsync_s)  # a card does one thing at a time: everybody waits
        with self._lock:
            self._disk.fsync(info.fh)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        with self._lock:
            self._disk.make_folder(path, mode)
        return 0

    def unlink(self, path: str) -> int:
        with self._lock:
            self._disk.remove(path)
        return 0

    rmdir = unlink

    def rename(self, old: str, new: str) -> int:
        with self._lock:
            self._disk.rename(old, new)
        return 0

    def chmod(self, path: str | None, mode: int) -> int:
        return 0  # there is one user

    def chown(self, path: str | None, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str | None, times: Any = None) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        with self._lock:
            size_bytes, free_bytes = self._disk.space()
        free = free_bytes // PAGE_BYTES
        return {"f_bsize": PAGE_BYTES, "f_frsize": PAGE_BYTES, "f_blocks": size_bytes // PAGE_BYTES, "f_bfree": free,
                "f_bavail": free, "f_files": 1 << 20, "f_ffree": 1 << 20, "f_namemax": 255}


def _attributes(node: Node) -> dict[str, Any]:
    size_bytes = len(node.content) if isinstance(node, File) else 0
    times = dict.fromkeys(("st_mtime", "st_ctime", "st_atime"), node.changed_ns)
    return times | {"st_ino": node.number, "st_mode": node.mode, "st_nlink": 1 if isinstance(node, File) else 2,
                    "st_size": size_bytes, "st_blocks": -(-size_bytes // 512), "st_blksize": PAGE_BYTES,
                    "st_uid": os.getuid(), "st_gid": os.getgid()}
