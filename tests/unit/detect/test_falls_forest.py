"""The forest: what a model file may hold, and that the score is the trees' own."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect.falls import BadModel, Forest, decode, features
from gateway.detect.falls.forest import VERSION, Sheet, encode
from gateway.runtime import fall_model

NAMES = ("a", "b", "c")
Node = tuple[str, float, "Node | float", "Node | float"]
"""(feature, threshold, where at most that, where above) or a leaf."""

TREES: tuple[Node | float, ...] = (
    ("a", 1.0, ("c", -2.0, 0.5, -0.25), 2.0),
    ("c", 0.5, -1.0, ("a", 3.0, 0.125, ("a", 4.0, 1.0, 1.5))),
    0.25,
)


def sheet(trees: Sequence[Node | float] = TREES, names: tuple[str, ...] = ("c", "a")) -> Sheet:
    """A file's content, its trees laid level by level, unlike those of a fit: only the numbers of children count."""
    feature, threshold, children, value, roots = [], [], [], [], []
    depth = 0

    def new() -> int:
        for column, empty in ((feature, -1), (threshold, 0.0), (children, [0, 0]), (value, 0.0)):
            column.append(empty)
        return len(feature) - 1

    for tree in trees:
        roots.append(new())
        level = [(roots[-1], tree)]
        for deep in range(10):
            below = []
            for place, node in level:
                if isinstance(node, float):
                    value[place], children[place] = node, [place, place]
                    continue
                depth = max(depth, deep + 1)
                feature[place], threshold[place] = names.index(node[0]), node[1]
                children[place] = [new(), new()]
                below += zip(children[place], node[2:], strict=True)
            level = below
    left, right = np.array(children, "<i4").T
    columns = (np.array(roots, "<i4"), np.array(feature, "<i2"), np.array(threshold, "<f4"), left, right,
               np.array(value, "<f4"))
    return Sheet(VERSION, names, 0.9, 0.4, depth, *(column.tobytes() for column in columns), {"trials": "3"})


def walked(node: Node | float, said: dict[str, float]) -> float:
    while not isinstance(node, float):
        node = node[2] if said[node[0]] <= node[1] else node[3]
    return node


def forest(**changed: object) -> Forest:
    return decode(encode(msgspec.structs.replace(sheet(), **changed)), NAMES)


near = st.one_of(st.sampled_from([-2.0, 0.5, 1.0, 3.0, 4.0]), st.floats(-5, 6, width=32))


@given(st.tuples(near, near, near))
@settings(max_examples=300, deadline=None)
def test_the_score_is_that_of_the_trees_walked_by_hand(vector: tuple[float, float, float]) -> None:
    odds = sum(walked(tree, dict(zip(NAMES, vector, strict=True))) for tree in TREES)
    assert forest().score(np.array(vector)) == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-12)


def test_what_lies_on_a_threshold_goes_left() -> None:
    """By hand, of the first tree alone: 0.5 where a <= 1 and c <= -2, -0.25 where c is above, 2 where a is."""
    first = decode(encode(sheet(TREES[:1])), NAMES)
    odds = {-2.0: 0.5, math.nextafter(-2.0, 0) + 1e-6: -0.25}
    for c, said in odds.items():
        assert first.score(np.array([1.0, 99.0, c])) == pytest.approx(1 / (1 + math.exp(-said)))
    assert first.score(np.array([1.001, 99.0, -2.0])) == pytest.approx(1 / (1 + math.exp(-2.0)))


def test_a_feature_is_found_by_its_name_wherever_the_detector_has_it() -> None:
    one, other = decode(encode(sheet()), NAMES), decode(encode(sheet()), ("c", "unasked", "b", "a"))
    assert one.score(np.array([3.5, 0.0, 0.7])) == other.score(np.array([0.7, math.nan, 0.0, 3.5]))


def test_what_a_file_says_of_itself_is_kept() -> None:
    read = forest()
    assert (read.high, read.low, read.depth, read.about) == (0.9, 0.4, 3, {"trials": "3"})


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_file_with_any_one_bit_changed_is_refused() -> None:
    whole = encode(sheet())
    decode(whole, NAMES)
    for place in range(len(whole)):
        for bit in range(8):
            spoilt = bytearray(whole)
            spoilt[place] ^= 1 << bit
            with pytest.raises(BadModel, match="install anju again"):
                decode(bytes(spoilt), NAMES)


def test_a_file_that_was_cut_anywhere_or_grew_is_refused() -> None:
    whole = encode(sheet())
    for count in range(len(whole)):
        with pytest.raises(BadModel, match="install anju again"):
            decode(whole[:count], NAMES)
    with pytest.raises(BadModel, match="install anju again"):
        decode(whole + b"\0", NAMES)


@pytest.mark.parametrize("file", [b"", b"\xc0", b"\x90", b"nothing of the kind", b"\x80"])
def test_a_file_of_another_kind_is_refused(file: bytes) -> None:
    with pytest.raises(BadModel, match=r"it cannot be read.: install anju again"):
        decode(file, NAMES)


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_a_file_of_another_version_is_refused_and_both_are_named(version: int) -> None:
    with pytest.raises(BadModel, match=f"version {version}, this is version {VERSION}: install anju again"):
        forest(version=version)


def test_a_model_of_features_that_nobody_computes_is_refused_by_their_names() -> None:
    with pytest.raises(BadModel, match="asks for c, which nobody computes: train it anew"):
        decode(encode(sheet()), ("a", "b"))


# -- what is shipped -------------------------------------------------------------------------------------------------


def test_the_shipped_model_is_read_and_knows_where_it_comes_from() -> None:
    shipped = fall_model.load()
    assert 0 < shipped.low < shipped.high < 1
    assert {"trials", "falls", "sets"} <= set(shipped.about)
    assert 0 <= shipped.score(features.of(np.zeros((features.WINDOW, 3)))) <= 1


def test_an_arm_at_rest_is_no_fall_to_the_shipped_model() -> None:
    assert fall_model.load().score(features.of(np.tile([0.0, 0.0, 1.0], (features.WINDOW, 1)))) < 0.05


def test_a_shipped_model_that_is_not_there_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fall_model, "FILE", "gone.model")
    with pytest.raises(BadModel, match=r"No such file or directory.*: install anju again"):
        fall_model.load()
