"""Whole recordings, as `anju replay falls` and the training see them: what is made up at their edges, what is not."""

from collections.abc import Callable
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect.falls import Stage, State, step
from gateway.detect.falls.recording import BLOCK_S, EDGE_S, LEAD_S, Raw, extended, judged
from gateway.detect.falls.wrist import WAIT_S
from gateway.model.reading import Accel
from tests.unit.detect.stamps import at
from tests.unit.detect.test_falls_wrist import HARD, SOFT, SWING_G, saying
from tests.unit.detect.wrist import HANGING, LYING, Wrist

RATES_HZ = [20.0, 25.0, 52.0, 100.0]


def raw(wrist: Wrist) -> Raw:
    return np.rint(np.array(wrist.samples) * 1000).astype(np.int16)


def walk(rate_hz: float, seconds: float) -> Raw:
    return raw(Wrist(rate_hz).walk(seconds, SWING_G))


# -- the edges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("seconds", [0.01, 0.5, EDGE_S, 8.0])
def test_the_recording_itself_is_unchanged_between_its_edges(rate_hz: float, seconds: float) -> None:
    samples = raw(Wrist(rate_hz).rest(max(seconds, 1 / rate_hz), HANGING, 0.5))
    whole, lead = extended(samples, rate_hz), round(LEAD_S * rate_hz)
    assert np.array_equal(whole[lead : lead + len(samples)], samples)
    assert len(whole) >= lead + len(samples) + WAIT_S * rate_hz


def test_an_edge_goes_to_and_fro_over_what_was_next_to_it() -> None:
    samples = np.arange(3 * 300, dtype=np.int16).reshape(300, 3)
    whole, lead, edge = extended(samples, 20.0), round(LEAD_S * 20), round(EDGE_S * 20)
    after = whole[lead + 300 :]
    assert np.array_equal(after[:edge], samples[-2 : -2 - edge : -1])  # the last sample is not said twice
    assert np.array_equal(after[edge : 2 * edge], samples[-edge:])
    before = whole[:lead][::-1]
    assert np.array_equal(before[:edge], samples[1 : 1 + edge])
    assert np.array_equal(before[edge : 2 * edge], samples[edge - 1 :: -1])


def test_a_single_sample_goes_on_for_ever() -> None:
    assert np.unique(extended(np.array([[0, 10, 1000]], np.int16), 50.0), axis=0).tolist() == [[0, 10, 1000]]


def test_who_walks_at_the_end_walks_on_and_who_lies_lies_on() -> None:
    soft = Wrist(50).rest(4, HANGING).knock(SOFT)
    lying = raw(Wrist(50).rest(4, HANGING).knock(SOFT).rest(5, LYING))
    assert [finding.evidence["stage"] for *_, finding in judged(lying, 50.0, saying())] == [Stage.NO_RECOVERY]
    assert list(judged(raw(soft.rest(3, HANGING).walk(2, SWING_G)), 50.0, saying())) == []


# -- findings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("peak_g", [HARD, SOFT])
def test_a_fall_is_told_in_the_recordings_own_time(rate_hz: float, peak_g: float) -> None:
    samples = raw(Wrist(rate_hz).rest(7, HANGING).knock(peak_g).rest(30, LYING))
    ((impact_s, raised_s, finding),) = judged(samples, rate_hz, saying())
    assert impact_s == pytest.approx(7.06, abs=0.08)
    wait_s = 3.0 if peak_g == HARD else WAIT_S
    assert wait_s - 0.1 <= raised_s - impact_s <= wait_s + BLOCK_S + 0.1
    assert finding.evidence["impact_ago_s"] == pytest.approx(raised_s - impact_s, abs=0.01)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("peak_g", [HARD, SOFT])
@pytest.mark.parametrize(("before_s", "after_s"), [(1.6, 9.0), (9.0, 1.7), (1.6, 1.7)])
def test_a_fall_near_either_end_is_found(rate_hz: float, peak_g: float, before_s: float, after_s: float) -> None:
    """Nearer than EDGE_S the edge goes to and fro over the impact itself: then it is a blow that others follow."""
    samples = raw(Wrist(rate_hz).rest(before_s, HANGING).knock(peak_g).rest(after_s, LYING))
    ((impact_s, _, _),) = judged(samples, rate_hz, saying())
    assert impact_s == pytest.approx(before_s + 0.06, abs=0.08)


def test_what_lies_in_a_made_up_edge_is_not_told() -> None:
    """The blow a second before the end comes again a second after it: here that alone is a fall to the forest."""
    samples = raw(Wrist(50).rest(6, HANGING).knock(HARD).rest(1.0, LYING))
    scores = chain([0.0], repeat(0.95))
    assert list(judged(samples, 50.0, saying(lambda vector: next(scores)))) == []
    assert next(scores) == 0.95  # it was asked about the second one
    ((impact_s, _, _),) = judged(samples, 50.0, saying())
    assert impact_s == pytest.approx(6.06, abs=0.03)


def told_to_the_end(samples: Raw, rate_hz: float) -> list[tuple[float, float]]:
    """(impact, score) of the falls in a recording that is shown with both edges whole."""
    lead, data, size = round(LEAD_S * rate_hz), extended(samples, rate_hz).astype("<i2"), round(BLOCK_S * rate_hz)
    state, found = State(), []
    for first in range(0, len(data), size):
        piece = data[first : first + size]
        state, more = step(state, "recording", at(0), Accel(rate_hz, 16.0, first, piece.tobytes()), saying())
        end_s = (first + len(piece) - 1 - lead) / rate_hz
        found += [(round(end_s - one.evidence["impact_ago_s"], 2), one.score) for one in more]
    return [one for one in found if 0 <= one[0] <= len(samples) / rate_hz]


@given(st.lists(st.tuples(st.sampled_from([HARD, SOFT]), st.floats(0, 8), st.integers(0, 9)), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_that_it_ends_early_changes_nothing(blows: list[tuple[float, float, int]]) -> None:
    wrist = Wrist(25).rest(2, HANGING)
    for peak_g, rest_s, walk_s in blows:
        wrist.knock(peak_g).rest(rest_s, HANGING).walk(walk_s, SWING_G)
    early = [(round(impact_s, 2), finding.score) for impact_s, _, finding in judged(raw(wrist), 25.0, saying())]
    assert early == told_to_the_end(raw(wrist), 25.0)


@pytest.mark.parametrize("block_s", [0.04, 0.5, 3.0, 60.0])
def test_the_length_of_blocks_changes_when_it_is_told_and_not_what(block_s: float) -> None:
    samples = raw(Wrist(50).rest(5, HANGING).knock(HARD).rest(12, LYING).knock(SOFT).rest(25, HANGING))
    found = list(judged(samples, 50.0, saying(), block_s))
    assert [impact_s for impact_s, *_ in found] == pytest.approx([5.06, 17.22], abs=0.03)
    assert [finding.evidence["stage"] for *_, finding in found] == [Stage.IMPACT, Stage.NO_RECOVERY]


@pytest.mark.parametrize("make", [
    lambda: np.zeros((1, 3), np.int16), lambda: np.full((40, 3), -32768, np.int16), lambda: walk(50.0, 10),
], ids=["one sample", "a broken sensor", "a walk"])
def test_where_there_is_no_fall_none_is_told(make: Callable[[], Raw]) -> None:
    assert list(judged(make(), 50.0, saying(lambda vector: 0.0))) == []


def test_made_up_rest_leaves_the_busy_seconds_that_there_were() -> None:
    samples = raw(Wrist(50).rest(4, HANGING).knock(SOFT).rest(3, LYING).walk(2, SWING_G, LYING).rest(2, LYING))
    ((_, _, finding),) = judged(samples, 50.0, saying())
    assert finding.evidence["busy_s"] == 2
