"""The city's reading of docs/protocol.md: bytes of an `up` topic -> Arrivals. Written from the document alone."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

LANES = ("alarm", "event", "telemetry")
_ZLIB, _ARRAY = b"\x78", b"["
_INFLATED_BYTES = 2**20


class BadEnvelope(Exception):
    """Not what the document describes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as it arrived. `body`: the whole envelope as text. `first`: a gap record for the numbers first..seq."""

    gateway: str
    id: str
    type: str
    lane: str
    epoch: str
    seq: int
    settled: int
    body: str
    first: int | None = None


def read_all(topic: str, payload: bytes) -> tuple[list[Arrival], int]:
    """Return the events of one publication, and how many envelopes of it are none. Each stands for itself."""
    arrivals: list[Arrival] = []
    bad = 0
    try:
        envelopes = _unpack(payload)
    except (ValueError, RecursionError, zlib.error):
        return [], 1
    for fields, body in envelopes:
        try:
            arrivals.append(_arrival(topic, fields, body))
        except BadEnvelope:
            bad += 1
    return arrivals, bad


def read(topic: str, payload: bytes) -> Arrival:
    """Return the event of a publication that carries one. Raises BadEnvelope."""
    try:
        ((fields, body),) = _unpack(payload)
    except (ValueError, RecursionError, zlib.error) as error:
        raise BadEnvelope(f"{type(error).__name__}: {error}") from error
    return _arrival(topic, fields, body)


def _unpack(payload: bytes) -> list[tuple[Any, str]]:
    """Return each envelope with its text; the first byte tells how they travel. Raises ValueError and zlib.error."""
    if payload[:1] == _ZLIB:
        inflater = zlib.decompressobj()
        payload = inflater.decompress(payload, _INFLATED_BYTES)
        if not inflater.eof:
            raise ValueError("cut short, or too large")
    body = payload.decode()
    found: Any = json.loads(body)
    return [(fields, json.dumps(fields)) for fields in found] if payload[:1] == _ARRAY else [(found, body)]


def _arrival(topic: str, fields: Any, body: str) -> Arrival:
    levels = topic.split("/")
    if len(levels) != 5 or levels[:2] != ["anju", "v1"] or levels[3] != "up" or levels[4] not in LANES:
        raise BadEnvelope(f"topic {topic}")
    try:
        arrival = Arrival(levels[2], fields["id"], fields["type"], fields["lane"], fields["epoch"],
                          int(fields["sequence"]), int(fields["settledupto"]), body,
                          int(fields["sequencefrom"]) if "sequencefrom" in fields else None)
    except (ValueError, KeyError, TypeError) as error:
        raise BadEnvelope(f"{type(error).__name__}: {error}") from error
    problems = [
        fields.get("specversion") != "1.0",
        fields.get("source") != f"anju/{arrival.gateway}",
        fields.get("datacontenttype") != "application/json",
        arrival.lane != levels[4],
        arrival.seq < 1 or arrival.settled < 0,
        arrival.first is not None and not 1 <= arrival.first <= arrival.seq,
        not isinstance(fields.get("data"), dict),
        not all(isinstance(text, str) and text for text in (arrival.id, arrival.type, arrival.epoch)),
    ]
    if any(problems):
        raise BadEnvelope(f"rule {problems.index(True)} of the envelope")
    return arrival

