"""The city of the model: the reference city's own reading and book, and between them what can be lost."""

import shutil
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from hil.cloud.envelope import read_all
from hil.cloud.ledger import Book, LaneAck
from tests.model.link import MemoryBroker


class Town:
    """What arrived lies in memory until commit(); what may be acknowledged, until send()."""

    def __init__(self, folder: Path, broker: MemoryBroker, gateway: str) -> None:
        self._broker, self._gateway = broker, gateway
        self._path = folder / "city-0.db"
        self._lives = 0
        self.book = Book(self._path)
        self.inbox: list[tuple[str, bytes]] = []
        self.acks: deque[LaneAck] = deque()
        self.said: list[LaneAck] = []  # ever

    def commit(self, count: int) -> None:
        """Commit so many of what arrived, in one transaction."""
        batch, self.inbox = self.inbox[:count], self.inbox[count:]
        arrivals = []
        for topic, payload in batch:
            found, bad = read_all(topic, payload)
            assert not bad, f"no envelope: {payload!r}"
            arrivals += [(arrival, 0.0) for arrival in found]
        if arrivals:
            self.acks += self.book.commit(arrivals)

    def send(self, count: int) -> None:
        """Send so many of the acknowledgements that wait."""
        for _ in range(min(count, len(self.acks))):
            self.said.append(self.acks.popleft())
            self._tell(self.said[-1])

    def repeat(self, which: int) -> None:
        """Send one again that was sent long ago."""
        if self.said:
            self._tell(self.said[which % len(self.said)])

    def kill(self) -> None:
        """kill -9 and start anew: the book goes on as its file and journal lie on the disk."""
        self._lives += 1
        path = self._path.with_name(f"city-{self._lives}.db")
        for suffix in ("", "-wal"):
            if (source := self._path.with_name(self._path.name + suffix)).exists():
                shutil.copyfile(source, path.with_name(path.name + suffix))
        self.book.close()
        self._path, self.book = path, Book(path)
        self.inbox.clear()
        self.acks.clear()

    def events(self) -> dict[str, dict[str, Any]]:
        """Return the envelopes in the book by id, in the order of their arrival."""
        return {event["id"]: event for event in self.book.events(None, 0)}

    def _tell(self, ack: LaneAck) -> None:
        body = {"epoch": ack.epoch, "lane": ack.lane, "upto": ack.upto, "id": ack.id}
        self._broker.publish_down(f"anju/v1/{self._gateway}/down/ack", msgspec.json.encode(body))
