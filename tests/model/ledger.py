"""The reference model: what was accepted, and from that what gateway and city must hold between them. It judges."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gateway.model.event import Event, EventType, Lane
from gateway.store import Row

Number = tuple[str, Lane, int]  # epoch, lane, sequence number

OWN = {EventType.OUTBOX_GAP, EventType.GATEWAY_FAULT}  # what the store adds by itself


@dataclass
class Reference:
    """What was handed in and what became of it.

    `order`: all that was ever handed in, by lane. `accepted`: what append() has returned for. `excused`: what may be
    missing: settled before the city forgot it, or in a file that was damaged or put back in time. `committed`: what the
    city ever had. `stood`: which event had which number. `gaps`: every number that a gap record has ever stood for.
    """

    order: dict[Lane, list[str]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    events: dict[str, Event] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    in_memory: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    committed: set[str] = field(default_factory=set)
    stood: dict[Number, str] = field(default_factory=dict)
    gaps: set[Number] = field(default_factory=set)

    def handed_in(self, events: Sequence[Event]) -> None:
        for event in events:
            self.order[event.lane].append(event.id)
            self.events[event.id] = event

    def look(self, rows: Sequence[Row], city: Mapping[str, dict[str, Any]]) -> None:
        """Take note of what stands where."""
        self.committed |= city.keys()
        for row in rows:
            if row.first is None:
                self.stood[row.epoch, row.lane, row.seq] = row.event.id
            else:
                self._gap(row.epoch, row.lane, row.first, row.seq)
        for event_id, envelope in city.items():
            epoch, lane, seq = envelope["epoch"], Lane[envelope["lane"].upper()], int(envelope["sequence"])
            if envelope["type"] == EventType.OUTBOX_GAP:
                self._gap(epoch, lane, int(envelope["sequencefrom"]), seq)
            else:
                self.stood.setdefault((epoch, lane, seq), event_id)

    def missing(self, rows: Sequence[Row], city: Collection[str]) -> set[str]:
        """Return what was accepted and is nowhere, nor excused."""
        return self.accepted - {row.event.id for row in rows} - set(city) - self.excused

    def check(self, rows: Sequence[Row], city: Mapping[str, dict[str, Any]]) -> None:
        """The invariants of every moment."""
        given_up = {self.stood[number] for number in self.gaps if number in self.stood}
        unseen = {number for number in self.gaps if number not in self.stood}
        lost = self.missing(rows, city) - given_up
        assert not {i for i in lost if self.events[i].lane is Lane.ALARM}, "an alarm is lost"
        assert len(lost) <= len(unseen), f"lost, and no gap record says so: {sorted(lost)}"
        assert not [number for number in self.gaps if number[1] is Lane.ALARM], "alarms were given up"
        self._check_outbox(rows)
        self._check_city(city)

    def _check_outbox(self, rows: Sequence[Row]) -> None:
        for lane in Lane:
            mine = [row for row in rows if row.lane is lane]
            upto = mine[0].settled if mine else 0
            for row in mine:
                assert (row.first or row.seq) <= upto + 1 <= row.seq, f"numbers with a hole before {row.seq}"
                upto = row.seq
            for row in mine:
                assert row.event == self.events.get(row.event.id, row.event), "an event has changed"
                assert row.event.id in self.events or row.event.type in OWN, f"nobody appended {row.event.id}"
        self._check_order([row.event.id for row in rows if row.lane is Lane.ALARM])

    def _check_city(self, city: Mapping[str, dict[str, Any]]) -> None:
        alarms: defaultdict[str, dict[int, str]] = defaultdict(dict)
        for event_id, envelope in city.items():
            if envelope["lane"] == "alarm":
                alarms[envelope["epoch"]][int(envelope["sequence"])] = event_id
            if (event := self.events.get(event_id)) is None:
                assert envelope["type"] in OWN, f"nobody appended {event_id}"
            else:
                found = (envelope["type"], envelope["subject"], envelope["data"], envelope["lane"])
                assert found == (event.type, event.subject, event.data, event.lane.name.lower())
        for numbered in alarms.values():
            self._check_order([numbered[seq] for seq in sorted(numbered)])

    def _check_order(self, alarms: Sequence[str]) -> None:
        places = [self.order[Lane.ALARM].index(event_id) for event_id in alarms if event_id in self.events]
        assert all(one < other for one, other in pairwise(places)), f"alarms not in their order: {alarms}"

    def _gap(self, epoch: str, lane: Lane, first: int, last: int) -> None:
        self.gaps |= {(epoch, lane, seq) for seq in range(first, last + 1)}
