"""Drives Anju's store in a process of its own, by the JSON lines of the peer's driver.

An event counts as accepted when append() has returned. Without a rate, CALLERS wait at a time.
"""

import asyncio
import json
import mmap
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.store import Store, StoreError
from tests.bench.thingsboard.events import event

CALLERS = 1000


class Writing:
    """One operation `write` under way."""

    def __init__(self, store: Store, request: dict[str, Any]) -> None:
        self._store = store
        self._first, self._count, self._rate_hz = request["first"], request["count"], request["rate_hz"]
        with Path(request["accepted"]).open("r+b") as file:
            self._moments = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self.refused = 0
        self.latencies_ms: list[float] = []

    async def run(self) -> dict[str, Any]:
        begun_s = time.monotonic()
        say({"writing": True})
        if self._rate_hz:
            await self._at_rate(begun_s)
        else:
            numbers = iter(range(self._first, self._first + self._count))
            await asyncio.gather(*(self._caller(numbers) for _ in range(CALLERS)))
        return {"refused": self.refused, "committed": self._count - self.refused,
                "seconds": time.monotonic() - begun_s, "latencies_ms": self.latencies_ms,
                "given_up": self._store.given_up(), "faults": [fault.reason for fault in self._store.faults()]}

    async def _at_rate(self, begun_s: float) -> None:
        async with asyncio.TaskGroup() as group:
            for place in range(self._count):
                await asyncio.sleep(begun_s + place / self._rate_hz - time.monotonic())
                group.create_task(self._append(self._first + place))

    async def _caller(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._append(number)

    async def _append(self, number: int) -> None:
        start_s = time.monotonic()
        try:
            await self._store.append([event(number)])
        except StoreError:
            self.refused += 1
            return
        end_s = time.monotonic()
        self._moments[number] = end_s
        if self._rate_hz:
            self.latencies_ms.append((end_s - start_s) * 1000)


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


async def serve(folder: Path) -> None:
    store: Store | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        op = request.pop("op")
        if op == "open":
            store = await Store.open(folder)
            say({} if store.trouble is None else {"error": str(store.trouble)})
        elif store is None:
            say({"error": "open it first"})
        elif op == "write":
            say(await Writing(store, request).run())
        elif op == "close":
            await store.close()
            say({})
        else:
            say({"error": f"no operation {op}"})


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
