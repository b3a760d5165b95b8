"""Tail: what just happened, for whoever watches now. Watchers that are slow miss lines and are told how many."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

KEPT = 1000


class Fact(msgspec.Struct, frozen=True):
    """One line of `anju tail`. `what`: event, finding, alarm, device, sync or fault."""

    at: float | None
    what: str
    subject: str
    text: str
    data: dict[str, Any] = {}


class Tail:
    """Hands every fact to each watcher."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[Fact]] = set()
        self._missed: dict[asyncio.Queue[Fact], int] = {}

    def tell(self, fact: Fact) -> None:
        """Show a fact to all who watch. Never blocks."""
        for queue in self._watchers:
            if queue.full():
                self._missed[queue] += 1
            else:
                queue.put_nowait(fact)

    async def watch(self) -> AsyncGenerator[Fact, None]:
        """Yield every fact from now on."""
        queue: asyncio.Queue[Fact] = asyncio.Queue(KEPT)
        self._watchers.add(queue)
        self._missed[queue] = 0
        try:
            while True:
                fact = await queue.get()
                if missed := self._missed[queue]:
                    self._missed[queue] = 0
                    yield Fact(fact.at, "fault", "tail", f"{missed} lines missed: the reader is too slow")
                yield fact
        finally:
            self._watchers.discard(queue)
            del self._missed[queue]
