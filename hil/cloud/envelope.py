"""The city's reading of docs/protocol.md: bytes of an `up` topic -> Arrival. Written from the document alone."""

import json
from dataclasses import dataclass
from typing import Any

LANES = ("alarm", "event", "telemetry")


class BadEnvelope(Exception):
    """Not what the document describes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as it arrived. `body`: the whole envelope as text."""

    gateway: str
    id: str
    type: str
    lane: str
    epoch: str
    seq: int
    settled: int
    body: str


def read(topic: str, payload: bytes) -> Arrival:
    """Raises BadEnvelope."""
    levels = topic.split("/")
    if len(levels) != 5 or levels[:2] != ["anju", "v1"] or levels[3] != "up" or levels[4] not in LANES:
        raise BadEnvelope(f"topic {topic}")
    try:
        body = payload.decode()
        fields: Any = json.loads(body)
        arrival = Arrival(levels[2], fields["id"], fields["type"], fields["lane"], fields["epoch"],
                          int(fields["sequence"]), int(fields["settledupto"]), body)
    except (ValueError, KeyError, TypeError) as error:
        raise BadEnvelope(f"{type(error).__name__}: {error}") from error
    problems = [
        fields.get("specversion") != "1.0",
        fields.get("source") != f"anju/{arrival.gateway}",
        fields.get("datacontenttype") != "application/json",
        arrival.lane != levels[4],
        arrival.seq < 1 or arrival.settled < 0,
        not isinstance(fields.get("data"), dict),
        not all(isinstance(text, str) and text for text in (arrival.id, arrival.type, arrival.epoch)),
    ]
    if any(problems):
        raise BadEnvelope(f"rule {problems.index(True)} of the envelope")
    return arrival
