"""VolatileOutbox: an outbox in memory, for what must reach the city while the disk takes nothing.

It has an epoch of its own, so the city needs to know nothing of it: same numbers, same acknowledgements. It lives as
long as the process. Whoever puts an event here may put it into the store later: the city knows it by its id.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from gateway.model.event import Event, Lane
from gateway.store import Row

CAPACITY = 1000  # events of a lane other than alarm; some hundred kilobytes


class VolatileOutbox:
    """Reads like the store's outbox; an alarm is always taken, anything else while there is room."""

    def __init__(self) -> None:
        self.epoch = f"v{secrets.token_hex(8)}"
        self.refused = 0
        self._rows: dict[Lane, list[Row]] = {lane: [] for lane in Lane}
        self._top = dict.fromkeys(Lane, 0)
        self._settled = dict.fromkeys(Lane, 0)

    def put(self, events: Sequence[Event]) -> None:
        """Take events that are not waiting here already; refused ones are counted."""
        for event in events:
            msgspec.json.encode(event.data)  # what cannot travel fails here, before its caller
            rows = self._rows[event.lane]
            if any(row.event.id == event.id for row in rows):
                continue
            if event.lane is not Lane.ALARM and len(rows) >= CAPACITY:
                self.refused += 1
                continue
            self._top[event.lane] += 1
            rows.append(Row(self.epoch, event.lane, self._top[event.lane], 0, event))

    async def next_rows(self, after: Mapping[Lane, int], limit: int) -> list[Row]:
        found = [replace(row, settled=self._settled[lane]) for lane in sorted(after)
                 for row in self._rows[lane] if row.seq > after[lane]]
        return found[:limit]

    async def settle(self, epoch: str, lane: Lane, upto: int, published: int) -> list[str]:
        """Forget what the city's application has; nothing that was not `published` to it."""
        if epoch != self.epoch or upto > published:
            return []
        self._settled[lane] = max(self._settled[lane], upto)
        gone = [row.event.id for row in self._rows[lane] if row.seq <= upto]
        self._rows[lane] = self._rows[lane][len(gone):]
        return gone

    def waiting(self, lane: Lane) -> int:
        return len(self._rows[lane])
