"""The names on a disk: folders, changes of names that wait for the disk, and which of them a power cut leaves. Pure.

Two kinds of disk stand behind POSIX's silence. `ordered`: names reach it in the order of their changes, and an fsync
of anything takes all of them along (ext4 and its journal); a cut leaves a beginning of the rest. `any`: only fsync of a
folder brings its names; a cut leaves any of the rest. A rename happens as a whole or not at all, on both.
"""

import errno
import os
import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from hil.resources.lossydisk.file import File

ORDERED, ANY = "ordered", "any"


class Folder:
    """One folder: the names seen, and those that are durable."""

    def __init__(self, number: int, name: str, mode: int) -> None:
        self.number, self.name, self.mode = number, name, mode
        self.changed_ns = 0
        self.entries: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}


Node = File | Folder


@dataclass(slots=True)
class Change:
    """Names that change together: each in its folder to what it stands for from then on, None for nothing."""

    parts: tuple[tuple[Folder, str, Node | None], ...]
    moved: Node | None = None
    taken_along: bool = False  # by an fsync of something else, where the order is kept

    def see(self) -> None:
        for folder, name, node in self.parts:
            _set(folder.entries, name, node)

    def last(self) -> None:
        """Become durable. What is renamed must be there under its old name, or else there is nothing to rename."""
        old_folder, old_name, _ = self.parts[0]
        if self.moved is None or old_folder.durable.get(old_name) is self.moved:
            for folder, name, node in self.parts:
                _set(folder.durable, name, node)


class Tree:
    """All names, from the root."""

    def __init__(self) -> None:
        self._last = 1
        self.root = Folder(1, "", stat.S_IFDIR | 0o755)
        self._waiting: list[Change] = []

    def find(self, path: str) -> Node:
        node: Node = self.root
        for name in path.split("/"):
            if name:
                node = as_folder(node).entries.get(name) or _refuse(errno.ENOENT)
        return node

    def place(self, path: str) -> tuple[Folder, str]:
        """Return the folder that a path lies in, and its name there."""
        above, _, name = path.rstrip("/").rpartition("/")
        return as_folder(self.find(above)), name

    def make(self, path: str, mode: int, folder: bool = False) -> Node:
        place, name = self.place(path)
        if name in place.entries:
            _refuse(errno.EEXIST)
        self._last += 1
        kind = Folder(self._last, name, stat.S_IFDIR | mode) if folder else File(self._last, name, stat.S_IFREG | mode)
        self._change(Change(((place, name, kind),)))
        return kind

    def remove(self, path: str) -> None:
        place, name = self.place(path)
        node = place.entries.get(name) or _refuse(errno.ENOENT)
        if isinstance(node, Folder) and node.entries:
            _refuse(errno.ENOTEMPTY)
        self._change(Change(((place, name, None),)))

    def rename(self, old: str, new: str) -> None:
        (old_place, old_name), (new_place, new_name) = self.place(old), self.place(new)
        node = old_place.entries.get(old_name) or _refuse(errno.ENOENT)
        if (old_place, old_name) == (new_place, new_name):
            return
        there = new_place.entries.get(new_name)
        if isinstance(there, Folder) and there.entries:
            _refuse(errno.ENOTEMPTY)
        self._change(Change(((old_place, old_name, None), (new_place, new_name, node)), node))
        node.name = new_name

    def fsync(self, folder: Folder | None) -> None:
        """Note an fsync: of this folder, or of a file."""
        rest = []
        for change in self._waiting:
            change.taken_along = True
            if any(place is folder for place, _, _ in change.parts):
                change.last()
            else:
                rest.append(change)
        self._waiting = rest

    def cut(self, chance: random.Random, names: str | None) -> None:
        """Fall back to the names that the power leaves, and each file to its content."""
        if (names or chance.choice((ORDERED, ANY))) == ORDERED:
            sure = sum(change.taken_along for change in self._waiting)
            left = self._waiting[:chance.randint(sure, len(self._waiting))]
        else:
            left = [change for change in self._waiting if chance.random() < 0.5]
        for change in left:
            change.last()
        self._waiting = []
        for node in self._durable(self.root):
            if isinstance(node, File):
                node.cut(chance)
            else:
                node.entries = dict(node.durable)

    def files(self, folder: Folder | None = None) -> Iterator[File]:
        """Every file that has a name."""
        for node in (folder or self.root).entries.values():
            if isinstance(node, File):
                yield node
            else:
                yield from self.files(node)

    def _durable(self, folder: Folder) -> Iterator[Node]:
        yield folder
        for name, node in folder.durable.items():
            node.name = name
            if isinstance(node, Folder):
                yield from self._durable(node)
            else:
                yield node

    def _change(self, change: Change) -> None:
        change.see()
        self._waiting.append(change)


def as_file(node: Node) -> File:
    return node if isinstance(node, File) else _refuse(errno.EISDIR)


def as_folder(node: Node) -> Folder:
    return node if isinstance(node, Folder) else _refuse(errno.ENOTDIR)


def _set(entries: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


def _refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))
