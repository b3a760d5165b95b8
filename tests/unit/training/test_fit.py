"""The fit: the trees that LightGBM grew are those that run, and the same examples give the same file."""

from typing import Any

import numpy as np
import pytest

from gateway.detect.falls import features, forest
from gateway.training.falls import fit
from gateway.training.falls.examples import Examples

lightgbm = pytest.importorskip("lightgbm", reason="training needs the extra `train`")
COUNT = len(features.NAMES)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "TREES", 120)


def learned(seed: int = 0, step: float = 0.0) -> Examples:
    """Four hundred of random features, a fall the likelier the higher the first two; `step`: apart by that alone."""
    random = np.random.default_rng(seed)
    vectors = random.normal(0, 1, (400, COUNT)).astype(np.float32)
    fell = vectors[:, 0] + vectors[:, 1] + random.normal(0, 0.3, 400) > 0.8
    if step:
        vectors = (1 + np.floor(vectors * 8) * step).astype(np.float32)
    return Examples(vectors, fell, np.array(["s1", "s2"] * 200))


def grown(monkeypatch: pytest.MonkeyPatch, of: Examples) -> tuple[Any, forest.Forest]:
    """(LightGBM's own model, ours) of these examples."""
    kept: list[Any] = []
    train = lightgbm.train

    def keeping(*arguments: Any, **more: Any) -> Any:
        kept.append(train(*arguments, **more))
        return kept[-1]

    monkeypatch.setattr(lightgbm, "train", keeping)
    ours = forest.decode(forest.encode(fit.fitted(of, {})), features.NAMES)
    return kept[0], ours


@pytest.mark.parametrize("step", [0.0, 2.0**-23], ids=["wide apart", "one single apart"])
def test_the_score_is_lightgbms_own_for_every_example(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """Where features lie as near to one another as singles can, a threshold between them must not be rounded up."""
    of = learned(step=step)
    theirs, ours = grown(monkeypatch, of)
    scores = [ours.score(vector.astype(np.float64)) for vector in of.vectors]
    assert np.ptp(scores) > 0.4
    assert scores == pytest.approx(theirs.predict(of.vectors).tolist(), abs=1e-6)


def test_the_score_is_lightgbms_own_for_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = grown(monkeypatch, learned())
    strangers = learned(seed=1).vectors * 3
    scores = [ours.score(vector.astype(np.float64)) for vector in strangers]
    assert scores == pytest.approx(theirs.predict(strangers).tolist(), abs=1e-6)


def test_a_forest_that_could_not_split_says_the_same_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Examples(*(column[:30] for column in (learned().vectors, learned().fell, learned().who)))
    theirs, ours = grown(monkeypatch, few)
    assert ours.depth == 0
    assert ours.score(np.zeros(COUNT)) == pytest.approx(theirs.predict(np.zeros((1, COUNT)))[0], abs=1e-6)


def test_the_same_examples_give_the_same_bytes_and_others_do_not() -> None:
    one, again, other = (forest.encode(fit.fitted(learned(seed), {"trials": "9"})) for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_the_file_says_its_thresholds_and_its_features() -> None:
    sheet = fit.fitted(learned(), {"trials": "9"})
    assert (sheet.high, sheet.low, sheet.names, sheet.about) == (fit.HIGH, fit.LOW, features.NAMES, {"trials": "9"})
    assert 0 < sheet.depth <= fit.PARAMETERS["max_depth"]


def test_who_fell_often_has_less_say_for_each_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: 9 falls of one and 1 of another weigh 1/3 and 1 each, and all falls FALL_WEIGHT of all the rest."""
    weights: list[np.ndarray] = []
    make = lightgbm.Dataset

    def kept(vectors: Any, fell: Any, weight: np.ndarray) -> Any:
        weights.append(weight)
        return make(vectors, fell, weight=weight)

    monkeypatch.setattr(lightgbm, "Dataset", kept)
    who = np.array(["often"] * 9 + ["once"] + ["often"] * 20 + ["made up: knock"] * 30)
    fit.fitted(Examples(np.zeros((60, COUNT), np.float32), np.arange(60) < 10, who), {})
    (weight,) = weights
    assert weight[9] == pytest.approx(3 * weight[0])
    assert weight[:10].sum() == pytest.approx(fit.FALL_WEIGHT * (20 + 30 / 3))
    assert weight[10:].tolist() == pytest.approx([1.0] * 20 + [1 / 3] * 30)
