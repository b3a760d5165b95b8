"""The detector on the bench's made-up movement, so that a bare clone's demo shows what it claims."""

import numpy as np
import pytest

from hil.devices.bracelet import motion
from tests.bench.falls import product


def found(samples: motion.Samples) -> list[product.Found]:
    return list(product.stream(product.blocks(samples, float(motion.RATE_HZ), 8.0)))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("before", ["sitting", "walk"])
def test_a_made_up_fall_is_found_once_whatever_came_before(before: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [motion.MOVES[before](8.0, random).samples, motion.fall(random).samples]
    (fall,) = found(np.concatenate(parts))
    assert fall.score >= product.HIGH_SCORE  # the demo shows it within 3.5 s, not after twenty


@pytest.mark.parametrize("seed", range(5))
def test_daily_moves_are_no_falls(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [motion.MOVES[name](20.0, random).samples for name in ("walk", "sit_down", "clap", "sitting") * 2]
    assert found(np.concatenate(parts)) == []
