"""Lab: what a benchmark is given: folders on a real disk, a scale, and rounds that are interleaved against drift."""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hil.strategies.gateway import Gateway
from tests.bench.result import Row

Way = Callable[[], Awaitable[float]]
_BARE = """
[gateway]
id = "flat-12"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
[city]
host = "127.0.0.1"
port = {port}
tls = false
[voice]
output = "wav:{folder}/voice.wav"
"""


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


def later(package: str, name: str, module: str, function: str = "run") -> Benchmark:
    """A benchmark whose module in a package is imported, with all that it needs, only to run it."""
    async def run(lab: Lab) -> list[Row]:
        rows: list[Row] = await getattr(import_module(f"{package}.{module}"), function)(lab)
        return rows

    return Benchmark(name, run)


async def interleaved(rounds: int, *ways: Way) -> list[list[float]]:
    """Measure each way in turn, `rounds` times over: A B A B ... Return each way's figures."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for figures, way in zip(found, ways, strict=True):
            figures.append(await way())
    return found


def bare_gateway(folder: Path, port: int) -> Gateway:
    """A real `anju run` in a folder, without devices, whose broker is at a port of this machine; to be started."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    config = folder / "anju.toml"
    config.write_text(_BARE.format(folder=folder, port=port))
    environment = {"STATE_DIRECTORY": str(folder / "state"), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
    return Gateway(config, folder / "run", folder / "gateway.log", environment)
