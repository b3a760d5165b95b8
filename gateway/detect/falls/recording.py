"""A whole recording, shown to the detector as a bracelet would send it.

Recordings of single movements are short: what lies before and after one is made up by bouncing over its first and last
EDGE_S, so a person who lies still at the end goes on lying, and one who claps goes on clapping. Live nothing is made
up.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.detect.falls import features, wrist
from gateway.detect.falls.forest import Forest
from gateway.detect.falls.grid import RATE_HZ
from gateway.model.finding import Finding
from gateway.model.reading import Accel
from gateway.model.time import ClockQuality, Stamp

EDGE_S = 1.5
BLOCK_S = 0.5
LEAD_S = features.BEFORE / RATE_HZ + 1
_TRAIL_S = wrist.WAIT_S + 2

Raw = NDArray[np.int16]
"""[n, 3]: x, y, z in milli-g."""


def judged(
    samples_mg: Raw, rate_hz: float, forest: Forest, block_s: float = BLOCK_S
) -> Iterator[tuple[float, float, Finding]]:
    """Yield (impact, moment of the finding, finding) of every fall found; both in seconds from the first sample."""
    lead = round(LEAD_S * rate_hz)
    whole = extended(samples_mg, rate_hz)
    size, length_s = max(1, round(block_s * rate_hz)), len(samples_mg) / rate_hz
    data = np.ascontiguousarray(whole, "<i2")
    state = wrist.State()
    for first in range(0, len(data), size):
        piece = data[first : first + size]
        now_s = (first + len(piece) - 1) / rate_hz
        at = Stamp("recording", now_s, None, ClockQuality.UNSET)
        state, findings = wrist.step(state, "recording", at, Accel(rate_hz, 16.0, first, piece.tobytes()), forest)
        for finding in findings:
            impact_s = now_s - finding.evidence["impact_ago_s"] - lead / rate_hz
            if 0 <= impact_s <= length_s:
                yield impact_s, now_s - lead / rate_hz, finding
        if first >= lead + len(samples_mg) + LEAD_S * rate_hz and not state.awaited:
            return


def extended(samples_mg: Raw, rate_hz: float) -> Raw:
    """Return the recording with made-up edges: what bouncing over its ends gives."""
    edge = max(1, min(round(EDGE_S * rate_hz), len(samples_mg) - 1))
    before = _bounced(samples_mg[::-1], round(LEAD_S * rate_hz), edge)[::-1]
    return np.concatenate([before, samples_mg, _bounced(samples_mg, round(_TRAIL_S * rate_hz), edge)])


def _bounced(samples_mg: Raw, count: int, edge: int) -> Raw:
    """Return `count` samples that follow the last one, to and fro over the last `edge`."""
    there = np.arange(1, count + 1) % (2 * edge)
    back = np.where(there <= edge, there, 2 * edge - there)
    bounced: Raw = samples_mg[np.maximum(len(samples_mg) - 1 - back, 0)]
    return bounced
