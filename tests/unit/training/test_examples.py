"""From recordings to examples: what is fitted is what runs, and each example says rightly whether somebody fell."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect.falls import features
from gateway.detect.falls.recording import Raw, judged
from gateway.training.falls import examples as module
from gateway.training.falls import made_up, watches
from gateway.training.falls.examples import Examples, examples, impacts
from gateway.training.falls.recordings import Trial
from tests.unit.detect.test_falls_wrist import saying
from tests.unit.detect.wrist import HANGING, LYING, Wrist

PEAK = features.NAMES.index("peak_g")


def raw(wrist: Wrist) -> Raw:
    return np.rint(np.array(wrist.samples) * 1000).astype(np.int16)


def knocked(*peaks_g: float) -> Raw:
    """Blows at 5 s, 9 s, 13 s and so on."""
    wrist = Wrist(50).rest(1, HANGING)
    for peak_g in peaks_g:
        wrist.rest(3.84 if len(wrist.samples) > 50 else 4, HANGING).knock(peak_g)
    return raw(wrist.rest(5, LYING))


def trial(acc_mg: Raw, is_fall: bool = False, fall_s: tuple[float, float] | None = None) -> Trial:
    return Trial("s1", "young", "something", is_fall, 50.0, acc_mg, fall_s)


def peaks_g(learned: Examples) -> list[float]:
    return [round(float(peak_g), 1) for peak_g in learned.vectors[:, PEAK]]


@pytest.fixture
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other watches and nothing made up."""
    monkeypatch.setattr(module, "COPIES", {True: 1, False: 1})
    monkeypatch.setattr(module, "MADE_UP", 0)


@given(st.lists(st.tuples(st.floats(1.3, 3), st.floats(0.2, 5)), max_size=5), st.sampled_from([20.0, 50.0, 100.0]))
@settings(max_examples=40, deadline=None)
def test_the_examples_of_a_recording_are_the_windows_that_the_running_detector_scores(
    blows: list[tuple[float, float]], rate_hz: float
) -> None:
    wrist = Wrist(rate_hz).rest(2, HANGING)
    for peak_g, rest_s in blows:
        wrist.knock(peak_g).rest(rest_s, LYING)
    forest = saying(lambda vector: 0.0)
    assert list(judged(raw(wrist), rate_hz, forest)) == []
    found = impacts(raw(wrist), rate_hz)
    within = [vector for moment_s, vector in found]
    scored = [vector for vector in forest.asked if any(np.array_equal(vector, one) for one in within)]
    assert len(scored) == len(within)
    assert all(0 <= moment_s <= len(wrist.samples) / rate_hz for moment_s, _ in found)


@pytest.mark.usefixtures("as_recorded")
def test_what_was_before_a_fall_is_none_what_is_in_it_is_one_and_what_comes_after_is_left_out() -> None:
    learned = examples([trial(knocked(1.8, 2.0, 3.0, 2.2), is_fall=True)])
    assert dict(zip(peaks_g(learned), learned.fell.tolist(), strict=True)) == {1.8: False, 2.0: False, 3.0: True}
    annotated = examples([trial(knocked(1.8, 2.0, 3.0, 2.2), is_fall=True, fall_s=(9.5, 10.0))])
    assert annotated.fell.tolist() == [False, True]


@pytest.mark.usefixtures("as_recorded")
def test_nothing_in_a_recording_without_a_fall_is_one() -> None:
    learned = examples([trial(knocked(1.8, 3.0)), replace(trial(knocked(2.0)), subject="s2")])
    assert learned.fell.tolist() == [False, False, False]
    assert learned.who.tolist() == ["s1", "s1", "s2"]
    assert peaks_g(learned.of(["s2"])) == [2.0]
    assert learned.of(["s2"], others=True).who.tolist() == ["s1", "s1"]


def test_other_watches_tell_the_same_fall_and_the_same_seed_the_same_examples() -> None:
    trials = [trial(knocked(1.8, 3.0), is_fall=True), trial(knocked(1.7))]
    one, again, other = (examples(trials, seed) for seed in (0, 0, 1))
    for mine, theirs in zip((one.vectors, one.fell, one.who), (again.vectors, again.fell, again.who), strict=True):
        assert np.array_equal(mine, theirs)
    assert not np.array_equal(one.vectors, other.vectors)
    assert one.fell.sum() >= module.COPIES[True]
    assert np.isfinite(one.vectors).all()


def test_made_up_life_is_nobodys_and_no_fall() -> None:
    learned = examples([trial(knocked(1.8))])
    made = np.char.startswith(learned.who, "made up: ")
    assert made.sum() > module.MADE_UP / 4
    assert not learned.fell[made].any()
    assert {who.removeprefix("made up: ") for who in learned.who[made]} == {
        name for name, _ in made_up.trials(20, np.random.default_rng(0))}


# -- other watches, and what is made up ------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 400))
@settings(max_examples=100, deadline=None)
def test_another_watch_tells_whole_milli_g_for_as_long_as_the_movement_lasted(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    signal = random.normal(0, 8, (count, 3))
    told, rate_hz = watches.other(signal, 20.0, random)
    assert told.dtype == np.int16
    assert np.abs(told.astype(int)).max(initial=0) <= 16000
    assert rate_hz in (20.0, *watches.RATES_HZ)
    assert len(told) / rate_hz == pytest.approx((count - 1) / 20.0, abs=1.01 / rate_hz)


def test_another_watch_of_a_still_arm_errs_by_its_offset_gain_and_noise_alone() -> None:
    random = np.random.default_rng(0)
    still = np.tile([0.0, 0.6, 0.8], (400, 1))
    told = [watches.other(still, 20.0, random)[0].mean(axis=0) / 1000 - still[0] for _ in range(300)]
    assert np.abs(np.mean(told, axis=0)).max() < 0.01
    assert np.std(told, axis=0) == pytest.approx(watches.OFFSET_G, rel=0.25)


def test_a_smooth_curve_goes_through_the_samples_and_stays_between_them() -> None:
    samples = np.array([[0.0], [1.0], [4.0], [2.0], [2.0]]) * np.ones(3)
    assert np.array_equal(watches.curved(samples, np.arange(5.0)), samples)
    assert watches.curved(samples, np.array([1.5]))[0, 0] == pytest.approx((-0.0 + 9 * 1 + 9 * 4 - 2) / 16)
    straight = np.arange(5.0)[:, None] * np.ones(3)
    assert watches.curved(straight, np.array([2.25]))[0] == pytest.approx(2.25)


@pytest.mark.parametrize("make", [made_up.knock, made_up.drop_arm, made_up.clap_and_rest, made_up.shake_and_rest,
                                  made_up.sit_down_hard])
def test_what_is_made_up_has_impacts_and_begins_and_ends_at_rest(make: Callable[[np.random.Generator], Raw]) -> None:
    random, seen = np.random.default_rng(0), 0
    for _ in range(40):
        signal = make(random)
        size_g = np.linalg.norm(signal, axis=1)
        assert len(signal) == 16 * made_up.RATE_HZ
        assert abs(size_g[-100:].mean() - 1) < 0.05
        seen += len(impacts(np.rint(signal.clip(-16, 16) * 1000).astype(np.int16), made_up.RATE_HZ)) > 0
    assert seen > 10


def test_examples_know_their_subjects() -> None:
    learned = Examples(np.zeros((3, 1), np.float32), np.array([True, False, True]), np.array(["a", "b", "a"]))
    assert learned.of(["a"]).fell.tolist() == [True, True]
    assert learned.of(["a", "b"], others=True).fell.tolist() == []
