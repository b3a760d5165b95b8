"""python -m hil.resources.lossydisk --mount DIR --control SOCK: serve the disk at DIR until SIGTERM."""

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.resources import control
from hil.resources.lossydisk.disk import Disk


class _Scenario:
    """Answers the control socket in a thread of its own: libfuse has the first one, and its signals."""

    def __init__(self, disk: Disk, lock: threading.Lock, socket: Path) -> None:
        self._disk, self._lock, self._socket = disk, lock, socket
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._serving = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), name="scenario")

    def start(self) -> None:
        self._thread.start()
        self._serving.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with control.serve(self._socket, self._answer):
            self._serving.set()
            await self._end.wait()

    async def _answer(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        disk = self._disk
        operations: dict[str, Callable[..., dict[str, Any] | None]] = {
            "cut": disk.cut, "arm": disk.arm, "fail": disk.fail, "flip": disk.flip, "heal": disk.heal,
            "stats": disk.stats, "trace": disk.trace}
        if op not in operations:
            raise ValueError(f"no operation {op!r}: there are {', '.join(operations)}")
        with self._lock:
            return operations[op](**arguments) or {}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.resources.lossydisk", description=__doc__)
    parser.add_argument("--mount", type=Path, required=True, help="an empty folder, at which the disk appears")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    parser.add_argument("--size-mb", type=float, default=1024.0, help="how much it holds; default 1024")
    parser.add_argument("--fsync-ms", type=float, default=0.0, help="how long an fsync of a file takes; default 0")
    arguments = parser.parse_args()
    try:
        from hil.resources.lossydisk.mount import serve
    except (ImportError, OSError) as error:
        sys.exit(f"{error}: install the Debian package fuse3, and mfusepy from locks/dev.txt")
    disk, lock = Disk(int(arguments.size_mb * 1e6), time.time_ns), threading.Lock()
    scenario = _Scenario(disk, lock, arguments.control)
    scenario.start()

    there = False

    def mounted() -> None:
        nonlocal there
        there = True
        ready = {"ready": True, "mount": str(arguments.mount), "control": str(arguments.control)}
        print(json.dumps(ready), flush=True)

    try:
        serve(disk, lock, arguments.mount, arguments.fsync_ms / 1000, mounted)
    except RuntimeError as error:
        if not there:  # and else a signal has ended it
            sys.exit(f"nobody may mount here (libfuse says {error}): run as root, or allow fusermount3")
    finally:
        scenario.stop()


if __name__ == "__main__":
    main()
