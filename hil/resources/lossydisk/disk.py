"""The disk: what a file system is asked for, on the names and files of the model, with its faults and its power. Pure.

Every method raises OSError with the number that the caller is to see.
"""

import errno
import os
import random
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hil.resources.lossydisk.file import PAGE_BYTES, File
from hil.resources.lossydisk.tree import ANY, ORDERED, Folder, Node, Tree, as_file, as_folder

FAILING = ("read", "write", "fsync")
_TRACED = 10_000


@dataclass(slots=True)
class Failure:
    """One kind of call that fails, `times` often or for good."""

    what: str
    number: int
    suffix: str
    times: int | None


@dataclass(slots=True)
class Counts:
    """What was asked of one name, or of all."""

    writes: int = 0
    bytes: int = 0
    fsyncs: int = 0


@dataclass(slots=True)
class _Armed:
    calls: int
    seed: int
    names: str | None


@dataclass(slots=True)
class Faults:
    """What is wrong with the disk now."""

    failures: list[Failure] = field(default_factory=list)
    limit_bytes: int | None = None
    readonly: bool = False


class Disk:
    """A disk of `size_bytes`. `now_ns` stamps what changes."""

    def __init__(self, size_bytes: int, now_ns: Callable[[], int]) -> None:
        self._size_bytes, self._now_ns = size_bytes, now_ns
        self._tree = Tree()
        self._open: dict[int, Node] = {}
        self._handles = 0
        self._faults = Faults()
        self._armed: _Armed | None = None
        self._on = True
        self._calls = 0
        self._trace: deque[str] = deque(maxlen=_TRACED)
        self._counts: dict[str, Counts] = defaultdict(Counts)
        self._folder_fsyncs = 0

    # What a scenario asks for

    def cut(self, seed: int, names: str | None = None, off: bool = False) -> None:
        """Take the power away, and give it back unless `off`."""
        if names not in (None, ORDERED, ANY):
            raise ValueError(f"no such disk {names!r}: there are {ORDERED}, {ANY}")
        self._open.clear()
        self._armed = None
        self._tree.cut(random.Random(seed), names)
        self._on = not off

    def arm(self, calls: int, seed: int, names: str | None = None) -> None:
        """Take the power away in place of the `calls`-th call from now that changes something."""
        self._armed = _Armed(calls, seed, names)

    def fail(self, what: str, *, error: str = "EIO", suffix: str = "", times: int | None = None,
             limit_bytes: int | None = None) -> None:
        if what == "full":
            used_bytes = self.used_bytes()
            self._faults = replace(self._faults, limit_bytes=used_bytes if limit_bytes is None else limit_bytes)
        elif what == "readonly":
            self._faults = replace(self._faults, readonly=True)
        elif what in FAILING:
            self._faults.failures.append(Failure(what, getattr(errno, error), suffix, times))
        else:
            raise ValueError(f"nothing to fail {what!r}: there are {', '.join(FAILING)}, full, readonly")

    def flip(self, name: str, count: int, seed: int) -> None:
        as_file(self._tree.find(name)).flip(count, random.Random(seed))

    def heal(self) -> None:
        self._faults, self._on, self._armed = Faults(), True, None

    def stats(self) -> dict[str, Any]:
        by_name = {name: {"writes": count.writes, "bytes": count.bytes, "fsyncs": count.fsyncs}
                   for name, count in self._counts.items()}
        total = {key: sum(counts[key] for counts in by_name.values()) for key in ("writes", "bytes", "fsyncs")}
        return total | {"folder_fsyncs": self._folder_fsyncs, "calls": self._calls, "on": self._on, "files": by_name}

    def trace(self) -> dict[str, Any]:
        """Return the last calls that were to change something, each with the name that it changes."""
        return {"calls": list(self._trace)}

    # What a file system is asked for

    def node(self, path: str | None, handle: int | None) -> Node:
        """Return what an open handle or else a path stands for."""
        self._powered()
        if handle is not None:
            return self._opened(handle)
        if path is None:
            raise _error(errno.ESTALE)
        return self._tree.find(path)

    def open(self, path: str, writes: bool, empties: bool = False) -> int:
        self._powered()
        node = as_file(self._tree.find(path))
        if writes and self._faults.readonly:
            raise _error(errno.EROFS)
        if empties and node.content:
            self._changes("resize", node.name)
            node.resize(0)
        return self._handle(node)

    def create(self, path: str, mode: int) -> int:
        self._changes("create", path)
        node = as_file(self._tree.make(path, mode & 0o7777))
        node.changed_ns = self._now_ns()
        return self._handle(node)

    def open_folder(self, path: str) -> int:
        return self._handle(as_folder(self.node(path, None)))

    def folder(self, handle: int) -> Folder:
        return as_folder(self.node(None, handle))

    def close(self, handle: int) -> None:
        self._open.pop(handle, None)

    def read(self, handle: int, size_bytes: int, offset: int) -> bytes:
        self._powered()
        node = self._file(handle)
        self._works("read", node)
        return node.read(offset, size_bytes)

    def write(self, handle: int, data: bytes, offset: int) -> int:
        node = self._file(handle)
        self._changes("write", node.name)
        self._works("write", node)
        self._grows(node, offset + len(data))
        node.write(offset, data)
        node.changed_ns = self._now_ns()
        counts = self._counts[node.name]
        counts.writes += 1
        counts.bytes += len(data)
        return len(data)

    def resize(self, node: Node, size_bytes: int) -> None:
        node = as_file(node)
        self._changes("resize", node.name)
        self._works("write", node)
        self._grows(node, size_bytes)
        node.resize(size_bytes)
        node.changed_ns = self._now_ns()

    def allocate(self, handle: int, end: int) -> None:
        node = self._file(handle)
        if end > len(node.content):
            self.resize(node, end)

    def fsync(self, handle: int) -> None:
        node = self._file(handle)
        self._changes("fsync", node.name)
        self._counts[node.name].fsyncs += 1
        try:
            self._works("fsync", node)
        except OSError:
            node.fail_fsync()
            raise
        node.fsync()
        self._tree.fsync(None)

    def fsync_folder(self, handle: int) -> None:
        folder = self.folder(handle)
        self._changes("fsync", folder.name)
        self._folder_fsyncs += 1
        self._works("fsync", folder)
        self._tree.fsync(folder)

    def make_folder(self, path: str, mode: int) -> None:
        self._changes("create", path)
        self._tree.make(path, mode & 0o7777, folder=True)

    def remove(self, path: str) -> None:
        self._changes("remove", path)
        self._tree.remove(path)

    def rename(self, old: str, new: str) -> None:
        self._changes("rename", old)
        self._tree.rename(old, new)

    def used_bytes(self) -> int:
        """What all files take: those that have a name, and those that are only open."""
        files = {file.number: file for file in (*self._tree.files(), *self._open.values()) if isinstance(file, File)}
        return sum(-(-len(file.content) // PAGE_BYTES) * PAGE_BYTES for file in files.values())

    def space(self) -> tuple[int, int]:
        """Return the size of the disk and what is free of it."""
        limit_bytes = self._faults.limit_bytes
        free_bytes = (self._size_bytes if limit_bytes is None else limit_bytes) - self.used_bytes()
        return self._size_bytes, max(0, free_bytes)

    def _handle(self, node: Node) -> int:
        self._handles += 1
        self._open[self._handles] = node
        return self._handles

    def _opened(self, handle: int) -> Node:
        if (node := self._open.get(handle)) is None:
            raise _error(errno.EIO)  # from before the power went
        return node

    def _file(self, handle: int) -> File:
        return as_file(self._opened(handle))

    def _powered(self) -> None:
        if not self._on:
            raise _error(errno.EIO)

    def _changes(self, what: str, path: str) -> None:
        """Note that a call is to change something: here the power goes, and a read-only disk refuses."""
        self._powered()
        self._calls += 1
        self._trace.append(f"{what} {path.strip('/').rpartition('/')[2]}")
        if self._armed is not None:
            self._armed.calls -= 1
            if self._armed.calls <= 0:
                self.cut(self._armed.seed, self._armed.names, off=True)
                raise _error(errno.EIO)
        if self._faults.readonly:
            raise _error(errno.EROFS)

    def _works(self, what: str, node: Node) -> None:
        for failure in self._faults.failures:
            if failure.what == what and node.name.endswith(failure.suffix) and failure.times != 0:
                if failure.times is not None:
                    failure.times -= 1
                raise _error(failure.number)

    def _grows(self, file: File, size_bytes: int) -> None:
        """A page that the file has not got yet needs room."""
        pages = -(-size_bytes // PAGE_BYTES) - -(-len(file.content) // PAGE_BYTES)
        if pages > 0 and pages * PAGE_BYTES > self.space()[1]:
            raise _error(errno.ENOSPC)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
