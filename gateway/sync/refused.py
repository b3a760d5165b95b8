"""Refused: the rows that the broker did not take in one conversation. Pure.

A refusal is forgotten when that row was taken, acknowledged or set back, and never because another was. What was
refused TRIES times although the broker took a row behind it is at fault by itself: it need not hold up its lane. Of its
refusals before that no more than one counts: the whole topic may have been refused until then.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.model.event import Lane
from gateway.store import Row
from gateway.sync.errors import TopicRefused

TRIES = 3


@dataclass(slots=True)
class _Refusal:
    row: Row
    why: TopicRefused
    times: int = 0  # by itself; in the company of others it may not have been the one to blame
    overtaken: bool = False  # the broker took a row behind it


@dataclass(slots=True)
class Refused:
    """Refusals by epoch, lane and number."""

    _rows: dict[tuple[str, Lane, int], _Refusal] = field(default_factory=dict)

    def note(self, rows: Iterable[Row], why: TopicRefused, alone: bool) -> int:
        """Note a refused publication; return how often its last row was refused by itself."""
        times = 0
        for row in rows:
            found = self._rows.setdefault((row.epoch, row.lane, row.seq), _Refusal(row, why))
            found.why = why
            found.times += alone
            times = found.times
        return times

    def taken(self, rows: Iterable[Row]) -> None:
        """Note a publication that the broker took."""
        for row in rows:
            self._rows.pop((row.epoch, row.lane, row.seq), None)
            for (epoch, lane, seq), found in self._rows.items():
                if not found.overtaken and (epoch, lane) == (row.epoch, row.lane) and seq < row.seq:
                    found.overtaken, found.times = True, min(found.times, 1)

    def forget(self, epoch: str, lane: Lane, upto: int) -> None:
        """Forget what was acknowledged."""
        self._rows = {key: found for key, found in self._rows.items()
                      if key[:2] != (epoch, lane) or key[2] > upto}

    def keep(self, epochs: Iterable[str]) -> None:
        """Forget the rows of every other epoch: their numbers mean nothing any more."""
        kept = set(epochs)
        self._rows = {key: found for key, found in self._rows.items() if key[0] in kept}

    def drop(self, row: Row) -> None:
        """Forget a row that was set back."""
        self._rows.pop((row.epoch, row.lane, row.seq), None)

    def hopeless(self, lane: Lane) -> list[tuple[Row, TopicRefused]]:
        """Return the rows of a lane that are at fault by themselves."""
        return [(found.row, found.why) for key, found in self._rows.items()
                if key[1] is lane and found.times >= TRIES and found.overtaken]

    def lanes(self) -> dict[Lane, TopicRefused]:
        """Return for each lane with a refused row why its first one is."""
        return {lane: self._rows[epoch, lane, seq].why
                for epoch, lane, seq in sorted(self._rows, key=lambda key: key[1:], reverse=True)}
