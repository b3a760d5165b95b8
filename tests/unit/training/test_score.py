"""How findings on labelled recordings are scored, by cases that were worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import byar, judge, split, tally, wilson


def trial(is_fall: bool, seconds: float = 30.0, fall_s: tuple[float, float] | None = None) -> Trial:
    acc_mg = np.tile(np.array([0, 0, 1000], np.int16), (round(seconds * 20), 1))
    acc_mg[100] = (0, -4000, 0)  # at 5 s
    return Trial("s1", "young", "walking", is_fall, 20.0, acc_mg, fall_s)


@pytest.mark.parametrize(("impact_s", "found"), [(3.39, False), (3.4, True), (5.0, True), (6.6, True), (6.61, False)])
def test_without_an_annotation_a_fall_lies_within_1_6_s_of_the_strongest_sample(impact_s: float, found: bool) -> None:
    assert (judge(trial(True), [(impact_s, impact_s + 3)]).delay_s is not None) is found


@pytest.mark.parametrize(("impact_s", "found"), [(9.49, False), (9.5, True), (13.0, True), (13.01, False)])
def test_an_annotated_fall_is_found_from_half_a_second_before_to_a_second_after(impact_s: float, found: bool) -> None:
    assert (judge(trial(True, fall_s=(10.0, 12.0)), [(impact_s, 20.0)]).delay_s is not None) is found


def test_the_first_finding_in_the_window_gives_the_delay_whatever_order_they_come_in() -> None:
    assert judge(trial(True), [(5.5, 9.0), (4.5, 7.0)]).delay_s == 2.5


def test_in_a_trial_with_a_fall_what_is_told_before_is_false_and_what_is_told_after_is_not_judged() -> None:
    verdict = judge(trial(True), [(1.0, 3.0), (2.0, 4.0), (5.0, 8.0), (20.0, 22.0)])
    assert (verdict.false, verdict.delay_s) == (2, 3.0)
    assert judge(trial(True), [(20.0, 22.0)]).delay_s is None


@pytest.mark.parametrize(("impacts_s", "false"), [
    ([], 0), ([3.0], 1), ([3.0, 13.0], 1), ([3.0, 13.1], 2), ([3.0, 9.0, 15.0, 21.0], 2), ([15.0, 3.0], 2),
])
def test_in_a_trial_without_a_fall_an_alarm_counts_once_in_ten_seconds(impacts_s: list[float], false: int) -> None:
    assert judge(trial(False), [(impact_s, impact_s + 3) for impact_s in impacts_s]).false == false


def test_a_tally_counts_falls_and_quiet_trials_apart() -> None:
    of = tally([
        judge(trial(True), [(5.0, 8.0)]), judge(trial(True), [(5.0, 7.0)]), judge(trial(True), [(1.0, 3.0)]),
        judge(trial(False, seconds=60), [(1.0, 3.0), (20.0, 23.0)]), judge(trial(False, seconds=120), []),
    ])
    assert (of.falls, of.found, of.false_before_fall, of.delays_s) == (3, 2, 1, (3.0, 2.0))
    assert (of.lived, of.clean, of.false) == (2, 1, 2)
    assert of.sensitivity == pytest.approx(2 / 3)
    assert of.specificity == 0.5
    assert of.hours == pytest.approx(0.05)
    assert of.false_per_hour == pytest.approx(40.0)


def test_what_was_not_there_has_no_share() -> None:
    of = tally([])
    assert (of.sensitivity, of.specificity, of.false_per_hour) == (None, None, None)


def test_a_split_has_everybody_once() -> None:
    verdicts = [judge(replace(trial(False), group=group), alarms)
                for group, alarms in (("elder", [(1.0, 2.0)]), ("young", []), ("elder", []))]
    found = split(verdicts, lambda one: one.group)
    assert {name: (of.lived, of.clean) for name, of in found.items()} == {"elder": (2, 1), "young": (1, 1)}


@pytest.mark.parametrize(("count", "of", "low", "high"), [
    (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
    (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718),
])
def test_the_interval_of_a_share_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=0.0001)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (4, 1.090, 10.242),
                                                    (10, 4.795, 18.390), (100, 81.36, 121.63)])
def test_the_interval_of_a_count_is_near_the_exact_one(count: int, low: float, high: float) -> None:
    assert byar(count) == pytest.approx((low, high), abs=0.1)
