"""Recordings as they lie on disk, and as other sensors would have told them."""

from pathlib import Path

import numpy as np
import pytest

from gateway.training.falls import recordings
from gateway.training.falls.recordings import Trial, at_rate, clipped


def trial(acc_mg: list[tuple[int, int, int]], fall_s: tuple[float, float] | None = None) -> Trial:
    return Trial("s1", "young", "walking", False, 20.0, np.array(acc_mg, np.int16), fall_s)


def test_a_smaller_sensor_cuts_each_axis() -> None:
    (small,) = clipped([trial([(2500, -2500, 1999)])], 2.0)
    assert small.acc_mg.tolist() == [[2000, -2000, 1999]]


def test_a_quicker_sensor_tells_the_same_movement_in_the_same_time() -> None:
    slow = trial([(0, 0, 1000), (100, -100, 1000), (200, -200, 1000), (300, -300, 1000)])
    (quick,) = at_rate([slow], 40.0)
    assert quick.duration_s == slow.duration_s
    assert quick.acc_mg[:, 0].tolist() == [0, 50, 100, 150, 200, 250, 300, 300]
    assert quick.acc_mg.dtype == np.int16


def test_a_fall_lies_where_it_was_annotated_or_else_about_the_strongest_sample() -> None:
    still = [(0, 0, 1000)] * 100
    still[60] = (0, -4000, 0)
    assert trial(still).window_s() == pytest.approx((3.0 - 1.6, 3.0 + 1.6))
    assert trial(still, (1.0, 2.0)).window_s() == pytest.approx((0.5, 3.0))


def test_a_recording_of_a_set_is_read_with_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "w.npz", acc_mg=np.arange(15, dtype=np.int16).reshape(5, 3), offset=[0, 2, 5], fs=[20.0, 25.0],
             subject=["a", "b"], group=["young", "elder"], activity=["R", "lateralFall"], is_fall=[0, 1],
             fall_start_s=[np.nan, 1.5], fall_end_s=[np.nan, 2.0], trial=[1, 2])
    monkeypatch.setattr(recordings, "FILES", {"W": "w.npz"})
    assert recordings.missing(tmp_path) is None
    calm, fell = recordings.load("W", folder=tmp_path)
    assert (calm.activity, calm.is_fall, calm.fall_s, len(calm.acc_mg)) == ("clapping", False, None, 2)
    assert (fell.subject, fell.group, fell.activity, fell.is_fall) == ("b", "elder", "lateralFall", True)
    assert (fell.fall_s, fell.rate_hz, fell.acc_mg[0].tolist()) == ((1.5, 2.0), 25.0, [6, 7, 8])
    assert [one.subject for one in recordings.load("W", every=2, folder=tmp_path)] == ["a"]


def test_where_recordings_are_missing_it_is_said_which_and_where_to_get_them(tmp_path: Path) -> None:
    why = recordings.missing(tmp_path) or ""
    for word in (str(tmp_path), "figshare 4214283", "repository 507", *recordings.FILES.values(), "ANJU_SHARED"):
        assert word in why
