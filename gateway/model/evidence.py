"""Evidence of a fall: what the bracelet measured around the impact, by which people judge the alarm afterwards."""

import math
from collections.abc import Iterator
from itertools import pairwise
from struct import iter_unpack

import msgspec

from gateway.model.reading import SAMPLE_BYTES
from gateway.model.time import Stamp

BEFORE_S, AFTER_S = 10.0, 20.0
"""From so long before the impact to so long after it."""

Span = tuple[float, float]
"""From and to, in seconds from the impact."""


class Piece(msgspec.Struct, frozen=True):
    """Samples without a hole in one rate: `n` of them, the first `first_s` seconds from the impact."""

    first_s: float
    rate_hz: float
    full_scale_g: float
    n: int

    @property
    def end_s(self) -> float:
        return self.first_s + self.n / self.rate_hz


class HeartRate(msgspec.Struct, frozen=True):
    """One value, by its arrival, in seconds from the impact."""

    at_s: float
    per_min: float
    plausible: bool


class Evidence(msgspec.Struct, frozen=True):
    """The acceleration and heart rate around one fall; awaited, kept (it has pieces) or missing (and why).

    `id`: of the finding, unique for ever; `alarm`: the alarm's that it raised or repeated. `at`: the impact.
    `samples_mg`: the samples of all pieces, one after another: int16 little-endian x, y, z in milli-g.
    `peak_g`: the largest among them; as long as there are none, what the finding told.
    """

    id: str
    alarm: str
    device: str
    at: Stamp
    words: str
    peak_g: float
    pieces: tuple[Piece, ...] = ()
    samples_mg: bytes = b""
    heart: tuple[HeartRate, ...] = ()
    missing: str = ""

    @property
    def awaited(self) -> bool:
        return not self.pieces and not self.missing

    def holes(self) -> list[Span]:
        """Where samples should be and are not, in seconds from the impact; to a whole sample at the two edges."""
        if not self.pieces:
            return [(-BEFORE_S, AFTER_S)]
        sample_s = 1 / min(piece.rate_hz for piece in self.pieces)
        ends = [-BEFORE_S, *(piece.end_s for piece in self.pieces)]
        begins = [*(piece.first_s for piece in self.pieces), AFTER_S]
        least_s = [sample_s, *[sample_s / 2] * (len(self.pieces) - 1), sample_s]
        return [(round(end_s, 3), round(begin_s, 3))
                for end_s, begin_s, more_s in zip(ends, begins, least_s, strict=True) if begin_s - end_s > more_s]

    def samples(self) -> Iterator[tuple[Piece, bytes]]:
        """Each piece with its samples."""
        cuts = [0]
        for piece in self.pieces:
            cuts.append(cuts[-1] + piece.n * SAMPLE_BYTES)
        for piece, (begin, end) in zip(self.pieces, pairwise(cuts), strict=True):
            yield piece, self.samples_mg[begin:end]


def lacking(evidence: Evidence, why: str) -> Evidence:
    """The evidence of which there are no samples, and why."""
    return msgspec.structs.replace(evidence, pieces=(), samples_mg=b"", heart=(), missing=why)


def thinned(evidence: Evidence, every: int) -> Evidence:
    """Every so many-th sample of each piece alone, the impact's among them; peak_g stays that of all."""
    pieces, samples = [], []
    for piece, values in evidence.samples():
        begin = round(-piece.first_s * piece.rate_hz) % every if piece.first_s <= 0 < piece.end_s else 0
        if begin >= piece.n:
            continue
        left = b"".join(values[i * SAMPLE_BYTES : (i + 1) * SAMPLE_BYTES] for i in range(begin, piece.n, every))
        pieces.append(Piece(piece.first_s + begin / piece.rate_hz, piece.rate_hz / every, piece.full_scale_g,
                            len(left) // SAMPLE_BYTES))
        samples.append(left)
    return msgspec.structs.replace(evidence, pieces=tuple(pieces), samples_mg=b"".join(samples))


def largest_g(samples_mg: bytes) -> float:
    """The largest size of acceleration among samples, 0 where there are none."""
    largest2 = max((x * x + y * y + z * z for x, y, z in iter_unpack("<3h", samples_mg)), default=0)
    return round(math.sqrt(largest2) / 1000, 4)
