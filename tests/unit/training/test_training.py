"""`make train-falls` from beginning to end on made-up people, and that nobody is judged by a model that saw them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.falls import decode, features
from gateway.training.falls import __main__ as command
from gateway.training.falls import examples, fit, recordings, validate
from gateway.training.falls.examples import Examples
from gateway.training.falls.recordings import FILES, Trial
from tests.unit.training.people import FALLERS, OTHERS, written

pytest.importorskip("lightgbm", reason="training needs the extra `train`")


@pytest.fixture(autouse=True, scope="module")
def few() -> Iterator[None]:
    """Few made-up recordings and few trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examples, "MADE_UP", 20)
        patch.setattr(fit, "TREES", 30)
        yield


# -- from beginning to end -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("people")
    made = []
    for name in ("one", "again"):
        model, card = folder / f"{name}.model", folder / f"{name}.md"
        command.train(written(folder), model, card)
        made.append((model.read_bytes(), card.read_text()))
    return SimpleNamespace(model=made[0][0], card=made[0][1], again=made[1])


def test_the_same_recordings_give_the_same_bytes_and_the_same_card(trained: SimpleNamespace) -> None:
    assert trained.again == (trained.model, trained.card)


def test_the_model_is_one_that_the_gateway_reads_and_says_what_it_saw(trained: SimpleNamespace) -> None:
    forest = decode(trained.model, features.NAMES)
    assert (forest.high, forest.low) == (fit.HIGH, fit.LOW)
    assert forest.about == {"trials": str(18 + 48 + 36), "falls": "18", "sets": "UMAFall, WISDM"}


@pytest.mark.parametrize("said", [
    "No elder falls in these data", "one of 3 people", "onto a\n  mattress", "Soft falls", "no medical device",
    f"{fit.HIGH:g} on a fall is told at once", f"{fit.LOW:g} on if nobody recovers", "102 recordings of 7 people",
    "18 falls", "20-100 Hz", "±2 g or more",
    "figshare 4214283", "CC BY", "UCI 507", "No recording is in the repository", "Nobody is judged by a model that saw",
    "95 % intervals", "age: elder", "age: young", "subject: S1", "lateralFall", "UMAFall", "WISDM", "held to ±2 g",
    "One subject fell 6 times of 18",
])
def test_the_card_names_what_the_model_is_what_it_learned_from_and_what_it_cannot(
    trained: SimpleNamespace, said: str
) -> None:
    assert said in trained.card


def test_each_share_on_the_card_has_its_count_and_its_interval(trained: SimpleNamespace) -> None:
    (row,) = [line for line in trained.card.splitlines() if line.startswith("| subject: S2 |")][:1]
    assert " of 6 | " in row
    assert row.count("–") >= 2
    assert "%" in row


# -- what it is started with -----------------------------------------------------------------------------------------


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gateway.training.falls", *map(str, arguments)], check=False,
                          capture_output=True, text=True)


def test_a_folder_without_recordings_is_told_with_the_cure_and_ends_with_2(tmp_path: Path) -> None:
    model, card = tmp_path / "m", tmp_path / "c"
    done = ran(tmp_path / "nowhere", "--model", model, "--card", card)
    assert done.returncode == 2
    assert f"no recordings in {tmp_path / 'nowhere'}: get UMAFall (figshare 4214283" in done.stderr
    assert "Traceback" not in done.stderr
    assert not model.exists()
    assert not card.exists()


def test_a_file_that_is_no_recording_is_told_with_the_cure_and_ends_with_2(tmp_path: Path) -> None:
    for content in (b"", b"no npz", written(tmp_path).joinpath(FILES["UMAFall"]).read_bytes()[:5000]):
        (tmp_path / FILES["UMAFall"]).write_bytes(content)
        done = ran(tmp_path, "--model", tmp_path / "m", "--card", tmp_path / "c")
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "umafall_dev.npz cannot be used (no npz file, or damaged" in done.stderr
        assert "gateway/training/falls/recordings.py" in done.stderr


def test_a_file_that_lacks_an_array_is_told_by_the_arrays_name(tmp_path: Path) -> None:
    with np.load(written(tmp_path) / FILES["WISDM"]) as file:
        np.savez(tmp_path / FILES["WISDM"], **{name: file[name] for name in file.files if name != "subject"})
    done = ran(tmp_path, "--model", tmp_path / "m", "--card", tmp_path / "c")
    assert done.returncode == 2, done.stderr
    assert "wisdm_watch_dev.npz cannot be used (it has no subject)" in done.stderr


def test_without_lightgbm_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["train", "."])
    assert command.main() == 2
    assert "pip install 'anju[train]'" in capsys.readouterr().err


# -- nobody judged by a model that saw them --------------------------------------------------------------------------


def trial(subject: str, is_fall: bool) -> Trial:
    return Trial(subject, "young", "x", is_fall, 20.0, np.zeros((40, 3), np.int16))


someone = st.builds(trial, st.sampled_from([f"p{number}" for number in range(9)]), st.booleans())
people = st.lists(someone, min_size=1, max_size=40).filter(lambda trials: any(one.is_fall for one in trials))


@given(people)
def test_everybody_is_in_one_fold_and_each_fold_has_one_who_fell(trials: list[Trial]) -> None:
    folds = validate.folds(trials)
    assert sorted(who for fold in folds for who in fold) == sorted({one.subject for one in trials})
    fell = {one.subject for one in trials if one.is_fall}
    assert all(len(fold & fell) == 1 for fold in folds)


@given(people)
def test_each_is_judged_once_by_a_model_that_learned_from_all_others_and_from_made_up_life(trials: list[Trial]) -> None:
    who = [one.subject for one in trials] + ["made up: knock"]
    learned = Examples(np.zeros((len(who), 1), np.float32), np.zeros(len(who), bool), np.array(who))
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "fitted", lambda seen, about: sorted(set(seen.who.tolist())))
        patch.setattr(validate.forest, "encode", lambda model: model)
        patch.setattr(validate.forest, "decode", lambda model, names: model)

        def judged(acc_mg: Any, rate_hz: float, model: list[str]) -> list[tuple[float, float, None]]:
            (subject,) = {one.subject for one in trials if one.acc_mg is acc_mg}
            asked.append(subject)
            assert subject not in model
            assert set(model) >= {"made up: knock"}
            return [(float(len(model)), 0.0, None)]

        patch.setattr(validate, "judged", judged)
        alarms = validate.cross_validated(validate.models(trials, learned), trials)
    assert sorted(asked) == sorted(one.subject for one in trials)
    assert all(len(told) == 1 for told in alarms)


def test_the_models_of_cross_validation_are_not_one_another(tmp_path: Path) -> None:
    trials = [one for name in recordings.FILES for one in recordings.load(name, folder=written(tmp_path))]
    learned = examples.examples(trials)
    assert set(learned.who.tolist()) >= set(FALLERS) | set(OTHERS) - {"W1", "W2", "W3"}
    models = validate.models(trials, learned)
    assert [len(subjects & set(FALLERS)) for subjects, _ in models] == [1, 1, 1]
    assert len({model.value.tobytes() for _, model in models}) == 3
