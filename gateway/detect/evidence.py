"""Evidence: the newest seconds of a wearer, and of them what belongs to a fall, once it is complete. Pure.

Rules
 1. Remembered are RING_S of acceleration, in chunks of a second or less, and of heart rate. RING_BYTES, CHUNKS and
    BEATS bound it whatever a bracelet sends.
 2. A sample's time is its running number over the rate, on a scale of the wearer's own. A jump of the number is a hole.
    A step back or another rate is a new session, unless the newest block just came twice. Of a session's first sample
    only the arrival is known, so it lies as long after the one before as the two blocks at the seam arrived apart.
 3. A fall opens a capture, from BEFORE_S before its impact to AFTER_S after it; a finding that tells no impact_ago_s is
    taken for the impact itself. The same alarm's next finding opens another capture only if its impact lies outside.
 4. A capture is complete with the sample at its end, or WAIT_S after the finding: the bracelet is lost, what there is
    is kept, and what is not there is a hole. It ends with the next reading or tick, never with the finding itself, so
    that whoever told the finding can note first that evidence is awaited.
"""

import math

import msgspec

from gateway.model.evidence import AFTER_S, BEFORE_S, Evidence, HeartRate, Piece, lacking, largest_g
from gateway.model.finding import Finding
from gateway.model.reading import SAMPLE_BYTES, Accel, Quantity, QuantityKind, Reading
from gateway.model.time import Stamp, earlier

RING_S = 45.0
"""A finding comes up to 25 s after the impact, the capture begins 10 s before it; a block may be 5 s on its way."""
WAIT_S = 20.0
MAX_RATE_HZ = 250.0
CHUNK_S = 1.0
CHUNKS = 256
BEATS = 128
RING_BYTES = int((RING_S + BEFORE_S) * MAX_RATE_HZ) * SAMPLE_BYTES
NO_SAMPLES = "the bracelet sent no samples around the fall"


class Tick(msgspec.Struct, frozen=True):
    """Time went on."""

    at: Stamp


class Fell(msgspec.Struct, frozen=True):
    """A detector found a fall of this wearer: it raised or repeated `alarm`. `id`: the finding's, unique for ever."""

    finding: Finding
    alarm: str
    id: str


Input = Reading | Tick | Fell


class Chunk(msgspec.Struct, frozen=True):
    """Consecutive samples. `first_s`: of the first, on the wearer's scale; `mono_s`: the newest block's arrival."""

    first_s: float
    rate_hz: float
    full_scale_g: float
    first_index: int
    samples_mg: bytes
    mono_s: float

    @property
    def n(self) -> int:
        return len(self.samples_mg) // SAMPLE_BYTES

    @property
    def end_s(self) -> float:
        return self.first_s + self.n / self.rate_hz


class Beat(msgspec.Struct, frozen=True):
    """One heart rate."""

    mono_s: float
    per_min: float
    plausible: bool


class Capture(msgspec.Struct, frozen=True):
    """Evidence that is awaited. `impact_s`: on the wearer's scale; `due_mono_s`: then it is waited for no more."""

    evidence: Evidence
    impact_s: float
    due_mono_s: float


class State(msgspec.Struct, frozen=True):
    """One wearer's; State() before the first reading. `last`: the newest capture that ended."""

    chunks: tuple[Chunk, ...] = ()
    beats: tuple[Beat, ...] = ()
    open: tuple[Capture, ...] = ()
    last: Capture | None = None


def step(state: State, happened: Input) -> tuple[State, tuple[Evidence, ...]]:
    """Take a reading of the wearer, a tick or a fall; return what is known now and the evidence that it completes."""
    match happened:
        case Fell():
            return _opened(state, happened), ()
        case Reading(at=at, value=Accel() as block):
            state = _remembered(state, at, block)
        case Reading(at=at, value=Quantity(kind=QuantityKind.HEART_RATE) as heart) if state.chunks:
            beat = Beat(at.mono_s, heart.value, heart.plausible)
            since_s = _since_s(state, at)
            kept = [old for old in state.beats if old.mono_s >= since_s]
            state = msgspec.structs.replace(state, beats=(*kept, beat)[-BEATS:])
    return _ended(state, happened.at) if state.open else (state, ())


def _remembered(state: State, at: Stamp, block: Accel) -> State:
    """Rules 1 and 2."""
    if not (block.n and 0 < block.rate_hz <= MAX_RATE_HZ) or _said_already(state, block):
        return state
    since_s = _since_s(state, at)
    chunks = [chunk for chunk in _joined(state.chunks, at, block) if chunk.mono_s >= since_s]
    chunks, size = chunks[-CHUNKS:], 0
    for place in reversed(range(len(chunks))):
        size += len(chunks[place].samples_mg)
        if size > RING_BYTES:
            chunks = chunks[place + 1 :]
            break
    return msgspec.structs.replace(state, chunks=tuple(chunks))


def _joined(chunks: tuple[Chunk, ...], at: Stamp, block: Accel) -> tuple[Chunk, ...]:
    first, rate, samples = block.first_index, block.rate_hz, block.samples_mg[: block.n * SAMPLE_BYTES]
    if len(samples) > RING_BYTES:
        first += (len(samples) - RING_BYTES) // SAMPLE_BYTES
        samples = samples[-RING_BYTES:]
    last = chunks[-1] if chunks else None
    if last is None:
        first_s = 0.0
    elif last.rate_hz == rate and first >= last.first_index + last.n:
        first_s = last.first_s + (first - last.first_index) / rate
    else:
        began_mono_s = at.mono_s - len(samples) / SAMPLE_BYTES / rate
        first_s = last.end_s + max(0.0, began_mono_s - last.mono_s)
    chunk = Chunk(first_s, rate, block.full_scale_g, first, samples, at.mono_s)
    if last is not None and _goes_on(last, chunk) and last.n < CHUNK_S * rate:
        longer = msgspec.structs.replace(last, samples_mg=last.samples_mg + samples, mono_s=at.mono_s)
        return (*chunks[:-1], longer)
    return (*chunks, chunk)


def _since_s(state: State, now: Stamp) -> float:
    """From when on readings are remembered: whatever an open capture needs stays."""
    return min([now.mono_s - RING_S, *(capture.evidence.at.mono_s - BEFORE_S for capture in state.open)])


def _opened(state: State, fell: Fell) -> State:
    """Rule 3. A wearer of whom there are no samples has no evidence."""
    if not state.chunks:
        return state
    finding, newest = fell.finding, state.chunks[-1]
    ago_s = finding.evidence.get("impact_ago_s", 0.0)
    at = earlier(finding.at, ago_s)
    known = [capture.evidence for capture in (*state.open, state.last) if capture is not None]
    if any(old.alarm == fell.alarm and -BEFORE_S <= at.mono_s - old.at.mono_s <= AFTER_S for old in known):
        return state
    since_newest_s = finding.at.mono_s - newest.mono_s
    impact_s = newest.end_s - round((ago_s - since_newest_s) * newest.rate_hz) / newest.rate_hz
    awaited = Evidence(fell.id, fell.alarm, finding.device, at, finding.words, finding.evidence.get("peak_g", 0.0))
    return msgspec.structs.replace(
        state, open=(*state.open, Capture(awaited, impact_s, finding.at.mono_s + WAIT_S)))


def _ended(state: State, now: Stamp) -> tuple[State, tuple[Evidence, ...]]:
    """Rule 4."""
    newest = state.chunks[-1]
    half_s = 0.5 / newest.rate_hz
    over = [capture for capture in state.open if newest.end_s >= capture.impact_s + AFTER_S - half_s
            or now.mono_s >= capture.due_mono_s]
    if not over:
        return state, ()
    left = tuple(capture for capture in state.open if capture not in over)
    return (msgspec.structs.replace(state, open=left, last=over[-1]),
            tuple(_complete(state, capture) for capture in over))


def _complete(state: State, capture: Capture) -> Evidence:
    """The evidence with what the ring holds of it."""
    pieces: list[Piece] = []
    samples: list[bytes] = []
    follows: Chunk | None = None  # the chunk before
    for chunk in state.chunks:
        offset_s = chunk.first_s - capture.impact_s
        begin = max(0, math.ceil(round((-BEFORE_S - offset_s) * chunk.rate_hz, 3)))
        end = min(chunk.n, math.ceil(round((AFTER_S - offset_s) * chunk.rate_hz, 3)))
        if begin >= end:
            continue
        samples.append(chunk.samples_mg[begin * SAMPLE_BYTES : end * SAMPLE_BYTES])
        if follows is not None and _goes_on(follows, chunk):
            pieces[-1] = msgspec.structs.replace(pieces[-1], n=pieces[-1].n + end - begin)
        else:
            first_s = round(offset_s + begin / chunk.rate_hz, 6)
            pieces.append(Piece(first_s, chunk.rate_hz, chunk.full_scale_g, end - begin))
        follows = chunk
    if not pieces:
        return lacking(capture.evidence, NO_SAMPLES)
    impact_mono_s, all_samples = capture.evidence.at.mono_s, b"".join(samples)
    heart = tuple(HeartRate(round(beat.mono_s - impact_mono_s, 3), beat.per_min, beat.plausible)
                  for beat in state.beats if -BEFORE_S <= beat.mono_s - impact_mono_s <= AFTER_S)
    return msgspec.structs.replace(capture.evidence, pieces=tuple(pieces), samples_mg=all_samples, heart=heart,
                                   peak_g=largest_g(all_samples))


def _said_already(state: State, block: Accel) -> bool:
    """Tell whether the newest block came once more: a link's repeat is no new session."""
    if not state.chunks:
        return False
    newest, end = state.chunks[-1], block.first_index + block.n
    return newest.rate_hz == block.rate_hz and newest.first_index + newest.n == end and newest.samples_mg.endswith(
        block.samples_mg)


def _goes_on(before: Chunk, chunk: Chunk) -> bool:
    """Tell whether a chunk follows on another without a hole, in the same session."""
    return (before.rate_hz, before.full_scale_g, before.first_index + before.n) == (
        chunk.rate_hz, chunk.full_scale_g, chunk.first_index)
