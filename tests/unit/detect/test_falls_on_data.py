"""The fall detector on recordings of people: UMAFall (falls, daily life) and WISDM (daily life, watch at +-2 g).

Measured with the defaults, everything clipped to +-2 g: UMAFall 161 falls, sensitivity 0.913; 433 trials without a
fall, specificity 0.972; impact to finding 2.95 s in the median. WISDM 28.6 h: 4 findings, 0.14 an hour. With the limits
chosen anew without the judged subject, for each of the 13: sensitivity 0.894, specificity 0.970.
All fallers were young people who fell on purpose: expect less from real ones.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.detect import falls
from gateway.model.reading import Accel
from tests.unit.detect.stamps import at

np = pytest.importorskip("numpy", reason="the recordings are numpy files: install the extra `bench`")

SHARED = Path(os.environ.get("ANJU_SHARED", Path(__file__).parents[4] / "shared"))
FALLS = SHARED / "data" / "falls"
MATCH_S = 1.6  # a finding belongs to the largest |a| of the trial if its impact is no further away

pytestmark = pytest.mark.skipif(not FALLS.is_dir(), reason=f"no recordings at {FALLS}: set ANJU_SHARED to their folder")


def trials(name: str, every: int = 1) -> list[tuple[Any, float, bool]]:
    """(acceleration in milli-g, rate, whether it is a fall) of each trial."""
    with np.load(FALLS / name) as file:
        acc, offset, rate, is_fall = (file[key] for key in ("acc_mg", "offset", "fs", "is_fall"))
    return [(acc[offset[i] : offset[i + 1]], float(rate[i]), bool(is_fall[i])) for i in range(0, len(rate), every)]


def impacts_s(acc_mg: Any, rate_hz: float, clip_g: float) -> list[tuple[float, float]]:
    """(impact, delay of the finding) of every fall found, in seconds, with blocks of half a second."""
    size = max(1, round(rate_hz / 2))
    clipped = np.clip(acc_mg, -clip_g * 1000, clip_g * 1000).astype("<i2")
    state, found = falls.State(), []
    for first in range(0, len(clipped), size):
        piece = clipped[first : first + size]
        state, findings = falls.step(state, "watch", at(0), Accel(rate_hz, clip_g, first, piece.tobytes()))
        for finding in findings:
            ago_s = finding.evidence["impact_ago_s"]
            found.append(((first + len(piece)) / rate_hz - ago_s, ago_s))
    return found


def judge(recordings: list[tuple[Any, float, bool]], clip_g: float) -> tuple[float, float, float]:
    """(sensitivity, specificity by trial, median delay in seconds)."""
    hits, clean, fell, lived = 0, 0, 0, 0
    delays = []
    for acc_mg, rate_hz, is_fall in recordings:
        found = impacts_s(acc_mg, rate_hz, clip_g)
        if not is_fall:
            lived += 1
            clean += not found
            continue
        fell += 1
        peak_s = float(np.argmax(np.linalg.norm(acc_mg.astype(float), axis=1))) / rate_hz
        good = [delay for impact, delay in found if abs(impact - peak_s) <= MATCH_S]
        hits += bool(good)
        delays += good[:1]
    return hits / fell, clean / lived, float(np.median(delays))


@pytest.mark.parametrize("clip_g", [2.0, 16.0])
def test_nine_of_ten_falls_are_found_and_daily_life_is_left_alone(clip_g: float):
    sensitivity, specificity, delay_s = judge(trials("umafall_dev.npz"), clip_g)
    assert sensitivity >= 0.90
    assert specificity >= 0.965
    assert delay_s <= 3.5


def test_the_same_falls_are_found_at_a_hundred_samples_a_second():
    def at_100_hz(acc_mg: Any, rate_hz: float) -> Any:
        old, new = np.arange(len(acc_mg)) / rate_hz, np.arange(int(len(acc_mg) / rate_hz * 100)) / 100
        return np.stack([np.interp(new, old, axis) for axis in acc_mg.T], axis=1)

    quick = [(at_100_hz(acc, rate), 100.0, fall) for acc, rate, fall in trials("umafall_dev.npz", every=3)]
    sensitivity, specificity, _ = judge(quick, clip_g=2.0)
    assert sensitivity >= 0.85
    assert specificity >= 0.95


def test_an_hour_of_daily_life_brings_less_than_half_a_false_alarm():
    recordings = trials("wisdm_watch_dev.npz", every=3)
    hours = sum(len(acc) / rate for acc, rate, _ in recordings) / 3600
    false = sum(len(impacts_s(acc, rate, 2.0)) for acc, rate, _ in recordings)
    assert hours > 9
    assert false / hours < 0.5
