"""Shelf: the evidence of falls on disk, few and bounded, and with it the event that tells the city.

Invariants
 1. Evidence is awaited from the transaction that commits its alarm until another one puts the samples, or why there are
    none, in its place, along with the event: so whatever a crash cuts, it is told, and told under one id.
 2. There is no more of it than `evidence_count` and `evidence_bytes`: the oldest goes for the new.
 3. Where the disk has no room beyond what is kept free for others (retention.py), samples are not taken: the row and
    the event say so. Alarms come in long after that.
 4. It is read from this file alone: of a damaged one nobody waits for evidence (salvage.py).
"""

import contextlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.alarm.evidence import told
from gateway.model.event import Event
from gateway.model.evidence import Evidence, lacking
from gateway.store.ledger import UNDECODABLE, Ledger
from gateway.store.retention import Limits, Usage, room_bytes
from gateway.store.volume import Volume

NO_SPACE = "the disk had no space left for it"
NOT_SOUND = "it could not be read again: check the disk"

Rows = Sequence[tuple[Event, bytes]]
_encode = msgspec.json.Encoder().encode


class Shelf:
    """`ask(work)` runs work on the store thread and returns a future of what it returns."""

    def __init__(self, ask: Callable[[Callable[[Ledger], Any]], Any], volume: Volume, limits: Limits) -> None:
        self._ask, self._volume, self._limits = ask, volume, limits

    def write(self, ledger: Ledger, evidence: Evidence, rows: Rows) -> Rows:
        """Put evidence into the file, in the transaction under way; return the events that go along with it.

        Those are `rows`, or where the disk has no room the one that says so.
        """
        samples = zlib.compress(evidence.samples_mg)
        if evidence.pieces and self._room_bytes(ledger) < len(samples) + sum(len(body) for _, body in rows):
            evidence, samples = lacking(evidence, NO_SPACE), b""
            event = told(evidence)
            rows = [(event, _encode(event))]
        head = _encode(msgspec.structs.replace(evidence, samples_mg=b""))
        run = ledger.connection.execute
        if not evidence.awaited:  # that one is small, and its alarm's transaction does nothing that can wait
            sizes = run("SELECT n, length(head) + length(samples) FROM evidence WHERE id != ? ORDER BY n",
                        (evidence.id,)).fetchall()
            for number in departing(sizes, len(head) + len(samples), self._limits):
                run("DELETE FROM evidence WHERE n = ?", (number,))
        run("""INSERT INTO evidence (id, alarm, awaited, head, samples) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET awaited = excluded.awaited, head = excluded.head,
                                              samples = excluded.samples""",
            (evidence.id, evidence.alarm, evidence.awaited, head, samples))
        return rows

    async def awaited(self) -> list[Evidence]:
        """Return what no capture has ended yet, oldest first: the last run's, before this one has begun any."""
        found = await self._ask(lambda ledger: ledger.connection.execute(
            "SELECT CAST(head AS BLOB) FROM evidence WHERE awaited ORDER BY n").fetchall())
        return [evidence for head, in found if (evidence := _head(head)) is not None]

    async def heads(self) -> list[tuple[Evidence, str]]:
        """Return all of it without the samples, newest first, each with its alarm's state, "" where it is forgotten."""
        found = await self._ask(lambda ledger: ledger.connection.execute(
            "SELECT CAST(head AS BLOB), coalesce(state, '') FROM evidence LEFT JOIN alarm ON alarm.id = evidence.alarm "
            "ORDER BY n DESC").fetchall())
        return [(evidence, state) for head, state in found if (evidence := _head(head)) is not None]

    async def find(self, id_: str) -> Evidence | None:
        """Return one evidence with its samples, None where there is none of this id."""
        row = await self._ask(lambda ledger: ledger.connection.execute(
            "SELECT CAST(head AS BLOB), CAST(samples AS BLOB) FROM evidence WHERE id = ?", (id_,)).fetchone())
        if row is None or (evidence := _head(row[0])) is None:
            return None
        with contextlib.suppress(zlib.error):
            return msgspec.structs.replace(evidence, samples_mg=zlib.decompress(row[1]) if evidence.pieces else b"")
        return lacking(evidence, NOT_SOUND)

    def _room_bytes(self, ledger: Ledger) -> float:
        space = self._volume.space()
        if space is None:
            return 0.0
        return room_bytes(self._limits, Usage(*ledger.space(), *space, waiting={}))[1]


def departing(kept: Sequence[tuple[int, int]], own_bytes: int, limits: Limits) -> list[int]:
    """Return which of (number, bytes), oldest first, go for another one of `own_bytes`. Pure."""
    bytes_left, gone = sum(size for _, size in kept), []
    for place, (number, size) in enumerate(kept):
        if len(kept) - place < limits.evidence_count and bytes_left + own_bytes <= limits.evidence_bytes:
            break
        gone.append(number)
        bytes_left -= size
    return gone


def _head(body: bytes) -> Evidence | None:
    """A row that is damaged on disk is left out."""
    with contextlib.suppress(*UNDECODABLE):
        return msgspec.json.decode(body, type=Evidence)
    return None
