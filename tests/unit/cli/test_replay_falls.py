"""`anju replay falls`: recordings in, a table of falls out; whatever the file holds, it is judged or told why not."""

import csv
import io
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.detect.falls import BadModel
from gateway.runtime import fall_model
from hil.devices.bracelet import motion
from tests.bench.falls import product
from tests.unit.cli.conftest import Shell

Samples = motion.Samples
WALKED_S = 5.0


def fallen(seed: int = 0) -> tuple[Samples, float]:
    """A made-up fall at RATE_HZ and the moment of its impact."""
    random = np.random.default_rng(seed)
    before, fall = motion.walk(WALKED_S, random).samples, motion.fall(random)
    return np.concatenate([before, fall.samples]), (len(before) + (fall.impact or 0)) / motion.RATE_HZ


def walked() -> Samples:
    return motion.walk(9.0, np.random.default_rng(0)).samples


def written(path: Path, trials: Sequence[Samples], rates_hz: Sequence[float] | None = None, **other: Any) -> Path:
    """A file as people hand it in: no label is in it."""
    arrays = {"acc_mg": np.concatenate(trials), "offset": np.cumsum([0, *map(len, trials)]),
              "fs": np.array(rates_hz or [motion.RATE_HZ] * len(trials), float)}
    np.savez(path, **{name: array for name, array in (arrays | other).items() if array is not None})
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def at_rate(samples: Samples, rate_hz: float) -> Samples:
    old_s = np.arange(len(samples)) / motion.RATE_HZ
    new_s = np.arange(0, old_s[-1], 1 / rate_hz)
    return np.rint(np.stack([np.interp(new_s, old_s, axis) for axis in samples.T], axis=1)).astype(np.int16)


# -- what is written -------------------------------------------------------------------------------------------------


def test_each_fall_is_a_row_with_its_trial_its_impact_and_when_it_was_told(shell: Shell, tmp_path: Path) -> None:
    (first, first_s), (last, last_s) = fallen(0), fallen(1)
    text = shell("replay", "falls", written(tmp_path / "t.npz", [first, walked(), last])).stdout
    assert text.splitlines()[0].startswith("trial,impact_s,raised_s,")
    found = rows(text)
    assert [row["trial"] for row in found] == ["0", "2"]
    for row, impact_s in zip(found, (first_s, last_s), strict=True):
        assert float(row["impact_s"]) == pytest.approx(impact_s, abs=1.0)
        assert 2.5 < float(row["raised_s"]) - float(row["impact_s"]) < 21
        assert 0 < float(row["score"]) <= 1
        assert row["stage"] in ("2", "3")
        assert "impact" in row["words"]


def test_it_is_what_the_benchmark_judges(shell: Shell, tmp_path: Path) -> None:
    samples, _ = fallen()
    (row,) = rows(shell("replay", "falls", written(tmp_path / "t.npz", [samples])).stdout)
    ((impact_s, told_s),) = product.found(samples, motion.RATE_HZ)
    assert (float(row["impact_s"]), float(row["raised_s"])) == pytest.approx((impact_s, told_s), abs=0.001)


def test_a_file_gets_what_the_screen_would_have_had(shell: Shell, tmp_path: Path) -> None:
    trials = written(tmp_path / "t.npz", [fallen()[0]])
    said = shell("replay", "falls", trials).stdout
    assert shell("replay", "falls", trials, "--out", tmp_path / "f.csv").stdout == ""
    assert (tmp_path / "f.csv").read_text() == said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("rate_hz", [20.0, 26.0, 52.0, 100.0])
@pytest.mark.parametrize("range_mg", [2000, 16000])
def test_a_fall_is_found_at_every_rate_and_range(shell: Shell, tmp_path: Path, rate_hz: float, range_mg: int) -> None:
    samples, impact_s = fallen()
    heard = at_rate(samples, rate_hz).clip(-range_mg, range_mg)
    (row,) = rows(shell("replay", "falls", written(tmp_path / "t.npz", [heard], [rate_hz])).stdout)
    assert float(row["impact_s"]) == pytest.approx(impact_s, abs=1.0)


def test_trials_of_different_rates_may_lie_in_one_file(shell: Shell, tmp_path: Path) -> None:
    samples, _ = fallen()
    file = written(tmp_path / "t.npz", [at_rate(samples, 20.0), at_rate(samples, 100.0)], [20.0, 100.0])
    slow, quick = rows(shell("replay", "falls", file).stdout)
    assert float(slow["impact_s"]) == pytest.approx(float(quick["impact_s"]), abs=0.3)


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64, np.dtype(">i2")])
def test_milli_g_of_another_type_are_taken_too(shell: Shell, tmp_path: Path, dtype: Any) -> None:
    whole = written(tmp_path / "t.npz", [fallen()[0]])
    other = written(tmp_path / "o.npz", [fallen()[0].astype(dtype)])
    assert shell("replay", "falls", other).stdout == shell("replay", "falls", whole).stdout


@pytest.mark.parametrize("short", [0, 1, 2, 10])
def test_a_trial_too_short_to_hold_a_fall_has_none_and_hides_no_other(shell: Shell, tmp_path: Path, short: int) -> None:
    file = written(tmp_path / "t.npz", [walked()[:short], fallen()[0], walked()[:short]])
    assert [row["trial"] for row in rows(shell("replay", "falls", file).stdout)] == ["1"]


def test_the_help_says_whole_what_a_file_must_hold(shell: Shell) -> None:
    assert "acc_mg (int16, n × 3), offset, fs in Hz" in " ".join(shell("replay", "falls", "--help").stdout.split())


def test_no_trials_are_a_table_without_rows(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path / "t.npz", [walked()[:0]], offset=np.array([0]), fs=np.array([]))
    assert shell("replay", "falls", file).stdout.splitlines() == ["trial,impact_s,raised_s,score,stage,words"]


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changed", "said"), [
    ({"acc_mg": None}, "it has no acc_mg"),
    ({"offset": None, "fs": None}, "it has no offset and no fs"),
    ({"acc_mg": np.zeros(300, np.int16)}, "acc_mg is int16 [300], not whole milli-g [n, 3]"),
    ({"acc_mg": np.zeros((300, 4), np.int16)}, "acc_mg is int16 [300, 4], not whole milli-g [n, 3]"),
    ({"acc_mg": np.full((468, 3), np.nan)}, "acc_mg is float64 [468, 3], not whole milli-g [n, 3]"),
    ({"acc_mg": np.full((468, 3), "1")}, "acc_mg is no array of numbers"),
    ({"fs": np.array(52.0)}, "fs is no array of numbers"),
    ({"offset": np.array([0, 468, 468])}, "offset must rise"),
    ({"offset": np.array([0, 469])}, "offset must rise"),
    ({"offset": np.array([-1, 468])}, "offset must rise"),
    ({"offset": np.array([468, 0])}, "offset must rise"),
    ({"offset": np.array([0.0, 467.5])}, "offset must rise"),
    ({"offset": np.array([])}, "offset must rise"),
    ({"fs": np.array([[52.0]])}, "offset must rise"),
    ({"fs": np.array([14.0])}, "trial 0 has 14 samples a second: 15 to 250 can be judged"),
    ({"fs": np.array([np.nan])}, "trial 0 has nan samples a second"),
    ({"fs": np.array([5000])}, "trial 0 has 5000 samples a second"),
])
def test_arrays_that_do_not_fit_are_told_and_how_they_should_be(
    shell: Shell, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    result = shell("replay", "falls", written(tmp_path / "t.npz", [walked()], **changed), code=1)
    assert said in result.stderr
    assert "give an npz file with acc_mg, offset and fs" in result.stderr
    assert result.stdout == ""


def test_pickled_objects_are_not_run(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path / "t.npz", [walked()], acc_mg=np.array([object()]))
    assert "allow_pickle=False" in shell("replay", "falls", file, code=1).stderr


def test_a_file_of_another_kind_is_told(shell: Shell, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", walked())
    (tmp_path / "empty.npz").touch()
    for file in (tmp_path / "a.npy", tmp_path / "empty.npz", shell.config):
        assert "no npz file" in shell("replay", "falls", file, code=1).stderr
    assert "No such file" in shell("replay", "falls", tmp_path / "gone.npz", code=1).stderr
    assert "Is a directory" in shell("replay", "falls", tmp_path, code=1).stderr


def test_a_damaged_file_is_told_wherever_the_damage_is(shell: Shell, tmp_path: Path) -> None:
    whole = written(tmp_path / "t.npz", [walked()[:40]]).read_bytes()
    for place in range(0, len(whole), 23):
        (tmp_path / "d.npz").write_bytes(whole[:place])
        assert shell("replay", "falls", tmp_path / "d.npz", code=1).stdout == ""


def test_a_table_that_cannot_be_written_is_told_before_the_work(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path / "t.npz", [walked()])
    result = shell("replay", "falls", file, "--out", tmp_path / "nowhere" / "f.csv", code=1)
    assert "nowhere/f.csv cannot be written (No such file or directory)" in result.stderr
    assert "a folder of yours" in result.stderr


def test_a_model_that_cannot_be_used_is_told_with_its_cure(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> None:
        raise BadModel("the fall model is damaged (its checksum differs)", "install anju again")

    monkeypatch.setattr(fall_model, "load", load)
    result = shell("replay", "falls", written(tmp_path / "t.npz", [walked()]), code=1)
    assert result.stderr.splitlines() == ["the fall model is damaged (its checksum differs)", "  install anju again"]


# -- as a program ----------------------------------------------------------------------------------------------------


def test_on_a_terminal_a_bar_shows_on_stderr_and_the_table_stays_clean(tmp_path: Path) -> None:
    file = written(tmp_path / "t.npz", [fallen(seed)[0] for seed in range(3)])
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "from gateway.app import main; main()", "replay", "falls", str(file)]
    where = os.environ | {"TERM": "xterm"}
    child = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=theirs, text=True, env=where)
    os.close(theirs)
    shown = drained(ours)
    assert child.stdout is not None
    with child.stdout:
        text = child.stdout.read()
    assert child.wait() == 0
    assert [row["trial"] for row in rows(text)] == ["0", "1", "2"]
    assert "\x1b" not in text
    assert "falls" in shown
    assert "%" in shown


def drained(terminal: int) -> str:
    """All that a program writes to its terminal until it ends."""
    said = b""
    with open(terminal, "rb", buffering=0) as screen:
        try:
            while piece := screen.read(4096):
                said += piece
        except OSError:  # EIO: the last program has left the terminal
            pass
    return said.decode(errors="replace")


def test_without_a_terminal_nothing_but_the_table_is_said(tmp_path: Path) -> None:
    file = written(tmp_path / "t.npz", [fallen()[0]])
    program = [sys.executable, "-c", "from gateway.app import main; main()", "replay", "falls", str(file)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert len(rows(done.stdout)) == 1
    assert done.stderr == ""
