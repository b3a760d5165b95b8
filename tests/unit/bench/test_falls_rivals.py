"""The detectors beside the product: each rule by a movement that keeps or breaks it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gateway.training.falls import recordings
from gateway.training.falls.score import judge, tally
from tests.bench.falls.rivals import RIVALS, bourke_2007, high_pass, kangas_2008, khojasteh_2018
from tests.unit.detect.wrist import HANGING, LYING, Wrist

before = RIVALS["Anju's thresholds before"]
RATE_HZ = 50.0


def moved(*peaks: tuple[float, float], seconds: float = 20.0) -> Any:
    """Rest at 1 g with samples of so many g at such times."""
    acc_g = np.tile([0.0, 0.0, 1.0], (round(seconds * RATE_HZ), 1))
    for peak_s, peak_g in peaks:
        acc_g[round(peak_s * RATE_HZ)] = (0.0, 0.0, peak_g)
    return acc_g


def worn(wrist: Wrist) -> Any:
    return np.round(np.array(wrist.samples), 3)


@pytest.mark.parametrize(("peak_g", "told"), [(3.52, []), (3.53, [(5.0, 5.0)])])
def test_bourke_tells_what_exceeds_the_trunks_upper_threshold(peak_g: float, told: Sequence[Any]) -> None:
    assert bourke_2007(moved((5.0, peak_g)), RATE_HZ) == told


def test_peaks_within_a_second_are_one_event() -> None:
    assert bourke_2007(moved((5.0, 4.0), (5.9, 4.0), (6.8, 4.0), (7.9, 4.0)), RATE_HZ) == [(5.0, 5.0), (7.9, 7.9)]


@pytest.mark.parametrize(("across_g", "told"), [(5.1, []), (5.11, [(5.0, 5.0)])])
def test_kangas_tells_a_total_of_5_2_g(across_g: float, told: Sequence[Any]) -> None:
    acc_g = moved()
    acc_g[250] = (across_g, 0.0, 1.0)  # hardly anything of it is vertical
    assert kangas_2008(acc_g, RATE_HZ) == told


@pytest.mark.parametrize(("along_g", "told"), [(4.5, []), (4.8, [(5.0, 5.0)])])
def test_kangas_tells_a_vertical_acceleration_of_3_9_g(along_g: float, told: Sequence[Any]) -> None:
    """By hand: the filter answers a step with 0.978 of it, so Z2 is 3.77 g and 4.11 g."""
    assert kangas_2008(moved((5.0, along_g)), RATE_HZ) == told


@pytest.mark.parametrize(("tone_hz", "left"), [(0.025, 0.01), (0.25, 0.707), (2.5, 1.0)])
def test_the_high_pass_is_a_butterworth_of_second_order(tone_hz: float, left: float) -> None:
    """|H| of a tone at the corner is 1 / sqrt(2), a decade below it 1 / 100."""
    tone = np.sin(2 * np.pi * tone_hz * np.arange(round(200 * RATE_HZ)) / RATE_HZ)
    passed = high_pass(np.stack([tone] * 3, axis=1), RATE_HZ, 0.25)[-round(80 * RATE_HZ):, 0]
    assert passed.std() * np.sqrt(2) == pytest.approx(left, abs=0.003)


def test_khojasteh_tells_the_last_peak_before_two_and_a_half_quiet_seconds() -> None:
    assert khojasteh_2018(moved((5.0, 3.1), (7.0, 3.1), (12.0, 3.0)), RATE_HZ) == [(7.0, 9.5)]


def test_khojasteh_does_not_tell_what_the_recording_is_too_short_for() -> None:
    assert khojasteh_2018(moved((18.0, 3.1)), RATE_HZ) == []


def test_the_thresholds_before_tell_a_blow_another_posture_and_stillness() -> None:
    ((impact_s, told_s),) = before(worn(Wrist(RATE_HZ).fall()), RATE_HZ)
    assert impact_s == pytest.approx(4.6, abs=0.1)
    assert told_s - impact_s == pytest.approx(2.9, abs=0.3)


def test_the_thresholds_before_tell_one_fall_in_ten_seconds() -> None:
    assert len(before(worn(Wrist(RATE_HZ).fall().fall()), RATE_HZ)) == 1
    assert len(before(worn(Wrist(RATE_HZ).fall().rest(8, HANGING).fall()), RATE_HZ)) == 2


@pytest.mark.parametrize("wrist", [
    Wrist(RATE_HZ).rest(4, HANGING).blow(0.6, 4.5).rest(6, HANGING),
    Wrist(RATE_HZ).rest(4, HANGING).rest(8, LYING),
    Wrist(RATE_HZ).rest(4, LYING).blow(0.6, 4.5).walk(10),
    Wrist(RATE_HZ).rest(4, HANGING).blow(0.06, 4.0).rest(6, LYING),
    Wrist(RATE_HZ).rest(4, HANGING).blow(0.6, 4.5).rest(1.5, LYING),
], ids=["the same posture", "no blow", "no stillness", "a knock", "too short"])
def test_the_thresholds_before_tell_nothing_where_a_mark_is_missing(wrist: Wrist) -> None:
    assert before(worn(wrist), RATE_HZ) == []


@pytest.mark.parametrize("name", RIVALS)
def test_nothing_comes_of_nothing(name: str) -> None:
    assert RIVALS[name](moved(seconds=1 / RATE_HZ), RATE_HZ) == []
    assert RIVALS[name](moved(), RATE_HZ) == []


@pytest.mark.skipif(recordings.missing() is not None, reason=str(recordings.missing()))
@pytest.mark.parametrize("range_g", [16.0, 2.0])
def test_the_thresholds_before_are_what_the_product_was(range_g: float) -> None:
    """Of UMAFall's 161 falls and 433 other trials, with the figures that the product's own thresholds gave."""
    trials = recordings.load("UMAFall")
    heard = recordings.clipped(trials, range_g)
    of = tally(judge(trial, before(one.acc_mg / 1000, one.rate_hz)) for trial, one in zip(trials, heard, strict=True))
    assert (of.found, of.clean, of.false_before_fall) == (147, 421, 1)
    assert float(np.median(of.delays_s)) == pytest.approx(2.95, abs=0.02)
