"""What the city gets of a fall's evidence: one event, in the event lane, so that it never stands before an alarm. Pure.

It tells of an alarm and is none of the alarm's events: nothing of it moves the alarm's state, and an alarm that the
resident cancelled has its evidence all the same.
"""

import zlib
from base64 import b64encode
from typing import Any

import msgspec

from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence, thinned

DATA_BYTES = 46 * 1024
"""Of JSON: with its envelope, of less than 2 KiB, the event stays within one batch (sync/batch.py: 48 KiB)."""


def told(evidence: Evidence) -> Event:
    """The event that tells evidence which is kept or missing; its id is the same at each telling."""
    every, content = 1, data(evidence, 1)
    while evidence.pieces and len(msgspec.json.encode(content)) > DATA_BYTES:
        every *= 2
        content = data(thinned(evidence, every), every)
    return Event(f"{evidence.id}.evidence", EventType.FALL_EVIDENCE, Lane.EVENT, evidence.device, evidence.at, content)


def data(evidence: Evidence, every: int) -> dict[str, Any]:
    """Data of the event; `every`: how far the samples were thinned."""
    return {
        "alarm": evidence.alarm,
        "device": evidence.device,
        "words": evidence.words,
        "peak_g": evidence.peak_g,
        "thinned": every,
        "pieces": [msgspec.to_builtins(piece) for piece in evidence.pieces],
        "samples": b64encode(zlib.compress(evidence.samples_mg)).decode() if evidence.pieces else "",
        "heart_rate": [msgspec.to_builtins(beat) for beat in evidence.heart],
        "holes": [list(hole) for hole in evidence.holes()],
        "missing": evidence.missing,
    }
