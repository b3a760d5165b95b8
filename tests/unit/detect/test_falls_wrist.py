"""The rules of falls at the wrist, each by a wrist that keeps or breaks it and a forest that says what it is told to.

The forest here gives an impact its height less IMPACT_G as score: one of HARD is told at once, one of SOFT is awaited,
one of LIGHT is none.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect import falls
from gateway.detect.falls import Forest, Stage, features
from gateway.detect.falls.features import Vector
from gateway.detect.falls.grid import HOLE_S, RATE_HZ
from gateway.detect.falls.wrist import IMPACT_G, PAUSE_S, RECOVERED_S, SAME_DEG, SHOWN, SILENT_S, WAIT_S
from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.reading import Accel
from tests.unit.detect.stamps import at
from tests.unit.detect.wrist import HANGING, LYING, Wrist

HARD, SOFT, LIGHT = IMPACT_G + 0.95, IMPACT_G + 0.5, IMPACT_G + 0.2
SWING_G = 0.25  # of an arm whose use is no impact
ASIDE = (0.1, -0.97, 0.2)
WINDOW_S = features.AFTER / RATE_HZ
PEAK = features.NAMES.index("peak_g")


class Saying(Forest, frozen=True):
    """A forest that says `says` of a vector, and keeps what it was asked."""

    says: Callable[[Vector], float] = lambda vector: float(vector[PEAK]) - IMPACT_G
    asked: list[Vector] = msgspec.field(default_factory=list)

    def score(self, vector: Vector) -> float:
        self.asked.append(vector)
        return self.says(vector)


class Told(NamedTuple):
    """`impact_s`, `told_s`: from the session's first sample, by the samples' numbers."""

    impact_s: float
    told_s: float
    finding: Finding


def saying(says: Callable[[Vector], float] | None = None) -> Saying:
    none = np.empty(0)
    bare = Saying(0.9, 0.35, 0, {}, *[none] * 6)
    return bare if says is None else msgspec.structs.replace(bare, says=says)


def shown(blocks: Iterable[Accel], forest: Forest | None = None) -> tuple[falls.State, list[Told]]:
    """Show blocks as they come; return what is known then, and what was told."""
    state, told, forest = falls.State(), [], forest or saying()
    for block in blocks:
        end_s = (block.first_index + block.n) / block.rate_hz
        state, found = falls.step(state, "bracelet", at(end_s), block, forest)
        told += [Told(end_s - one.evidence["impact_ago_s"] - 1 / block.rate_hz, end_s, one) for one in found]
    return state, told


def told_of(wrist: Wrist, forest: Forest | None = None) -> list[Told]:
    return shown(wrist.blocks(), forest)[1]


def asked_of(wrist: Wrist) -> list[float]:
    """The heights of the impacts that the forest was asked about, in g."""
    forest = saying()
    told_of(wrist, forest)
    return [round(float(vector[PEAK]), 2) for vector in forest.asked]


def standing(seconds: float = 6.0) -> Wrist:
    return Wrist(50).rest(seconds, HANGING)


def without(wrist: Wrist, from_s: float, upto_s: float) -> list[Accel]:
    """The wrist's blocks of a tenth of a second, without those that begin in this time."""
    return [block for block in wrist.blocks(5) if not from_s - 1e-9 <= block.first_index / 50 < upto_s - 1e-9]


# -- 1: candidates ---------------------------------------------------------------------------------------------------


def test_what_is_no_impact_is_not_even_scored() -> None:
    assert asked_of(standing().knock(IMPACT_G - 0.05).rest(6, LYING)) == []
    assert asked_of(standing().knock(IMPACT_G + 0.05).rest(6, LYING)) == [1.4]


def test_of_blows_within_a_second_the_largest_is_scored() -> None:
    wrist = standing().knock(LIGHT).rest(0.7, LYING).knock(HARD).rest(0.7, LYING).knock(SOFT).rest(6, LYING)
    assert asked_of(wrist) == [2.3]
    assert asked_of(standing().knock(LIGHT).rest(1.1, LYING).knock(HARD).rest(6, LYING)) == [1.55, 2.3]


# -- 2: what the forest says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 52.0, 100.0])
def test_a_high_score_is_told_as_soon_as_the_window_is_there(rate_hz: float) -> None:
    ((impact_s, told_s, finding),) = told_of(Wrist(rate_hz).rest(6, HANGING).knock(HARD).rest(6, LYING))
    assert impact_s == pytest.approx(6.05, abs=0.06)
    assert told_s - impact_s == pytest.approx(WINDOW_S + 0.25, abs=0.3)  # a block has up to half a second
    assert (finding.kind, finding.device, finding.source) == (FindingKind.FALL, "bracelet", FallSource.WRIST)
    assert finding.at == at(told_s)
    assert finding.score == pytest.approx(0.95, abs=0.01)
    assert finding.evidence["stage"] == Stage.IMPACT
    assert set(finding.evidence) == {"impact_ago_s", "stage", "busy_s", *SHOWN}
    assert finding.words.startswith("impact, turned by")


def test_a_low_score_is_none_however_still_it_is_afterwards() -> None:
    assert told_of(standing().knock(LIGHT).rest(30, LYING)) == []


# -- 3: recovery -----------------------------------------------------------------------------------------------------


SETTLING_S = 2.92  # from the end of a knock to the first second that is judged


def in_use(seconds: int, of: int) -> Wrist:
    """A soft impact, rest while its window lasts, the arm in use for so many seconds, and rest for all of so many."""
    return standing().knock(SOFT).rest(SETTLING_S, LYING).walk(seconds, SWING_G, LYING).rest(of - seconds, LYING)


def test_who_does_not_recover_in_twenty_seconds_has_fallen() -> None:
    ((impact_s, told_s, finding),) = told_of(in_use(0, 30))
    assert told_s - impact_s == pytest.approx(WAIT_S + 0.1, abs=0.2)
    assert finding.evidence["stage"] == Stage.NO_RECOVERY
    assert finding.evidence["busy_s"] == 0
    assert "neither walking nor arm use since" in finding.words


def test_six_busy_seconds_of_twenty_are_no_recovery_and_seven_are() -> None:
    ((_, _, finding),) = told_of(in_use(RECOVERED_S - 1, 30))
    assert finding.evidence["busy_s"] == RECOVERED_S - 1
    assert told_of(in_use(RECOVERED_S, 30)) == []


def test_busy_seconds_need_not_follow_one_another() -> None:
    wrist = standing().knock(SOFT).rest(SETTLING_S, LYING)
    for _ in range(RECOVERED_S):
        wrist.walk(1, SWING_G, LYING).rest(1, LYING)
    assert told_of(wrist.rest(30, LYING)) == []


def test_turning_over_once_is_no_recovery() -> None:
    wrist = standing().knock(SOFT).rest(6, LYING).rest(30, ASIDE)
    assert [one.finding.evidence["busy_s"] for one in told_of(wrist)] == [1.0]


def test_movement_before_the_window_is_over_and_after_twenty_seconds_is_no_recovery() -> None:
    wrist = standing().knock(SOFT).walk(2.9, SWING_G, LYING).rest(17.2, LYING).walk(20, SWING_G, LYING)
    assert [one.finding.evidence["busy_s"] for one in told_of(wrist)] == [0.0]


def held_s(deg: float, seconds: float = 30.0) -> Wrist:
    """A soft impact while standing, after which the arm is turned by so many degrees."""
    x, _, z = HANGING
    turned = (x * math.cos(math.radians(deg)), math.hypot(x, z) * math.sin(math.radians(deg)), z)
    return standing().knock(SOFT).rest(seconds, turned)


@pytest.mark.parametrize(("deg", "falls_told"), [(0, 0), (SAME_DEG - 3, 0), (SAME_DEG + 3, 1), (120, 1), (180, 1)])
def test_an_arm_that_is_held_as_before_the_impact_has_not_fallen(deg: float, falls_told: int) -> None:
    assert len(told_of(held_s(deg))) == falls_told


def test_how_the_arm_is_held_is_asked_in_the_last_of_the_twenty_seconds() -> None:
    assert told_of(standing().knock(SOFT).rest(18.5, LYING).rest(20, HANGING)) == []
    assert len(told_of(standing().knock(SOFT).rest(18.5, HANGING).rest(20, LYING))) == 1


def test_how_an_arm_is_held_whose_samples_are_lost_is_not_known_and_the_fall_is_told() -> None:
    assert len(shown(without(held_s(0), 24.5, 26.5))[1]) == 1


def test_a_high_score_is_told_whoever_moves_afterwards() -> None:
    assert len(told_of(standing().knock(HARD).walk(30, SWING_G))) == 1


def test_of_two_that_are_awaited_the_recovery_of_both_is_awaited() -> None:
    wrist = standing().knock(SOFT).rest(5, LYING).knock(SOFT + 0.1).rest(4, LYING)
    assert told_of(wrist.walk(8, SWING_G).rest(30, LYING)) == []
    ((impact_s, told_s, _),) = told_of(standing().knock(SOFT).rest(5, LYING).knock(SOFT).rest(40, LYING))
    assert (impact_s, told_s) == pytest.approx((6.05, 26.1), abs=0.25)  # and nobody else is awaited


# -- 4: losses -------------------------------------------------------------------------------------------------------


def test_a_hole_is_no_impact_and_its_edges_none_either() -> None:
    forest = saying()
    still = Wrist(50).rest(6, HANGING).rest(8, LYING)
    assert shown(without(still, 5.5, 7.5), forest)[1] == []
    assert forest.asked == []


@pytest.mark.parametrize(("from_s", "upto_s", "hard_told", "soft_told"), [
    (2.2, 3.5, True, True), (2.4, 5.3, True, False), (2.2, 5.3, False, False),  # before: the last begins anew
    (6.6, 7.5, True, True), (6.6, 8.9, True, False), (6.3, 8.9, False, False),  # of the three after
    (6.0, 6.3, False, False),  # the impact itself
])
def test_a_window_of_which_a_third_of_a_side_is_lost_needs_a_high_score_and_half_a_second_of_each_side_must_be_there(
    from_s: float, upto_s: float, hard_told: bool, soft_told: bool
) -> None:
    for peak_g, is_told in ((HARD, hard_told), (SOFT, soft_told)):
        told = shown(without(standing().knock(peak_g).rest(30, LYING), from_s, upto_s))[1]
        assert [one.finding.score for one in told] == [pytest.approx(peak_g - IMPACT_G, abs=0.01)] * is_told


def test_lost_seconds_are_not_busy() -> None:
    seconds = [9.04 + second for second in (0, 2, 4)]
    wrist = in_use(RECOVERED_S + 2, 30)
    torn = [block for block in wrist.blocks(5)
            if not any(second - 0.1 <= block.first_index / 50 < second + 0.9 for second in seconds)]
    ((_, _, finding),) = shown(torn)[1]
    assert finding.evidence["busy_s"] == RECOVERED_S - 1


def gone(after_s: float) -> list[Accel]:
    """The blocks of a soft impact at 6 s, up to so long after it."""
    return list(standing().knock(SOFT).rest(after_s, LYING).blocks())


AGAIN: list[Callable[[int], Accel]] = [
    lambda end: Accel(50, 16, end + round(HOLE_S * 50) + 1, bytes(6)),
    lambda end: Accel(50, 16, 0, bytes(6)),
    lambda end: Accel(52, 16, end, bytes(6)),
]
AGAIN_IDS = ["a long hole", "a step back", "another rate"]


@pytest.mark.parametrize("again", AGAIN, ids=AGAIN_IDS)
def test_who_is_awaited_when_a_new_session_begins_has_fallen(again: Callable[[int], Accel]) -> None:
    blocks = gone(8)
    state, told = shown(blocks)
    assert told == []
    assert state.heard is not None
    now = at(state.heard.mono_s + 40)
    state, (finding,) = falls.step(state, "bracelet", now, again(blocks[-1].first_index + 10), saying())
    assert (finding.at, finding.evidence["stage"]) == (now, Stage.NO_RECOVERY)
    assert finding.evidence["impact_ago_s"] == pytest.approx(48.1, abs=0.1)
    assert state.awaited == ()


def test_who_has_recovered_or_was_never_awaited_is_not_told_by_a_new_session() -> None:
    for wrist in (in_use(RECOVERED_S, 10), standing(20), standing().knock(LIGHT).rest(9, LYING)):
        state, told = shown(wrist.blocks())
        assert (told, falls.step(state, "bracelet", at(99), Accel(50, 16, 0, bytes(6)), saying())[1]) == ([], ())


def cut(after_s: float, peak_g: float = HARD) -> tuple[falls.State, int]:
    """What is known when the samples end so long after an impact, and the number of the next one."""
    blocks = list(standing().knock(peak_g).rest(after_s, LYING).blocks())
    state, told = shown(blocks)
    assert told == []
    return state, blocks[-1].first_index + blocks[-1].n


@pytest.mark.parametrize(("after_s", "peak_g", "falls_told"), [
    (0.6, HARD, 0), (1.2, HARD, 1), (2.6, HARD, 1), (2.6, SOFT, 0), (2.6, LIGHT, 0),
])
@pytest.mark.parametrize("again", AGAIN, ids=AGAIN_IDS)
def test_a_hard_impact_from_a_second_after_which_a_new_session_begins_is_a_fall(
    again: Callable[[int], Accel], after_s: float, peak_g: float, falls_told: int
) -> None:
    state, end = cut(after_s, peak_g)
    state, found = falls.step(state, "bracelet", at(40), again(end), saying())
    assert [one.evidence["stage"] for one in found] == [Stage.NO_RECOVERY] * falls_told
    later = (msgspec.structs.replace(block, first_index=block.first_index + end + 800)
             for block in Wrist(50).rest(40, LYING).blocks())
    for block in later:
        state, found = falls.step(state, "bracelet", at(41), block, saying())
        assert found == (), "it is none of the next session"


def test_a_hard_impact_and_then_silence_is_a_fall_told_once_though_the_samples_come_late() -> None:
    state, end = cut(1.5)
    assert state.heard is not None
    now = at(state.heard.mono_s + SILENT_S)
    state, (finding,) = falls.tick(state, "bracelet", now, saying())
    assert finding.evidence["impact_ago_s"] == pytest.approx(1.6 + SILENT_S, abs=0.1)
    assert falls.tick(state, "bracelet", at(now.mono_s + 60), saying())[1] == ()
    for block in Wrist(50).rest(5, LYING).blocks():
        late = msgspec.structs.replace(block, first_index=block.first_index + end)
        state, found = falls.step(state, "bracelet", now, late, saying())
        assert found == ()


def test_an_impact_that_silence_left_undecided_is_judged_when_its_samples_come_after_all() -> None:
    state, end = cut(0.4)
    state, found = falls.tick(state, "bracelet", at(99), saying())
    for block in Wrist(50).rest(5, LYING).blocks():
        late = msgspec.structs.replace(block, first_index=block.first_index + end)
        state, more = falls.step(state, "bracelet", at(100), late, saying())
        found += more
    assert [one.evidence["stage"] for one in found] == [Stage.IMPACT]


def test_who_is_awaited_and_falls_silent_for_five_seconds_has_fallen_and_is_told_once() -> None:
    state, _ = shown(gone(8))
    heard = state.heard
    assert heard is not None
    assert falls.tick(state, "bracelet", at(heard.mono_s + SILENT_S - 0.1), saying()) == (state, ())
    now = at(heard.mono_s + SILENT_S)
    state, (finding,) = falls.tick(state, "bracelet", now, saying())
    assert (finding.at, finding.evidence["stage"]) == (now, Stage.NO_RECOVERY)
    assert finding.evidence["impact_ago_s"] == pytest.approx(8.1 + SILENT_S, abs=0.1)
    assert falls.tick(state, "bracelet", at(now.mono_s + 60), saying())[1] == ()


def test_who_is_awaited_when_the_process_ends_has_fallen() -> None:
    state, _ = shown(gone(8))
    assert state.heard is not None
    (finding,) = falls.leave(state, "bracelet", at(state.heard.mono_s + 0.5), saying())
    assert finding.evidence["stage"] == Stage.NO_RECOVERY
    assert falls.leave(shown(gone(60))[0], "bracelet", at(99), saying()) == ()


def test_a_silence_that_lasted_through_a_new_boot_is_no_recovery_either() -> None:
    state, _ = shown(gone(8))
    assert len(falls.tick(state, "bracelet", at(1.0, "boot-2"), saying())[1]) == 1


def test_of_several_awaited_the_surest_is_told() -> None:
    state, _ = shown(standing().knock(SOFT).rest(4, LYING).knock(SOFT + 0.2).rest(4, LYING).blocks())
    _, (finding,) = falls.tick(state, "bracelet", at(99), saying())
    assert finding.score == pytest.approx(0.7, abs=0.01)


def test_silence_without_anybody_awaited_is_nothing() -> None:
    rested, fallen = standing(), standing().knock(HARD).rest(6, LYING)
    for state in (falls.State(), shown(rested.blocks())[0], shown(fallen.blocks())[0]):
        assert falls.tick(state, "bracelet", at(9999), saying())[1] == ()


# -- 5: the pause ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first_g", "apart_s", "falls_told"), [
    (HARD, PAUSE_S - 0.5, 1), (HARD, PAUSE_S + 0.5, 2), (SOFT, WAIT_S - 0.5, 1), (SOFT, WAIT_S + 0.5, 2),
])
def test_one_fall_in_ten_seconds_and_one_in_the_twenty_of_who_was_awaited(
    first_g: float, apart_s: float, falls_told: int
) -> None:
    wrist = standing().knock(first_g).rest(apart_s - 0.16, LYING).knock(HARD).rest(6, LYING)
    assert len(told_of(wrist)) == falls_told


def test_a_fall_told_of_silence_brings_a_pause_to_what_follows_it() -> None:
    blocks = gone(8)
    state, _ = shown(blocks)
    state, _ = falls.tick(state, "bracelet", at(99), saying())
    end = blocks[-1].first_index + 10
    told_s = []
    for block in standing(1.5).knock(HARD).rest(8.8, LYING).knock(HARD).rest(4, LYING).blocks():
        later = msgspec.structs.replace(block, first_index=block.first_index + end)
        state, found = falls.step(state, "bracelet", at(100), later, saying())
        told_s += [(block.first_index + 10) / 50 for _ in found]
    assert told_s == [pytest.approx(10.5 + WINDOW_S, abs=0.3)]


def test_after_a_fall_that_was_told_nobody_else_is_awaited() -> None:
    wrist = standing().knock(SOFT).rest(5, LYING).knock(HARD).rest(40, LYING)
    assert [one.finding.evidence["stage"] for one in told_of(wrist)] == [Stage.IMPACT]
    assert shown(wrist.blocks())[0].awaited == ()
    assert [one.finding.score for one in shown(wrist.blocks(len(wrist.samples)))[1]] == [pytest.approx(0.95, abs=0.01)]


# -- 6: the beginning ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before_s", "told"), [(0.5, 0), (1.5, 1)])
def test_a_sessions_first_second_brings_no_fall(before_s: float, told: int) -> None:
    assert len(told_of(standing(before_s).knock(HARD).rest(6, LYING))) == told


def test_what_lacks_before_the_beginning_is_the_first_sample_at_rest() -> None:
    late, whole = saying(), saying()
    quiet = [Wrist(50).rest(seconds, HANGING, 0.0).knock(HARD).rest(6, LYING, 0.0) for seconds in (1.52, 7.52)]
    told_of(quiet[0], late)
    told_of(quiet[1], whole)
    assert late.asked[0] == pytest.approx(whole.asked[0], abs=1e-6)


# -- blocks ----------------------------------------------------------------------------------------------------------


def test_the_same_block_once_more_changes_nothing() -> None:
    for wrist in (standing().knock(HARD).rest(6, LYING), in_use(3, 30)):
        doubled = [block for block in wrist.blocks() for _ in range(2)]
        assert [one[:2] for one in shown(doubled)[1]] == [one[:2] for one in told_of(wrist)] != []


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12),
       st.lists(st.tuples(st.sampled_from([LIGHT, SOFT, SOFT + 0.1, HARD]), st.floats(0.2, 9), st.integers(0, 9)),
                min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_how_the_samples_are_cut_into_blocks_does_not_matter(
    sizes: list[int], blows: list[tuple[float, float, int]]
) -> None:
    wrist = standing(2)
    for peak_g, rest_s, walk_s in blows:
        wrist.knock(peak_g).rest(rest_s, LYING).walk(walk_s, SWING_G)
    (whole,) = wrist.rest(25, LYING).blocks(len(wrist.samples))
    pieces, first = [], 0
    while first * 6 < len(whole.samples_mg):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(Accel(50, 16, first, whole.samples_mg[first * 6 : (first + size) * 6]))
        first += size

    def judged(blocks: Iterable[Accel]) -> list[tuple[float, float, float]]:
        return [(round(one.impact_s, 2), one.finding.score, one.finding.evidence["busy_s"]) for one in shown(blocks)[1]]

    assert judged(pieces) == judged([whole])


@given(st.lists(st.tuples(st.integers(-5, 4000), st.binary(max_size=900), st.sampled_from([20.0, 50.0, 100.0])),
                max_size=30))
@settings(max_examples=100, deadline=None)
def test_nothing_that_arrives_breaks_it_and_what_it_keeps_is_bounded(blocks: list[tuple[int, bytes, float]]) -> None:
    state = falls.State()
    for first, samples, rate_hz in blocks:
        state, _ = falls.step(state, "bracelet", at(0), Accel(rate_hz, 16, first, samples), saying())
        assert len(state.recent) <= 15 * RATE_HZ
        assert len(state.grid.tail) <= 0.2 * rate_hz
        assert len(state.awaited) <= WAIT_S


def test_an_hour_of_walking_keeps_no_more_than_a_minute() -> None:
    def kept(seconds: float) -> int:
        state, _ = shown(Wrist(50).rest(2, HANGING).walk(seconds, 0.6).blocks(25))
        return len(state.recent) + len(state.grid.tail) + len(state.awaited)

    assert kept(600) <= kept(60) + 30
