"""What the benchmark of falls does to a recording: samples lost around an impact, and another watch's reading of it."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.falls.recording import LEAD_S
from gateway.detect.falls.wrist import SILENT_S
from gateway.training.falls.recordings import Trial
from hil.devices.bracelet import motion
from tests.bench.falls import accuracy, losses, product, tables, watches
from tests.unit.bench.test_falls_report import TALLY

RATE_HZ = 50.0
places = st.lists(st.integers(0, 300), min_size=4, max_size=4, unique=True).map(sorted)


def recorded(*parts: Any, is_fall: bool = True) -> Trial:
    return Trial("S1", "young", "walking", is_fall, float(motion.RATE_HZ), np.concatenate(parts))


@pytest.fixture(scope="module")
def fell() -> Trial:
    """A walk of four seconds and a fall of the bench's, whose impact is as hard as people's."""
    random = np.random.default_rng(1)
    return recorded(motion.walk(4.0, random).samples, motion.fall(random).samples)


# -- samples lost ----------------------------------------------------------------------------------------------------


@given(places)
def test_what_is_left_of_a_recording_keeps_its_numbers_and_what_is_lost_comes_in_no_block(edges: list[int]) -> None:
    samples = np.arange(900, dtype=np.int16).reshape(300, 3)
    blocks = list(losses.kept(samples, RATE_HZ, [(edges[0], edges[1]), (edges[2], edges[3])]))
    came = {block.first_index + row: rows for block in blocks
            for row, rows in enumerate(np.frombuffer(block.samples_mg, "<i2").reshape(-1, 3).tolist())}
    lost = {*range(*edges[:2]), *range(*edges[2:])}
    assert came == {number: samples[number].tolist() for number in range(300) if number not in lost}


@given(st.floats(20, 400), st.integers(0, 9))
def test_holes_lie_within_the_recording_and_no_window_sees_two_of_them(duration_s: float, seed: int) -> None:
    trial = replace(recorded(np.zeros((round(duration_s * 52), 3), np.int16)), is_fall=False)
    found = losses.holes(trial, 1.5, np.random.default_rng(seed))
    assert found == losses.holes(trial, 1.5, np.random.default_rng(seed))
    assert all(round(LEAD_S * 52) <= begin < end <= (LEAD_S + trial.duration_s) * 52 + 1 for begin, end in found)
    assert all(after[0] - before[1] >= 6.96 * 52 - 2 for before, after in pairwise(found))


def test_a_recording_of_which_nothing_is_lost_brings_what_a_replay_tells(fell: Trial) -> None:
    (told,) = losses.told(fell, product.FOREST, [])
    (replayed,) = product.found(fell.acc_mg, fell.rate_hz)
    assert told == pytest.approx(replayed, abs=2 / fell.rate_hz)  # a block comes when its last sample is over


def test_a_fall_has_its_impact_where_it_is_told_and_a_rest_has_none(fell: Trial) -> None:
    (told,) = losses.told(fell, product.FOREST, [])
    assert losses.impact_s(fell) == pytest.approx(told[0], abs=0.05)
    assert losses.impact_s(recorded(np.tile(np.array([0, 0, 1000], np.int16), (600, 1)))) is None


def test_a_fall_whose_impact_itself_is_lost_is_not_told_there(fell: Trial) -> None:
    at_s = losses.impact_s(fell)
    assert at_s is not None
    lost = losses.span(fell.rate_hz, at_s - 1, 2.0)
    assert not [one for one in losses.told(fell, product.FOREST, [lost]) if abs(one[0] - at_s) < 1]


def test_a_bracelet_silent_after_the_impact_has_its_fall_told_by_the_silence_and_sooner_than_a_second_not(
    fell: Trial
) -> None:
    at_s = losses.impact_s(fell)
    assert at_s is not None
    ((impact_s, told_s),) = losses.told_cut(fell, product.FOREST, at_s + 1.6)
    assert impact_s == pytest.approx(at_s, abs=0.05)
    assert told_s == pytest.approx(at_s + 1.6 + SILENT_S, abs=0.05)
    assert losses.told_cut(fell, product.FOREST, at_s + 0.9) == []


def test_a_cut_is_tried_every_two_seconds_of_a_recording_and_only_the_one_after_the_impact_alarms(fell: Trial) -> None:
    alarmed = list(losses.alarmed_by_cuts(fell, product.FOREST))
    assert len(alarmed) == pytest.approx(fell.duration_s / losses.CUT_EVERY_S, abs=1)
    at_s = losses.impact_s(fell)
    assert at_s is not None
    assert sum(alarmed) == 1
    assert at_s < alarmed.index(True) * losses.CUT_EVERY_S + losses.CUT_EVERY_S < at_s + 4


def test_holes_are_blamed_for_what_the_whole_recording_does_not_bring() -> None:
    assert losses.blamed([(5.0, 8.0), (30.0, 33.0)], [(5.2, 8.2)]) == 1
    assert losses.blamed([(5.0, 8.0)], []) == 1
    assert losses.blamed([], [(5.0, 8.0)]) == 0


def test_false_alarms_by_losses_have_their_count_and_their_interval() -> None:
    row = losses.per_loss("WISDM: silent", 4, 2000)
    assert (row.value, row.note) == (2.0, "4 by 2000")
    assert row.spread == pytest.approx((0.54, 5.12), abs=0.05)


# -- another watch ---------------------------------------------------------------------------------------------------


def test_a_perfect_watch_worn_another_way_tells_the_same_lengths_at_its_own_rate(fell: Trial) -> None:
    perfect = watches.Watch(fell.rate_hz, 16.0, gain=0, offset_g=0, noise_g=0)
    (told,) = watches.heard([fell], perfect, np.random.default_rng(1))
    same = watches.heard([fell], replace(perfect, rate_hz=20.0), np.random.default_rng(1))[0]
    assert same.rate_hz == 20.0
    assert same.duration_s == pytest.approx(fell.duration_s, abs=0.1)
    assert losses.impact_s(same) == pytest.approx(losses.impact_s(fell), abs=0.1)
    rest = slice(len(told.acc_mg) - 40, len(told.acc_mg) - 5)
    lengths_mg = [np.linalg.norm(one.acc_mg[rest].astype(float), axis=1).mean() for one in (fell, told)]
    assert lengths_mg[0] == pytest.approx(lengths_mg[1], abs=3)
    assert np.abs(told.acc_mg[rest].mean(axis=0) - fell.acc_mg[rest].mean(axis=0)).max() > 100


def test_a_watch_ends_at_its_range_and_the_same_seed_is_the_same_piece(fell: Trial) -> None:
    watch = watches.WATCHES["50 Hz ±2 g"]
    told, again, other = (watches.heard([fell], watch, np.random.default_rng(seed))[0].acc_mg for seed in (3, 3, 4))
    assert np.abs(told).max() == 2000
    assert (told == again).all()
    assert (told != other).any()


def test_the_offset_of_a_badly_calibrated_watch_is_one_for_all_that_it_tells() -> None:
    rest = recorded(np.tile(np.array([0, 0, 1000], np.int16), (600, 1)))
    off = watches.Watch(50.0, 4.0, gain=0, offset_g=0.5, noise_g=0)
    one, other = watches.heard([rest, rest], off, np.random.default_rng(1))
    assert (one.acc_mg == one.acc_mg[0]).all()
    assert (one.acc_mg[0] == other.acc_mg[0]).all()
    assert abs(np.linalg.norm(one.acc_mg[0].astype(float)) - 1000) > 50


def test_over_all_watches_the_mean_stands_beside_the_worst_the_best_and_what_is_asked() -> None:
    row = watches.of_all("sensitivity", [TALLY, replace(TALLY, found=20)])
    assert (row.value, row.spread) == (95.0, (90.0, 100.0))
    assert row.note == "asked of a watch never seen: 95 %"
    assert row.limit is None


# -- what the report makes of it -------------------------------------------------------------------------------------


def test_each_limit_of_the_accuracy_is_one_of_its_rows() -> None:
    named = {row.name for data in ("UMAFall", "WISDM", "UMAFall at ±2 g", "WISDM at ±2 g")
             for row in accuracy.rows(data, accuracy.UNSEEN, TALLY)}
    assert len(accuracy.LIMITS) == 6
    assert set(accuracy.LIMITS) <= named


def test_a_table_has_a_column_only_for_what_one_of_its_rows_tells() -> None:
    line = tables.crosstab([losses.per_loss("WISDM: silent", 4, 2000).as_json()]).splitlines()
    assert line[0] == "| data | detector | false alarms per 1000 losses |"
    assert line[2].startswith("| WISDM: silent | Anju (cross-validated) | 2 (0.5")
