"""What the benchmark of falls shows the detectors, and how its rows read."""

from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="recordings are numpy files: install the extra `bench`")

from gateway.training.falls.recordings import Trial, at_rate, clipped  # noqa: E402
from gateway.training.falls.score import Tally, Verdict  # noqa: E402
from tests.bench import falls  # noqa: E402
from tests.bench.falls import accuracy, recordings  # noqa: E402
from tests.bench.falls.tables import crosstab  # noqa: E402

TALLY = Tally(falls=20, found=18, lived=50, clean=49, false=2, hours=4.0, false_before_fall=1, delays_s=(2.0, 3.0, 4.0))


def trial(acc_mg: list[tuple[int, int, int]], subject: str = "s1", is_fall: bool = False) -> Trial:
    return Trial(subject, "young", "walking", is_fall, 20.0, np.array(acc_mg, np.int16))


def test_a_smaller_sensor_cuts_each_axis() -> None:
    (small,) = clipped([trial([(2500, -2500, 1999)])], 2.0)
    assert small.acc_mg.tolist() == [[2000, -2000, 1999]]


def test_a_quicker_sensor_tells_the_same_movement_in_the_same_time() -> None:
    slow = trial([(0, 0, 1000), (100, -100, 1000), (200, -200, 1000), (300, -300, 1000)])
    (quick,) = at_rate([slow], 40.0)
    assert quick.duration_s == slow.duration_s
    assert quick.acc_mg[:, 0].tolist() == [0, 50, 100, 150, 200, 250, 300, 300]
    assert quick.acc_mg.dtype == np.int16


def test_a_recording_of_a_set_is_read_with_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "w.npz", acc_mg=np.arange(15, dtype=np.int16).reshape(5, 3), offset=[0, 2, 5], fs=[20.0, 25.0],
             subject=["a", "b"], group=["young", "elder"], activity=["R", "lateralFall"], is_fall=[0, 1],
             fall_start_s=[np.nan, 1.5], fall_end_s=[np.nan, 2.0], trial=[1, 2])
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    monkeypatch.setattr(recordings, "FILES", {"W": "w.npz"})
    assert recordings.missing() is None
    calm, fell = recordings.load("W")
    assert (calm.activity, calm.is_fall, calm.fall_s, len(calm.acc_mg)) == ("clapping", False, None, 2)
    assert (fell.subject, fell.group, fell.activity, fell.is_fall) == ("b", "elder", "lateralFall", True)
    assert (fell.fall_s, fell.rate_hz, fell.acc_mg[0].tolist()) == ((1.5, 2.0), 25.0, [6, 7, 8])
    assert [one.subject for one in recordings.load("W", every=2)] == ["a"]


def test_without_recordings_the_suite_says_where_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "FOLDER", tmp_path / "falls")
    why = falls.missing() or ""
    assert str(tmp_path / "falls") in why
    assert "figshare 4214283" in why
    assert "ANJU_SHARED" in why


def test_a_share_has_its_count_and_its_interval() -> None:
    rows = {row.name: row for row in accuracy.rows("UMAFall", "Anju", TALLY)}
    sensitivity = rows["UMAFall, Anju, sensitivity"]
    assert (sensitivity.value, sensitivity.unit, sensitivity.note) == (90.0, "%", "18 of 20 falls")
    assert sensitivity.spread == pytest.approx((69.9, 97.2), abs=0.1)
    assert rows["UMAFall, Anju, false alarms"].value == 0.5
    assert rows["UMAFall, Anju, delay"].spread == (2.0, 4.0)


def test_what_a_set_cannot_tell_has_no_row() -> None:
    calm = Tally(falls=0, found=0, lived=3, clean=3, false=0, hours=1.0, false_before_fall=0, delays_s=())
    assert [row.name for row in accuracy.rows("W", "Anju", calm)] == ["W, Anju, specificity", "W, Anju, false alarms"]


def test_one_line_of_the_table_is_one_detector_on_its_data() -> None:
    rows = [row.as_json() for detector in ("Anju", "Bourke 2007") for row in accuracy.rows("UMAFall", detector, TALLY)]
    lines = crosstab(rows).splitlines()
    assert lines[2].startswith("| UMAFall | Anju | 90 % (69.9–97.2) | 98 % (")
    assert lines[2].endswith("| 1 | 3 s (2–4) |")
    assert [line.split(" | ")[1] for line in lines[2:]] == ["Anju", "Bourke 2007"]
    assert crosstab([]) == ""


def test_the_worst_subjects_are_named_for_either_error() -> None:
    found = [Verdict(trial([(0, 0, 1000)], subject=subject, is_fall=is_fall), delay_s, false) for
             subject, is_fall, delay_s, false in (("a", True, 3.0, 0), ("b", True, None, 0), ("a", False, None, 1),
                                                  ("b", False, None, 0))]
    assert [name for name, _ in accuracy.worst(found)] == ["lowest sensitivity (b)", "lowest specificity (a)"]
