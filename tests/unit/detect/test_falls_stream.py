"""What must hold of the fall detector however its blocks are cut, late, lost, doubled, renumbered or spoilt.

Findings are compared by the moment of the impact and the score; what the detector does inside is its own business.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel
from hil.devices.bracelet import motion
from tests.bench.falls import product
from tests.unit.detect.stamps import at

RATE_HZ = float(motion.RATE_HZ)
BLOCK = motion.RATE_HZ // 2
NEAR_S = 1.0  # the impact's moment is that of its strongest sample, which may lie beside the middle of the blow
RATES_HZ = (-1.0, 0.0, 1e-9, 5.0, 25.0, RATE_HZ, 100.0, 1e9, math.inf, math.nan)

Told = list[tuple[float, float]]
"""(impact in seconds from sample 0, score)."""


@dataclass(frozen=True)
class Worn:
    """int16 [n, 3] in milli-g, and when the impact is, if there is one."""

    samples: motion.Samples
    impact_s: float = math.nan


def fallen(seed: int = 0) -> Worn:
    random = np.random.default_rng(seed)
    walked, fell = motion.walk(8.0, random).samples, motion.fall(random)
    return Worn(np.concatenate([walked, fell.samples]), (len(walked) + (fell.impact or 0)) / RATE_HZ)


def restless(seed: int) -> Worn:
    """A fall after which the arm goes on moving for 1-3 s: whether and when it is found is left open."""
    worn, random = fallen(seed), np.random.default_rng(seed)
    first, count = round((worn.impact_s + 1.2) * RATE_HZ), motion.RATE_HZ * (1 + seed % 3)
    moving = worn.samples.astype(float)
    moving[first : first + count] += random.normal(0, 250, (count, 3))
    return Worn(np.clip(moving, -8000, 7999).astype(np.int16), worn.impact_s)


def harmless() -> motion.Samples:
    """Postures one after another, with nothing between them that would tell how one came from this to that."""
    random = np.random.default_rng(0)
    rests = [motion.still(posture, 4.0, random) for posture in (motion.HANGING, motion.LYING, motion.ON_LAP)]
    return np.concatenate([*rests, motion.walk(4.0, random).samples, *rests])


def cut(samples: motion.Samples, sizes: Sequence[int] = (BLOCK,)) -> Iterator[Accel]:
    """Cut into blocks of these sizes, over and over."""
    first = place = 0
    while first < len(samples):
        piece = samples[first : first + sizes[place % len(sizes)]]
        yield Accel(RATE_HZ, 8.0, first, piece.astype("<i2").tobytes())
        first, place = first + len(piece), place + 1


def findings(blocks: Iterable[Accel], gaps_s: Sequence[float] = (0.5,)) -> Iterator[tuple[float, Finding]]:
    """(impact, finding) of blocks that arrive with such gaps between them."""
    state, now_s = product.State(), 0.0
    for place, block in enumerate(blocks):
        now_s += gaps_s[place % len(gaps_s)]
        state, found = product.step(state, block, at(now_s))
        end = block.first_index + block.n
        yield from ((end / block.rate_hz - finding.evidence["impact_ago_s"], finding) for finding in found)


def told(blocks: Iterable[Accel], gaps_s: Sequence[float] = (0.5,)) -> Told:
    return [(impact_s, finding.score) for impact_s, finding in findings(blocks, gaps_s)]


def same(one: Told, other: Told) -> bool:
    """`impact_ago_s` is rounded to a millisecond."""
    return len(one) == len(other) and all(
        a == pytest.approx(b, abs=0.002) for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True))


FALLEN = [fallen(seed) for seed in range(4)]
WORN = [*FALLEN, *(restless(seed) for seed in range(3))]
falls, any_worn = st.integers(0, len(FALLEN) - 1), st.integers(0, len(WORN) - 1)


@cache
def known(fall: int) -> Told:
    """What is told of one of WORN whose blocks are well."""
    return told(cut(WORN[fall].samples))


@pytest.mark.parametrize("fall", range(len(FALLEN)))
def test_each_fall_of_these_tests_is_found_once_where_it_was(fall: int) -> None:
    ((impact_s, _),) = known(fall)
    assert impact_s == pytest.approx(FALLEN[fall].impact_s, abs=NEAR_S)


@given(any_worn, st.lists(st.integers(1, 400), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_how_the_samples_are_cut_into_blocks_does_not_matter(fall: int, sizes: list[int]) -> None:
    assert same(told(cut(WORN[fall].samples, sizes)), known(fall))


@given(falls, st.lists(st.sampled_from([0.0, 0.001, 0.002, 0.5, 7.0, 3600.0]), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_when_the_blocks_arrive_does_not_matter(fall: int, gaps_s: list[float]) -> None:
    assert same(told(cut(FALLEN[fall].samples), gaps_s), known(fall))


class Fate(msgspec.Struct, frozen=True):
    """What becomes of a block, and of the numbers and the rate from it on."""

    copies: int = 1
    anew: bool = False
    rate_hz: float = RATE_HZ


def spoilt(blocks: Iterable[Accel], fates: Sequence[Fate]) -> Iterator[Accel]:
    """Lose, double and renumber blocks, each by its fate; those beyond the last fate are well."""
    begin, rate_hz = 0, RATE_HZ
    for place, block in enumerate(blocks):
        fate = fates[place] if place < len(fates) else Fate(rate_hz=rate_hz)
        rate_hz = fate.rate_hz
        begin = block.first_index if fate.anew else begin
        yield from [Accel(rate_hz, 8.0, block.first_index - begin, block.samples_mg)] * fate.copies


copies = st.sampled_from([1] * 6 + [0, 2])
lost_or_doubled = st.builds(Fate, copies)
spoiling = st.builds(
    Fate, copies, st.sampled_from([False] * 6 + [True]), st.sampled_from([RATE_HZ] * 6 + [26.0, 104.0]))


@given(st.lists(lost_or_doubled, max_size=60), st.integers(10, 60))
@settings(max_examples=100, deadline=None)
def test_blocks_lost_or_doubled_are_no_blow(fates: list[Fate], size: int) -> None:
    assert told(spoilt(cut(harmless(), [size]), fates)) == []


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_hole_between_two_postures_is_no_blow(lost: int) -> None:
    blocks = list(cut(harmless(), [4]))
    for posture in range(1, 7):
        hole = range(posture * 52 - lost // 2, posture * 52 - lost // 2 + lost)
        assert told(block for place, block in enumerate(blocks) if place not in hole) == []


@given(st.lists(spoiling, max_size=60), st.integers(10, 60))
@settings(max_examples=100, deadline=None)
def test_a_new_connection_and_another_rate_are_no_blow(fates: list[Fate], size: int) -> None:
    assert told(spoilt(cut(harmless(), [size]), fates)) == []


@given(falls, st.integers(0, 100), st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_a_blow_before_a_new_connection_is_none_after_it(fall: int, seen: int, turn_s: float) -> None:
    """The new numbers reach that of the old blow while the wrist comes to lie without one."""
    worn, random = FALLEN[fall], np.random.default_rng(0)
    fell = worn.samples[: round(worn.impact_s * RATE_HZ) + seen]
    calm = np.concatenate([motion.still(motion.HANGING, worn.impact_s + turn_s, random),
                           motion.still(motion.LYING, 10.0, random)])
    impacts_s = [impact_s for impact_s, _ in told([*cut(fell), *cut(calm)])][len(told(cut(fell))):]
    assert all(impact_s < 0 for impact_s in impacts_s)


@given(falls, st.sampled_from([20.0, 26.0, 104.0]))
@settings(max_examples=20, deadline=None)
def test_a_fall_after_a_change_of_rate_is_found_where_it_was(fall: int, rate_hz: float) -> None:
    before = [msgspec.structs.replace(block, rate_hz=rate_hz) for block in cut(harmless())]
    shift = len(harmless())
    after = [msgspec.structs.replace(block, first_index=block.first_index + shift) for block in cut(WORN[fall].samples)]
    ((impact_s, _),) = told([*before, *after])
    assert impact_s - shift / RATE_HZ == pytest.approx(known(fall)[0][0], abs=0.1)


@given(falls, st.lists(lost_or_doubled, max_size=40), st.integers(5, 60))
@settings(max_examples=100, deadline=None)
def test_of_a_fall_with_blocks_lost_or_doubled_no_second_one_is_made(fall: int, fates: list[Fate], size: int) -> None:
    worn = FALLEN[fall]
    impacts_s = [impact_s for impact_s, _ in told(spoilt(cut(worn.samples, [size]), fates))]
    assert len(impacts_s) <= 1
    assert all(abs(impact_s - worn.impact_s) <= NEAR_S for impact_s in impacts_s)


@given(falls, st.integers(0, 7))
@settings(max_examples=20, deadline=None)
def test_a_block_that_is_lost_long_before_the_fall_changes_nothing(fall: int, place: int) -> None:
    fates = [Fate(copies=int(number != place)) for number in range(8)]
    ((impact_s, _),) = told(spoilt(cut(FALLEN[fall].samples), fates))
    assert impact_s == pytest.approx(known(fall)[0][0], abs=0.04)  # a session that begins later has its own grid


rubbish = st.builds(Accel, st.sampled_from(RATES_HZ), st.sampled_from([0.0, 2.0, 16.0, math.nan]),
                    st.one_of(st.integers(0, 500), st.integers(0, 2**62)), st.binary(max_size=700))


@given(st.lists(rubbish, max_size=30))
@settings(max_examples=200, deadline=None)
def test_nothing_that_arrives_raises_and_what_is_found_in_it_is_well_formed(blocks: list[Accel]) -> None:
    state = product.State()
    for block in blocks:
        state, found = product.step(state, block, at(0))
        for finding in found:
            assert finding.kind is FindingKind.FALL
            assert 0 <= finding.score <= 1
            assert all(math.isfinite(value) for value in finding.evidence.values())


@given(falls, st.lists(rubbish, max_size=10))
@settings(max_examples=40, deadline=None)
def test_a_fall_is_found_whatever_came_before_the_connection(fall: int, blocks: list[Accel]) -> None:
    state = product.State()
    for block in [*blocks, Accel(RATE_HZ, 8.0, 2**40, b"")]:  # so that sample 0 is a step back
        state, _ = product.step(state, block, at(0))
    impacts_s = []
    for block in cut(FALLEN[fall].samples):
        state, found = product.step(state, block, at(0))
        end_s = (block.first_index + block.n) / RATE_HZ
        impacts_s += [end_s - finding.evidence["impact_ago_s"] for finding in found]
    assert impacts_s == pytest.approx([impact_s for impact_s, _ in known(fall)], abs=0.002)


@given(falls, st.binary(min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_half_a_sample_at_the_end_of_a_block_is_left_out(fall: int, rest: bytes) -> None:
    torn = (Accel(RATE_HZ, 8.0, block.first_index, block.samples_mg + rest) for block in cut(FALLEN[fall].samples))
    assert same(told(torn), known(fall))


@pytest.mark.parametrize("rate_hz", [rate_hz for rate_hz in RATES_HZ if not 15 <= rate_hz <= 250])
def test_a_rate_that_makes_no_sense_is_not_judged(rate_hz: float) -> None:
    blocks = (Accel(rate_hz, 8.0, block.first_index, block.samples_mg) for block in cut(FALLEN[0].samples))
    state = product.State()
    for block in blocks:
        state, found = product.step(state, block, at(0))
        assert found == ()
