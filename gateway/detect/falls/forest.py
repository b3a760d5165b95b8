"""A forest of boosted decision trees, as arrays: numpy alone, from one versioned and checksummed file.

Layout of a file: one msgpack map of `Sheet`. Its `digest` is the SHA-256 of everything else in it, so a file that a
worn card has changed is refused, not believed.
"""

import hashlib

import msgspec
import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Of the layout, and of what its features mean: raised whenever either changes."""

REINSTALL = "install anju again; check the card"


class BadModel(Exception):
    """A model file cannot be used, for `reason`; `cure` says what to do. The message is both."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason, self.cure = reason, cure


class Sheet(msgspec.Struct, frozen=True):
    """A model file. Trees lie behind one another in little-endian arrays; children are numbers within the whole array.

    `feature` int16: which number of the vector a node asks, -1 in a leaf. `threshold` float32: left where the number is
    at most that. `left`, `right` int32. `value` float32: what a leaf adds to the log odds. `roots` int32.
    `names`: the features it was fitted to. `high`, `low`: see the detector. `about`: what a model card says of it.
    """

    version: int
    names: tuple[str, ...]
    high: float
    low: float
    depth: int
    roots: bytes
    feature: bytes
    threshold: bytes
    left: bytes
    right: bytes
    value: bytes
    about: dict[str, str]
    digest: bytes = b""


class Forest(msgspec.Struct, frozen=True):
    """A model ready to judge. Its arrays are those of Sheet."""

    high: float
    low: float
    depth: int
    about: dict[str, str]
    columns: NDArray[np.intp]
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    children: NDArray[np.int32]
    value: NDArray[np.float32]

    def score(self, vector: NDArray[np.float64]) -> float:
        """Return how surely this is a fall, 0..1. `vector`: the features, all that the detector computes."""
        asked = vector[self.columns].astype(np.float32)
        node = self.roots
        for _ in range(self.depth):
            feature = self.feature[node]
            right = asked[feature] > self.threshold[node]
            node = np.where(feature < 0, node, self.children[node, right.astype(np.intp)])
        return float(1 / (1 + np.exp(-float(self.value[node].sum(dtype=np.float64)))))


def encode(sheet: Sheet) -> bytes:
    """Return the bytes of a file, its digest made anew."""
    return msgspec.msgpack.encode(msgspec.structs.replace(sheet, digest=_digest(sheet)))


def decode(file: bytes, names: tuple[str, ...]) -> Forest:
    """Return the model of a file. `names`: the features that the detector computes. Raises BadModel."""
    try:
        sheet = msgspec.msgpack.decode(file, type=Sheet)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadModel("the fall model is damaged (it cannot be read)", REINSTALL) from error
    if sheet.digest != _digest(sheet):
        raise BadModel("the fall model is damaged (its checksum differs)", REINSTALL)
    if sheet.version != VERSION:
        raise BadModel(f"the fall model is of version {sheet.version}, this is version {VERSION}", "install anju again")
    if unknown := set(sheet.names) - set(names):
        raise BadModel(f"the fall model asks for {', '.join(sorted(unknown))}, which nobody computes", "train it anew")
    children = np.stack([np.frombuffer(sheet.left, "<i4"), np.frombuffer(sheet.right, "<i4")], axis=1)
    return Forest(
        sheet.high, sheet.low, sheet.depth, sheet.about,
        np.array([names.index(name) for name in sheet.names], np.intp), np.frombuffer(sheet.roots, "<i4"),
        np.frombuffer(sheet.feature, "<i2"), np.frombuffer(sheet.threshold, "<f4"), np.ascontiguousarray(children),
        np.frombuffer(sheet.value, "<f4"),
    )


def _digest(sheet: Sheet) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(msgspec.structs.replace(sheet, digest=b""))).digest()
