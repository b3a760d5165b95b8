"""Falls from a worn accelerometer: an impact, then another posture, held still. A pure streaming step.

Theory
    A fall that needs help has three marks that survive a wrist's free movement: a burst of strong acceleration that is
    over in a moment; gravity pointing elsewhere than before; and a wrist that then lies still for a while. The phases
    (impact, posture and stillness afterwards) are those of the published threshold detectors: Kangas et al., Gait &
    Posture 28 (2008) 285-291; Bourke et al., Gait & Posture 26 (2007) 194-199. Their limits were found for a trunk and
    for +-6 g and more; ours, for a wrist, were chosen on UMAFall and WISDM (tests/unit/detect/test_falls_on_data.py
    states the result) with every axis held to +-2 g, so that all bracelets are judged alike whatever their range.

Rules
 1. Samples of at least `burst_g`, less than `chain_s` apart, are one burst. It is a candidate if its peak reaches
    `impact_g`, it was over within `burst_s`, and the `around_s` before and after the peak were `effort_g` away from 1 g
    in the mean (a single knock on a table is not).
 2. After a candidate every window of `still_s` that begins within `from_s`..`until_s` after the burst's last sample is
    looked at, each `hop_s`: it tells a fall if the wrist is still in it (the samples' RMS distance from their mean is
    at most `still_g`) and gravity turned by at least `turn_deg` against the `before_s` that ended `apart_s` before the
    burst.
 3. Time is the sample's running number over the rate. A jump of the number leaves a hole: lost samples are nothing,
    neither impact nor stillness, and a window with too many of them tells nothing. A step back or another rate is a
    new session: everything starts anew.
 4. After a finding, `pause_s` of samples bring no second one.
"""

import math
from struct import iter_unpack, pack

import msgspec

from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel
from gateway.model.time import Stamp

_LOST = pack("<3h", -32768, -32768, -32768)  # no accelerometer of at most +-16 g says this
_LOST_MG = -32768
_SAMPLE_BYTES = 6
MIN_RATE_HZ, MAX_RATE_HZ = 15.0, 250.0
"""Rates that make sense; the detector was tuned for 20-100 Hz. Another rate is not judged at all."""


class Params(msgspec.Struct, frozen=True):
    """Limits of the detector; see the rules above for their meaning and the theory for their origin."""

    axis_g: float = 2.0  # the range of the smallest accelerometer in the field
    burst_g: float = 1.8
    chain_s: float = 1.0
    impact_g: float = 2.4
    burst_s: float = 2.5
    around_s: float = 0.75
    effort_g: float = 0.25
    before_s: float = 2.0
    apart_s: float = 0.5
    from_s: float = 0.75
    until_s: float = 4.0
    hop_s: float = 0.25
    still_s: float = 1.5
    still_g: float = 0.1
    turn_deg: float = 30.0
    pause_s: float = 10.0
    present: float = 0.6  # share of a window's samples that must have arrived
    clear_g: float = 3.3  # peak, turn and stillness at which nobody would doubt: they lift the score towards 1
    clear_deg: float = 90.0
    clear_still_g: float = 0.03


class Burst(msgspec.Struct, frozen=True):
    """One burst, by the running numbers of its samples; `window` is where the next window to look at begins."""

    first: int
    peak: int
    last: int
    window: int
    peak_mg: float  # with every axis held to axis_g
    raw_mg: float  # as measured


class State(msgspec.Struct, frozen=True):
    """What the detector remembers of one bracelet; State() before the first block.

    `recent`: the newest samples, lost ones included, of which the last has the number next_index - 1.
    `quiet_until`: no burst that peaks before this number is told.
    """

    rate_hz: float = 0.0
    next_index: int = -1
    recent: bytes = b""
    bursts: tuple[Burst, ...] = ()
    quiet_until: int = -1


DEFAULT = Params()


def step(
    state: State, device: str, at: Stamp, block: Accel, params: Params = DEFAULT
) -> tuple[State, tuple[Finding, ...]]:
    """Take one block; return what is known now and the falls that it completes. `at`: when the block arrived."""
    if not MIN_RATE_HZ <= block.rate_hz <= MAX_RATE_HZ:
        return State(), ()
    fresh = block.samples_mg[: len(block.samples_mg) // _SAMPLE_BYTES * _SAMPLE_BYTES]
    state = _joined(state, block)
    bursts = _bursts(state, fresh, params)
    return _judged(_remembered(state, fresh, bursts, params), device, at, params)


def _joined(state: State, block: Accel) -> State:
    """Return the state that the block follows without a hole: lost samples filled in, or a new session begun."""
    lost = block.first_index - state.next_index
    if state.rate_hz != block.rate_hz or not 0 <= lost <= len(state.recent) // _SAMPLE_BYTES:
        return State(rate_hz=block.rate_hz, next_index=block.first_index)
    return msgspec.structs.replace(state, recent=state.recent + _LOST * lost, next_index=block.first_index)


def _remembered(state: State, fresh: bytes, bursts: tuple[Burst, ...], params: Params) -> State:
    """Append samples and forget those that no window can reach any more."""
    p = params
    reach_s = p.before_s + p.apart_s + p.burst_s + p.chain_s + p.until_s + p.still_s
    keep = math.ceil(reach_s * state.rate_hz) * _SAMPLE_BYTES + len(fresh)
    return State(state.rate_hz, state.next_index + len(fresh) // _SAMPLE_BYTES, (state.recent + fresh)[-keep:],
                 bursts, state.quiet_until)


def _bursts(state: State, fresh: bytes, params: Params) -> tuple[Burst, ...]:
    """Return the bursts with these samples added to them."""
    found = list(state.bursts)
    limit, strong2 = round(params.axis_g * 1000), (params.burst_g * 1000) ** 2
    chain, wait = params.chain_s * state.rate_hz, math.ceil(params.from_s * state.rate_hz)
    for number, (x, y, z) in enumerate(iter_unpack("<3h", fresh), state.next_index):
        raw2 = x * x + y * y + z * z
        if raw2 < strong2:
            continue
        held_mg = math.sqrt(sum(min(abs(axis), limit) ** 2 for axis in (x, y, z)))
        here = Burst(number, number, number, number + wait, held_mg, math.sqrt(raw2))
        if found and number - found[-1].last <= chain:
            old = found.pop()
            top = here if (here.peak_mg, here.raw_mg) > (old.peak_mg, old.raw_mg) else old
            here = Burst(old.first, top.peak, number, here.window, top.peak_mg, max(old.raw_mg, here.raw_mg))
        found.append(here)
    return tuple(found)


def _judged(state: State, device: str, at: Stamp, params: Params) -> tuple[State, tuple[Finding, ...]]:
    """Look at every window that is complete by now; drop the bursts that have told a fall or have no window left."""
    rate = state.rate_hz
    still, hop = round(params.still_s * rate), max(1, round(params.hop_s * rate))
    kept: list[Burst] = []
    findings: list[Finding] = []
    quiet_until = state.quiet_until
    for burst in state.bursts:
        if state.next_index - burst.last <= params.chain_s * rate:
            kept.append(burst)  # it may still grow
            continue
        if burst.peak < quiet_until or not _candidate(state, burst, params):
            continue
        window, end = burst.window, burst.last + math.ceil(params.until_s * rate)
        finding = None
        while finding is None and window <= end and window + still <= state.next_index:
            finding = _fall(state, burst, window, window + still, device, at, params)
            window += hop
        if finding is not None:
            findings.append(finding)
            quiet_until = burst.peak + round(params.pause_s * rate)
        elif window <= end:
            kept.append(msgspec.structs.replace(burst, window=window))
    return msgspec.structs.replace(state, bursts=tuple(kept), quiet_until=quiet_until), tuple(findings)


def _candidate(state: State, burst: Burst, params: Params) -> bool:
    """Rule 1 for a burst that is over."""
    rate = state.rate_hz
    if burst.peak_mg < params.impact_g * 1000 or burst.last - burst.first > params.burst_s * rate:
        return False
    around = round(params.around_s * rate)
    samples = _window(state, burst.peak - around, burst.peak + around + 1, params)
    return sum(abs(math.hypot(*sample) - 1000) for sample in samples) >= params.effort_g * 1000 * max(1, len(samples))


def _fall(
    state: State, burst: Burst, begin: int, end: int, device: str, at: Stamp, params: Params
) -> Finding | None:
    """Rule 2 for one window: the finding, if it tells a fall."""
    rate = state.rate_hz
    apart = burst.first - round(params.apart_s * rate)
    before = _window(state, apart - round(params.before_s * rate), apart, params)
    after = _window(state, begin, end, params)
    if len(before) < 2 or len(after) < params.present * (end - begin):
        return None
    still_mg, gravity = _rest(after)
    turn_deg = _angle_deg(_rest(before)[1], gravity)
    if still_mg > params.still_g * 1000 or turn_deg < params.turn_deg:
        return None
    peak_g, ago_s = burst.peak_mg / 1000, (state.next_index - burst.peak) / rate
    score = 0.5 + (_beyond(peak_g, params.impact_g, params.clear_g)
                   + _beyond(turn_deg, params.turn_deg, params.clear_deg)
                   + _beyond(still_mg / 1000, params.still_g, params.clear_still_g)) / 6
    return Finding(
        FindingKind.FALL, device, at, round(score, 3),
        f"a blow of {burst.raw_mg / 1000:.1f} g, then lying still, turned by {turn_deg:.0f} degrees",
        {"peak_g": round(burst.raw_mg / 1000, 3), "posture_change_deg": round(turn_deg, 1),
         "still_g": round(still_mg / 1000, 4), "still_s": params.still_s, "impact_ago_s": round(ago_s, 3)},
    )


def _window(state: State, begin: int, end: int, params: Params) -> list[tuple[int, ...]]:
    """Return the samples numbered begin..end that arrived and are remembered, in milli-g, each axis held to axis_g."""
    limit = round(params.axis_g * 1000)
    oldest = state.next_index - len(state.recent) // _SAMPLE_BYTES
    low, high = max(begin - oldest, 0), max(end - oldest, 0)
    piece = state.recent[low * _SAMPLE_BYTES : high * _SAMPLE_BYTES]
    return [tuple(max(-limit, min(limit, axis)) for axis in sample)
            for sample in iter_unpack("<3h", piece) if sample[0] != _LOST_MG]


def _rest(samples: list[tuple[int, ...]]) -> tuple[float, tuple[float, ...]]:
    """Return the RMS distance of the samples from their mean, and the mean: in rest that is gravity."""
    count = len(samples)
    mean = tuple(sum(axis) / count for axis in zip(*samples, strict=True))
    spread2 = sum(sum((value - middle) ** 2 for value, middle in zip(sample, mean, strict=True)) for sample in samples)
    return math.sqrt(spread2 / count), mean


def _angle_deg(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the angle between two vectors; 0 where one has no direction."""
    lengths = math.hypot(*one) * math.hypot(*other)
    cosine = sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 1.0
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _beyond(value: float, limit: float, clear: float) -> float:
    """Return how far a value is past its limit: 0 at the limit, 1 where nobody would doubt."""
    return max(0.0, min(1.0, (value - limit) / (clear - limit)))
