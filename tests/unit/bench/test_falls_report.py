"""What the benchmark of falls says: how its rows read, and what to do where its recordings are missing."""

import numpy as np
import pytest

from gateway.training.falls import recordings
from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Tally, Verdict
from tests.bench import falls
from tests.bench.falls import accuracy
from tests.bench.falls.tables import crosstab

TALLY = Tally(falls=20, found=18, lived=50, clean=49, false=2, hours=4.0, false_before_fall=1, delays_s=(2.0, 3.0, 4.0))


def trial(subject: str, is_fall: bool) -> Trial:
    return Trial(subject, "young", "walking", is_fall, 20.0, np.array([(0, 0, 1000)], np.int16))


def test_the_suite_says_what_it_lacks_as_the_training_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "FILES", {"None": "of this name.npz"})
    assert falls.missing() == recordings.missing(recordings.FOLDER) is not None


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
    found = [Verdict(trial(subject, is_fall), delay_s, false) for subject, is_fall, delay_s, false in (
        ("a", True, 3.0, 0), ("b", True, None, 0), ("a", False, None, 1), ("b", False, None, 0))]
    assert [name for name, _ in accuracy.worst(found)] == ["lowest sensitivity (b)", "lowest specificity (a)"]
