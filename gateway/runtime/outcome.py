"""What comes of a reading or of passing time, before the pipeline has given it an id and a place on disk."""

from typing import Any

import msgspec

from gateway.model.event import Lane
from gateway.model.evidence import Evidence
from gateway.model.finding import Finding
from gateway.model.reading import Reading
from gateway.model.time import Stamp


class Draft(msgspec.Struct, frozen=True):
    """An event that is still without an id."""

    type: str
    lane: Lane
    subject: str
    at: Stamp
    data: dict[str, Any]


class Outcome(msgspec.Struct):
    """What came of a reading or a tick. `aloud`: spot checks that are said to whoever measured."""

    findings: list[Finding] = []
    drafts: list[Draft] = []
    evidence: list[Evidence] = []
    aloud: list[Reading] = []
