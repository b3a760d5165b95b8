"""A file above a volatile cache: what is seen, what is durable, and what a power cut makes of the two. Pure.

Writing changes the cache, page by page. Of a page the disk has got, at the cut, any one state it was ever in since the
last fsync, or the one before; perhaps torn between two of them at a sector. Lengths set explicitly (truncation,
allocation) are kept in order, as a journal does: what was written after one that is lost is lost with it. Where a file
has grown and the page has not come, there are zeros.

A failed fsync has given up the pages it was to bring, as Linux does (fsync(2) of 4.13 and later, ext4 and XFS): they
are still seen and clean, the next fsync succeeds without them, and only a page that is written again is brought again.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

PAGE_BYTES = 4096
SECTOR_BYTES = 512  # what a disk writes whole or not at all
_TORN = 0.25  # of the pages that come, how many come as sectors of two states


@dataclass(frozen=True, slots=True)
class Wrote:
    """Pages as they were after a write, and how long the file was then."""

    pages: Mapping[int, bytes]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Resized:
    """The length was set."""

    size_bytes: int


class File:
    """One file. `number` identifies it for good, `name` is its last one."""

    def __init__(self, number: int, name: str, mode: int) -> None:
        self.number, self.name, self.mode = number, name, mode
        self.content = bytearray()
        self.changed_ns = 0
        self._durable = bytearray()
        self._log: list[Wrote | Resized] = []

    def read(self, offset: int, size_bytes: int) -> bytes:
        return bytes(self.content[offset:offset + size_bytes])

    def write(self, offset: int, data: bytes) -> None:
        if not data:
            return
        end = offset + len(data)
        if end > len(self.content):
            _resize(self.content, end)
        self.content[offset:end] = data
        pages = range(offset // PAGE_BYTES, (end - 1) // PAGE_BYTES + 1)
        self._log.append(Wrote({n: _page(self.content, n) for n in pages}, len(self.content)))

    def resize(self, size_bytes: int) -> None:
        _resize(self.content, size_bytes)
        self._log.append(Resized(size_bytes))

    def fsync(self) -> None:
        """Bring everything to the disk that waits for it."""
        dirty: set[int] = set()
        for change in self._log:
            if isinstance(change, Resized):
                _resize(self._durable, change.size_bytes)
            else:
                dirty.update(change.pages)
        _resize(self._durable, len(self.content))
        for number in dirty:
            start = number * PAGE_BYTES
            page = self.content[start:start + PAGE_BYTES]
            self._durable[start:start + len(page)] = page
        self._log.clear()

    def fail_fsync(self) -> None:
        """Give up what waits; it is seen until the power goes."""
        self._log.clear()

    def flip(self, count: int, chance: random.Random) -> None:
        """Change so many bytes, on the disk and in what is seen."""
        for _ in range(count if self.content else 0):
            place, mask = chance.randrange(len(self.content)), chance.randint(1, 255)
            self.content[place] ^= mask
            if place < len(self._durable):
                self._durable[place] = self.content[place]

    def cut(self, chance: random.Random) -> None:
        """Become what the power leaves: all that waited, nothing of it, or some."""
        keep = chance.choice((0.0, chance.random(), 1.0))
        content, versions, sizes = self._journal(keep, chance)
        _resize(content, sizes[-1] if keep == 1.0 else chance.choice(sizes) if keep else sizes[0])
        for number, later in versions.items():
            states = [_page(content, number), *later]
            start = number * PAGE_BYTES
            if start < len(content) and chance.random() < keep:
                page = _arrived(states, -1 if keep == 1.0 else chance.randrange(1, len(states)), chance, keep < 1.0)
                content[start:start + PAGE_BYTES] = page[:len(content) - start]
        self.content, self._durable = content, bytearray(content)
        self._log.clear()

    def _journal(self, keep: float, chance: random.Random) -> tuple[bytearray, dict[int, list[bytes]], list[int]]:
        """Return the durable content after the lengths that survive, the pages' later states, and the lengths."""
        resizes = sum(isinstance(change, Resized) for change in self._log)
        left = {0.0: 0, 1.0: resizes}.get(keep, chance.randint(0, resizes))
        content, sizes = bytearray(self._durable), [len(self._durable)]
        versions: dict[int, list[bytes]] = {}
        for change in self._log:
            if isinstance(change, Wrote):
                for number, page in change.pages.items():
                    versions.setdefault(number, []).append(page)
                sizes.append(change.size_bytes)
                continue
            if not left:
                break
            left -= 1
            size_bytes = change.size_bytes
            _resize(content, size_bytes)
            sizes = [size_bytes]
            versions = {n: [page[:size_bytes - n * PAGE_BYTES].ljust(PAGE_BYTES, b"\0") for page in pages]
                        for n, pages in versions.items() if n * PAGE_BYTES < size_bytes}
        return content, versions, sizes


def _arrived(states: list[bytes], which: int, chance: random.Random, may_tear: bool) -> bytes:
    if not may_tear or chance.random() >= _TORN:
        return states[which]
    before = chance.randrange(which)
    sectors = range(0, PAGE_BYTES, SECTOR_BYTES)
    return b"".join(states[chance.choice((which, before))][at:at + SECTOR_BYTES] for at in sectors)


def _page(content: bytearray, number: int) -> bytes:
    return bytes(content[number * PAGE_BYTES:(number + 1) * PAGE_BYTES]).ljust(PAGE_BYTES, b"\0")


def _resize(content: bytearray, size_bytes: int) -> None:
    if size_bytes < len(content):
        del content[size_bytes:]
    else:
        content.extend(bytes(size_bytes - len(content)))
