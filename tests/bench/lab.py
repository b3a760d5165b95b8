"""Lab: what a benchmark is given: folders on a real disk, a scale, and rounds that are interleaved against drift."""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.result import Row

Way = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Lab:
    """`scale`: 1.0 for figures that count; smaller to try something out."""

    folder: Path
    scale: float = 1.0

    def size(self, full: int, least: int = 1) -> int:
        """Return a count at this scale."""
        return max(least, round(full * self.scale))

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A new folder, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="anju-bench-", dir=self.folder) as name:
            yield Path(name)

    def say(self, text: str) -> None:
        """Tell whoever waits what is going on."""
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One measurement of a suite."""

    name: str
    run: Callable[[Lab], Awaitable[list[Row]]]


async def interleaved(rounds: int, *ways: Way) -> list[list[float]]:
    """Measure each way in turn, `rounds` times over: A B A B ... Return each way's figures."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for figures, way in zip(found, ways, strict=True):
            figures.append(await way())
    return found
