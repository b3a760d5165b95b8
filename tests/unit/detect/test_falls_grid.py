"""The fall detector's grid: whatever the rate, the range, the blocks and the losses, the same movement is the same."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.detect.falls.grid import (
    AXIS_G,
    HOLE_S,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    RATE_HZ,
    Grid,
    Samples,
    begin,
    follows,
    is_sound,
    laid,
)
from gateway.model.reading import Accel

RATES_HZ = (20.0, 25.0, 26.0, 31.25, 50.0, 52.0, 100.0)


def block(first: int, samples_mg: NDArray[np.int16], rate_hz: float = 50.0) -> Accel:
    return Accel(rate_hz, 16.0, first, samples_mg.astype("<i2").tobytes())


def all_of(*blocks: Accel) -> Samples:
    """The grid samples of one session."""
    grid, given = begin(blocks[0]), [np.empty((0, 3))]
    for one in blocks:
        assert follows(grid, one)
        grid, fresh = laid(grid, one)
        given.append(fresh)
    assert grid.done == sum(map(len, given))
    return np.concatenate(given)


def smooth(rate_hz: float, seconds: float) -> NDArray[np.int16]:
    """Movement that a wrist may make, in milli-g: at most half a g at a turn a second."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.rint(1000 * np.stack([0.5 * np.sin(2 * np.pi * time_s), 0.3 * np.cos(5 * time_s), 1 - 0.05 * time_s],
                                   axis=1)).astype(np.int16)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_smooth_movement_is_the_same_at_every_rate_and_lies_at_its_own_moments(rate_hz: float) -> None:
    given = all_of(block(0, smooth(rate_hz, 8.0), rate_hz))[1:]  # the first one's taps reach before the beginning
    time_s = np.arange(1, len(given) + 1) / RATE_HZ
    expected = np.stack([0.5 * np.sin(2 * np.pi * time_s), 0.3 * np.cos(5 * time_s), 1 - 0.05 * time_s], axis=1)
    assert 8.0 - 3 / RATE_HZ <= time_s[-1] <= 8.0
    assert np.abs(given - expected).max() < 0.012  # 4 % of the movement: what linear interpolation costs at 20 Hz


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_grid_sample_is_told_as_soon_as_its_last_tap_is_there(rate_hz: float) -> None:
    for count in range(1, 40):
        given = all_of(block(0, np.zeros((count, 3)), rate_hz))
        assert len(given) == max(0, math.floor(((count - 1) / rate_hz - 0.03) * RATE_HZ + 1e-6) + 1)


def test_each_axis_is_held_to_the_smallest_range_in_the_field() -> None:
    samples = np.tile(np.array([16000, -7000, 1999]), (50, 1))
    assert np.unique(all_of(block(0, samples)), axis=0) == pytest.approx(np.array([[AXIS_G, -AXIS_G, 1.999]]))


@given(st.sampled_from([*RATES_HZ, 15.0, 19.73, 200.0, 250.0]), st.integers(0, 2**62), st.integers(0, 2**32),
       st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0, 0, 0, 1, 2, 40])), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_how_the_samples_come_in_blocks_changes_no_bit(
    rate_hz: float, origin: int, seed: int, pieces: list[tuple[int, int]]
) -> None:
    """`pieces`: so many samples, and then so many lost."""
    random = np.random.default_rng(seed)
    whole, single, first = [], [], origin
    for count, lost in pieces:
        samples = random.integers(-3000, 3000, (count, 3))
        whole.append(block(first, samples, rate_hz))
        single += [block(first + place, samples[place : place + 1], rate_hz) for place in range(count)]
        first += count + lost
    assert np.array_equal(all_of(*whole), all_of(*single), equal_nan=True)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("lost", [1, 2, 30])
def test_only_what_a_lost_sample_would_have_changed_is_lost(rate_hz: float, lost: int) -> None:
    samples, first = smooth(rate_hz, 8.0), round(4.0 * rate_hz)
    whole = all_of(block(0, samples, rate_hz))
    torn = all_of(block(0, samples[:first], rate_hz), block(first + lost, samples[first + lost :], rate_hz))
    changed = samples.copy()
    changed[first : first + lost] += 500
    other = np.abs(all_of(block(0, changed, rate_hz)) - whole).max(axis=1) > 0
    assert np.isnan(torn[other]).all()
    assert np.array_equal(torn[~np.isnan(torn)], whole[~np.isnan(torn)])
    assert np.isnan(torn).any(axis=1).sum() <= other.sum() + 1  # a tap that lies on the hole's edge


def test_a_hole_of_hole_s_goes_on_and_a_longer_one_does_not() -> None:
    grid, _ = laid(begin(block(100, np.zeros((50, 3)))), block(100, np.zeros((50, 3))))
    assert follows(grid, block(150 + round(HOLE_S * 50), np.zeros((1, 3))))
    assert not follows(grid, block(151 + round(HOLE_S * 50), np.zeros((1, 3))))


def test_a_step_back_and_another_rate_do_not_go_on() -> None:
    grid, _ = laid(begin(block(100, np.zeros((50, 3)))), block(100, np.zeros((50, 3))))
    assert follows(grid, block(150, np.zeros((1, 3))))
    assert not follows(grid, block(149, np.zeros((9, 3))))
    assert not follows(grid, block(150, np.zeros((1, 3)), 52.0))
    assert not follows(Grid(), block(0, np.zeros((1, 3))))


def test_half_a_sample_at_the_end_of_a_block_is_left_out() -> None:
    whole = block(0, smooth(50.0, 2.0))
    assert np.array_equal(all_of(Accel(50.0, 16.0, 0, whole.samples_mg + b"\x01\x02")), all_of(whole))


@pytest.mark.parametrize("rate_hz", [20.0, 52.0, 100.0])
def test_the_place_of_a_grid_sample_is_told_from_the_newest_sample(rate_hz: float) -> None:
    one = block(7000, np.zeros((round(6 * rate_hz) + 1, 3)), rate_hz)
    grid, _ = laid(begin(one), one)
    assert grid.number_s(0) == pytest.approx(6.0)
    assert grid.number_s(100) == pytest.approx(2.0)


def test_a_day_later_the_grid_has_not_drifted_and_holds_no_more() -> None:
    day = round(86400 * 52.0)
    grid = begin(block(0, np.zeros((1, 3)), 52.0))
    grid = Grid(52.0, 0, day, np.zeros((5, 3)), round(day / 52 * RATE_HZ) - 2)
    grid, given = laid(grid, block(day, np.tile(np.array([0, 0, 1000]), (520, 1)), 52.0))
    assert len(given) in (250, 251, 252)
    assert grid.number_s(grid.done - 1) < 0.06 + 1 / RATE_HZ
    assert len(grid.tail) < 8


@pytest.mark.parametrize(("rate_hz", "sound"), [
    (MIN_RATE_HZ, True), (MAX_RATE_HZ, True), (14.9, False), (250.1, False), (0.0, False), (-25.0, False),
    (math.nan, False), (math.inf, False),
])
def test_a_rate_that_makes_no_sense_is_not_judged(rate_hz: float, sound: bool) -> None:
    assert is_sound(block(0, np.zeros((1, 3)), rate_hz)) is sound
