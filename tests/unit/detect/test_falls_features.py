"""What the window around an impact says: the same however the bracelet sits, finite whatever is in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from gateway.detect.falls.features import AFTER, BEFORE, NAMES, WINDOW, Vector, angle_deg, of
from gateway.detect.falls.grid import AXIS_G, RATE_HZ, Samples

STANDING, LYING = np.array([-1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
seeds = st.integers(0, 2**32 - 1)


def said(window: Samples) -> dict[str, float]:
    return dict(zip(NAMES, of(window).tolist(), strict=True))


def fallen(peak_g: float = 3.0) -> Samples:
    """Standing still, three samples of an impact, lying still."""
    window = np.concatenate([np.tile(STANDING, (BEFORE - 1, 1)), np.tile(LYING, (AFTER + 2, 1))])
    window[BEFORE - 1 : BEFORE + 2] = peak_g * LYING
    return window


def moving(seed: int) -> Samples:
    """Gravity that turns to and fro, an arm that moves by fits and starts, and an impact."""
    random = np.random.default_rng(seed)
    window = np.cumsum(random.normal(0, 0.06, (WINDOW, 3)), axis=0) + random.normal(0, 1, 3)
    window += random.normal(0, 0.2, (WINDOW, 3)) * (random.random((WINDOW, 1)) < random.random())
    window[BEFORE - 2 : BEFORE + 3] *= random.uniform(1, 4)
    return window


def turned(seed: int) -> NDArray[np.float64]:
    """A turning, of every second seed a mirrored one."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(0, 1, (3, 3)))
    matrix[:, 0] *= np.linalg.det(matrix) * (-1) ** (seed % 2)
    return np.asarray(matrix)


@given(seeds, seeds)
@settings(max_examples=300, deadline=None)
def test_a_turned_or_mirrored_bracelet_gives_the_same_numbers(movement: int, turning: int) -> None:
    window = moving(movement)
    assert of(window @ turned(turning)) == pytest.approx(of(window), rel=1e-6, abs=1e-4)


@given(arrays.arrays(np.float64, (WINDOW, 3), elements=st.floats(-AXIS_G, AXIS_G), fill=st.floats(-AXIS_G, AXIS_G)))
@settings(max_examples=150, deadline=None)
def test_every_number_is_finite_whatever_the_window_holds(window: Samples) -> None:
    vector = of(window)
    assert vector.shape == (len(NAMES),)
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("level_g", [0.0, 1e-12, AXIS_G, -AXIS_G])
def test_weightlessness_and_a_sensor_at_its_end_are_finite_too(level_g: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(of(np.full((WINDOW, 3), level_g))).all()


def test_each_number_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_of_an_arm_at_rest_nothing_is_said_but_the_1_g_that_it_bears() -> None:
    still = said(np.tile(LYING, (WINDOW, 1)))
    assert still["peak_g"] == 1.0
    assert {still[name] for name in NAMES if name.startswith("max_g")} == {1.0}
    nothing = ("sd", "off", "jerk", "turn", "path", "busy", "end")
    quiet = {name: still[name] for name in NAMES if name.startswith(nothing)}
    assert quiet == {name: pytest.approx(0.0, abs=1e-5) for name in quiet}
    assert still["quiet_since_cells"] == AFTER // 6


def test_a_fall_onto_another_side_turns_the_arm_and_leaves_it_at_rest() -> None:
    fall = said(fallen())
    assert fall["peak_g"] == 3.0
    assert fall["turn_deg"] == pytest.approx(90.0)
    assert fall["turn_first_deg"] == pytest.approx(90.0)
    assert fall["path_impact_deg"] == pytest.approx(90.0)
    for name in ("path_before_deg", "path_after_deg", "turn_after_deg", "busy_after", "end_sd_g", "sd_g -4..-2s"):
        assert fall[name] == pytest.approx(0.0, abs=1e-5)
    assert fall["excess_g_s"] == pytest.approx(3 * 2.0 / RATE_HZ)
    assert fall["jerk_g_s -0.4..0.4s"] == pytest.approx((10**0.5 + 2.0) * RATE_HZ / 20)
    assert fall["spread_s"] < 0.06


def test_an_arm_that_falls_is_weightless_before_the_impact() -> None:
    window = fallen()
    window[BEFORE - 9 : BEFORE - 1] *= 0.25
    assert said(window)["weightless_g_s"] == pytest.approx(8 * 0.75 / RATE_HZ)


def test_steps_after_the_impact_are_a_rhythm_and_an_arm_in_use() -> None:
    window = fallen()
    step_s = np.arange(AFTER - 10) / RATE_HZ
    window[BEFORE + 11 :] += 0.5 * np.sin(2 * np.pi * 1.8 * step_s)[:, None] * LYING
    walking, lying = said(window), said(fallen())
    assert walking["rhythm_after"] > 0.5 > lying["rhythm_after"]
    assert walking["busy_after"] > 0.8
    assert walking["quiet_since_cells"] == 0
    assert walking["contrast_after"] < lying["contrast_after"]


def test_knocks_that_go_on_are_spread_and_one_knock_is_not() -> None:
    window = fallen()
    window[BEFORE - 22 : BEFORE + 22 : 7] *= 2
    assert said(window)["spread_s"] > 0.2 > said(fallen())["spread_s"]


@pytest.mark.parametrize(("one", "other", "deg"), [
    ((1, 0, 0), (0, 2, 0), 90.0), ((1, 1, 0), (3, 3, 0), 0.0), ((1, 0, 0), (-4, 0, 0), 180.0),
    ((0, 0, 0), (1, 0, 0), 0.0),
])
def test_the_angle_between_directions(one: tuple[int, ...], other: tuple[int, ...], deg: float) -> None:
    first: Vector = np.array(one, float)
    assert angle_deg(first, np.array(other, float)) == pytest.approx(deg, abs=1e-5)
