"""Worn wrists in recordings (WISDM, 32 people, 28.6 h awake): how long a worn wrist lies without a turn.

Measured: 156 s at most (a man who sat), of parts of 3 min each, so a longer stillness cannot be seen in them; the limit
is 23 times that. 99 % of the parts show by themselves that they are worn. Sleep is not in the recordings.
"""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.detect import wear
from gateway.model.reading import Accel, Reading
from tests.unit.detect.stamps import at

np = pytest.importorskip("numpy", reason="the recordings are numpy files: install the extra `bench`")

SHARED = Path(os.environ.get("ANJU_SHARED", Path(__file__).parents[4] / "shared"))
WISDM = SHARED / "data" / "falls" / "wisdm_watch_dev.npz"

pytestmark = pytest.mark.skipif(not WISDM.is_file(), reason=f"no {WISDM}: set ANJU_SHARED to the recordings' folder")


def story(acc_mg: Any, rate_hz: float) -> tuple[float, bool]:
    """(longest time without a turn, whether it was found to be worn)."""
    size, turns, state = round(rate_hz / 2), [0.0], wear.State()
    for first in range(0, len(acc_mg), size):
        piece = acc_mg[first : first + size]
        now_s = (first + len(piece)) / rate_hz
        state = wear.step(state, Reading("watch", at(now_s), Accel(rate_hz, 2, first, piece.astype("<i2").tobytes())))
        turns += state.turned_mono_s[-1:]
    ends = [*turns, len(acc_mg) / rate_hz]
    return max(b - a for a, b in pairwise(ends)), state.worn is True


def test_a_worn_wrist_turns_long_before_it_would_be_taken_for_a_table() -> None:
    with np.load(WISDM) as file:
        acc, offset, rate = (file[key] for key in ("acc_mg", "offset", "fs"))
    stories = [story(acc[offset[i] : offset[i + 1]], float(rate[i])) for i in range(len(rate))]
    assert len(stories) > 500
    assert max(still_s for still_s, _ in stories) * 20 < wear.STILL_S
    assert sum(worn for _, worn in stories) / len(stories) > 0.98
