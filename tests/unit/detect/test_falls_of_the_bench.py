"""The detector on the bench's made-up movement, so that a bare clone's demo shows what it claims."""

import numpy as np
import pytest

from gateway.detect import falls
from gateway.model.finding import Finding
from gateway.model.reading import Accel
from gateway.model.time import ClockQuality, Stamp
from hil.devices.bracelet import motion

AT = Stamp("boot", 0.0, None, ClockQuality.UNSET)
BLOCK = 50


def found(samples: np.ndarray) -> list[Finding]:
    state, findings = falls.State(), []
    for first in range(0, len(samples), BLOCK):
        block = Accel(float(motion.RATE_HZ), 8.0, first, samples[first:first + BLOCK].astype("<i2").tobytes())
        state, more = falls.step(state, "wrist", AT, block)
        findings += more
    return findings


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("before", ["sitting", "walk"])
def test_a_made_up_fall_is_found_once_whatever_came_before(before: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [motion.MOVES[before](8.0, random).samples, motion.fall(random).samples]
    assert len(found(np.concatenate(parts))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_daily_moves_are_no_falls(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [motion.MOVES[name](20.0, random).samples for name in ("walk", "sit_down", "clap", "sitting") * 2]
    assert found(np.concatenate(parts)) == []
