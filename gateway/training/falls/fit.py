"""Fitting: examples in, a forest out. LightGBM grows it; on the gateway it runs in numpy (detect/falls/forest.py).

Extremely randomised splits (Geurts et al., Machine Learning 63 (2006) 3-42), few leaves and strong shrinkage: there are
some hundred falls of ten people, and the next watch and the next person must come out like these.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detect.falls import features, forest
from gateway.training.falls.examples import Examples

PARAMETERS: dict[str, Any] = {
    "objective": "binary", "extra_trees": True, "num_leaves": 16, "max_depth": 6, "learning_rate": 0.05,
    "min_data_in_leaf": 40, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5.0,
    "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
}
TREES = 500
FALL_WEIGHT = 0.3
"""All falls together weigh so much of what all the rest weighs."""
HIGH, LOW = 0.85, 0.3
"""From `HIGH` on told at once, from `LOW` on if nobody recovers; where they come from: docs/falls.md."""


def fitted(learned: Examples, about: dict[str, str], seed: int = 0) -> forest.Sheet:
    """Return a model of these examples. The same examples and seed give the same bytes."""
    import lightgbm

    data = lightgbm.Dataset(learned.vectors, learned.fell.astype(int), weight=_weights(learned))
    grown = lightgbm.train(PARAMETERS | {"seed": seed}, data, TREES)
    return _sheet([tree["tree_structure"] for tree in grown.dump_model()["tree_info"]], about)


def _weights(learned: Examples) -> NDArray[np.float64]:
    """Falls of who fell often weigh less each, by the root of the number; made-up daily life weighs a third."""
    often = Counter(learned.who[learned.fell].tolist())
    weights = np.where(np.char.startswith(learned.who, "made up"), 1 / 3, 1.0)
    weights[learned.fell] = [1 / np.sqrt(often[who]) for who in learned.who[learned.fell].tolist()]
    weights[learned.fell] *= FALL_WEIGHT * weights[~learned.fell].sum() / weights[learned.fell].sum()
    return np.asarray(weights)


def _sheet(trees: list[dict[str, Any]], about: dict[str, str]) -> forest.Sheet:
    """Lay trees one behind another."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[float] = []

    def lay(node: dict[str, Any], depth: int) -> tuple[int, int]:
        here, deepest = len(feature), depth
        inner = "split_feature" in node
        feature.append(node["split_feature"] if inner else -1)
        threshold.append(node["threshold"] if inner else 0.0)
        value.append(0.0 if inner else node["leaf_value"])
        left.append(here)
        right.append(here)
        if inner:
            left[here], low = lay(node["left_child"], depth + 1)
            right[here], high = lay(node["right_child"], depth + 1)
            deepest = max(low, high)
        return here, deepest

    laid = [lay(tree, 0) for tree in trees]
    return forest.Sheet(
        forest.VERSION, features.NAMES, HIGH, LOW, max(depth for _, depth in laid),
        np.array([root for root, _ in laid], "<i4").tobytes(), np.array(feature, "<i2").tobytes(),
        _rounded_down(threshold).tobytes(), np.array(left, "<i4").tobytes(), np.array(right, "<i4").tobytes(),
        np.array(value, "<f4").tobytes(), about)


def _rounded_down(thresholds: list[float]) -> NDArray[np.float32]:
    """The largest single that is no larger: "at most that" then says the same of every single."""
    exact = np.array(thresholds)
    near = exact.astype("<f4")
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
