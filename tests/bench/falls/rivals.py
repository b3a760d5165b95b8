"""Published threshold detectors for falls, with their published constants; and what Anju did before it learned.

Each is a pure function over acceleration in g [n, 3], gravity included, and a rate in Hz; it returns (impact, when it
could be told) in seconds. Nothing was tuned on our recordings. They hear each sample at once, not in blocks of half a
second: their delays are flattered by up to that.

Sources: the papers named below, as far as they are known to us; none was at hand in full while this was written, so
sections are named only where we are sure. All were made for hundreds of samples a second and at least +-10 g: at 20 a
second a peak is often missed, and behind +-2 g no norm exceeds 3.46 g. That is a bracelet's lot, not their fault.

Not here: Degen et al., SPEEDY (ISWC 2003), and Chen et al. (IEEE EMBS 2005): we could not establish their constants.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gateway.training.falls.score import Alarm
from tests.bench.falls import before

Detector = Callable[[Any, float], list[Alarm]]
APART_S = 1.0  # crossings of a threshold that are no further apart are one event: none of the papers counts samples


def bourke_2007(acc_g: Any, rate_hz: float) -> list[Alarm]:
    """Tell where |a| exceeds the trunk's upper fall threshold, 3.52 g; told at once.

    Bourke, O'Brien, Lyons, Gait & Posture 26 (2007) 194-199: one threshold on the resultant of a sensor at the trunk,
    set by the lowest peak of the falls. Adapted: worn at the wrist; no low-pass, theirs lies above our Nyquist rate.
    """
    return _told_at_once(_norm(acc_g) > 3.52, rate_hz)


def kangas_2008(acc_g: Any, rate_hz: float) -> list[Alarm]:
    """Tell an impact at the wrist's thresholds; told at once.

    Kangas et al., Gait & Posture 28 (2008) 285-291, algorithm 1. The impact: total sum vector SV_TOT of 5.2 g, or
    vertical acceleration Z2 = (SV_TOT^2 - SV_D^2 - G^2) / 2 G of 3.9 g, SV_D after a 2nd-order Butterworth high-pass of
    0.25 Hz. Of the paper's four parameters these are the two that its abstract calls the most sensitive; either is
    enough here. The limits for the wrist stem from Kangas et al., IEEE EMBS 2007, 1367-1370 (400 samples a second).
    Adapted: the lying posture 2 s after the impact is left out, for a free wrist has no vertical axis. Algorithm 2 (and
    SV_TOT below 0.6 g in the second before) finds 53 % of UMAFall's falls instead of 71 %. The authors say themselves
    that the wrist does not suit these rules.
    """
    total, dynamic = _norm(acc_g), _norm(high_pass(acc_g, rate_hz, 0.25))
    vertical_g = (total**2 - dynamic**2 - 1) / 2
    return _told_at_once((total >= 5.2) | (vertical_g >= 3.9), rate_hz)


def khojasteh_2018(acc_g: Any, rate_hz: float) -> list[Alarm]:
    """Tell a peak above 3 g after which none follows for 2.5 s; told then.

    Khojasteh et al., Sensors 18 (2018) 1350, worn at the wrist, who take it from Abbate et al., Pervasive and Mobile
    Computing 8 (2012) 883-899. Adapted: the classifier after it (features between impact start, 0.8 g, and impact end,
    1.5 g) has no published weights and is left out, so expect false alarms that the whole would not raise.
    """
    high = np.flatnonzero(_norm(acc_g) > 3.0)
    quiet_s = (np.append(high[1:], len(acc_g)) - high) / rate_hz
    return [(peak / rate_hz, peak / rate_hz + 2.5) for peak in high[quiet_s > 2.5].tolist()]


RIVALS: Mapping[str, Detector] = {
    "Kangas 2008": kangas_2008,
    "Bourke 2007": bourke_2007,
    "Khojasteh 2018": khojasteh_2018,
    "Anju's thresholds before": before.thresholds,
}


def _norm(acc_g: Any) -> Any:
    return np.sqrt((acc_g**2).sum(axis=1))


def _told_at_once(mask: Any, rate_hz: float) -> list[Alarm]:
    """Tell the first sample of each run of True of which none is more than APART_S from the next."""
    return [(first / rate_hz, first / rate_hz) for first, _ in before.runs(np.flatnonzero(mask), APART_S * rate_hz)]


def high_pass(acc_g: Any, rate_hz: float, corner_hz: float) -> Any:
    """Filter each axis (2nd-order Butterworth by the bilinear transform), as if the first sample had always been."""
    k = np.tan(np.pi * corner_hz / rate_hz)
    scale = 1 / (1 + np.sqrt(2) * k + k * k)
    a1, a2 = 2 * (k * k - 1) * scale, (1 - np.sqrt(2) * k + k * k) * scale
    answer = [scale, -2 * scale - a1 * scale]  # to an impulse; what it remembers of 2 / corner_hz ago is below 0.001
    for place in range(2, round(2 / corner_hz * rate_hz)):
        answer.append((scale if place == 2 else 0.0) - a1 * answer[-1] - a2 * answer[-2])
    return np.stack([np.convolve(axis - axis[0], answer)[: len(axis)] for axis in acc_g.T], axis=1)
