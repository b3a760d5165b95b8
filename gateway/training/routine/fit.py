"""Fit the prior of the gap detector: the hazard of a sign in any home, from the silences of several."""

from collections.abc import Iterable

import numpy as np

from gateway.detect.inactivity import hazard
from gateway.detect.inactivity.hazard import BINS, SHAPE, Gap, Table, smoothed

LENT, LENT_BY_PLACE = 60.0, 150.0
"""Signs' worth of trust in the shorter silences of the same half-hour, and in a place's ratio over the whole day."""


def tables(gaps: Iterable[Gap]) -> tuple[Table, Table]:
    """(signs, minutes of silence) in each cell."""
    signs, minutes = np.zeros(SHAPE), np.zeros(SHAPE)
    for gap in gaps:
        hazard.count(signs, minutes, gap)
    return signs, minutes


def fitted(signs: Table, minutes: Table) -> Table:
    """The hazard of each cell. A cell hardly lived through takes what a shorter silence of its half-hour has."""
    seen, lived = smoothed(smoothed(signs)), smoothed(smoothed(minutes))
    mean = signs.sum() / minutes.sum()
    by_slot, lived_by_slot = seen.sum(0), lived.sum(0)
    before = (by_slot.sum(1) + 5.0) / (lived_by_slot.sum(1) + 5.0 / mean)
    rate = np.zeros(SHAPE)
    ratio = np.ones(SHAPE[:2])
    for one in range(BINS):
        before = (by_slot[:, one] + LENT) / (lived_by_slot[:, one] + LENT / before)
        awaited = lived[:, :, one] * before
        by_place = (seen[:, :, one].sum(1, keepdims=True) + LENT_BY_PLACE) / (
            awaited.sum(1, keepdims=True) + LENT_BY_PLACE)
        ratio = (seen[:, :, one] + LENT * np.sqrt(ratio * by_place)) / (awaited + LENT)
        rate[:, :, one] = before * ratio
    return rate
