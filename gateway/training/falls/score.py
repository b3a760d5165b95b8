"""How findings on labelled trials are scored: each trial gets a verdict, any set of verdicts a tally.

Rules
 1. A fall is found if a finding's impact lies in the trial's window (Trial.window_s). The first such gives the delay.
 2. In a trial with a fall a finding before that window is false; what comes after it is not judged.
 3. In a trial without a fall every finding is false. An impact within `REFRACTORY_S` after one that was counted is the
    same alarm. Specificity is the share of such trials without any.
Intervals hold 95 % for independent trials; trials of one person are not independent, so they are rather too narrow.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.training.falls.recordings import Trial

REFRACTORY_S = 10.0
Z95 = statistics.NormalDist().inv_cdf(0.975)

Alarm = tuple[float, float]
"""(impact, when the finding was told), seconds from the trial's first sample."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector made of one trial. `delay_s`: impact to finding where the fall was found, else None.

    `false`: false alarms, in a trial with a fall those before it.
    """

    trial: Trial
    delay_s: float | None
    false: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over verdicts. `false` and `hours`: of the trials without a fall."""

    falls: int
    found: int
    lived: int
    clean: int
    false: int
    hours: float
    false_before_fall: int
    delays_s: tuple[float, ...]

    @property
    def sensitivity(self) -> float | None:
        return self.found / self.falls if self.falls else None

    @property
    def specificity(self) -> float | None:
        return self.clean / self.lived if self.lived else None

    @property
    def false_per_hour(self) -> float | None:
        return self.false / self.hours if self.hours else None


def judge(trial: Trial, alarms: Iterable[Alarm]) -> Verdict:
    """Return the verdict on one detector's alarms in a trial."""
    alarms = sorted(alarms)
    if not trial.is_fall:
        return Verdict(trial, None, _counted(impact_s for impact_s, _ in alarms))
    low_s, high_s = trial.window_s()
    delays_s = [raised_s - impact_s for impact_s, raised_s in alarms if low_s <= impact_s <= high_s]
    return Verdict(trial, delays_s[0] if delays_s else None, sum(impact_s < low_s for impact_s, _ in alarms))


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Return the counts over these verdicts."""
    verdicts = list(verdicts)
    fell = [verdict for verdict in verdicts if verdict.trial.is_fall]
    lived = [verdict for verdict in verdicts if not verdict.trial.is_fall]
    delays_s = tuple(verdict.delay_s for verdict in fell if verdict.delay_s is not None)
    return Tally(len(fell), len(delays_s), len(lived), sum(not verdict.false for verdict in lived),
                 sum(verdict.false for verdict in lived), sum(verdict.trial.duration_s for verdict in lived) / 3600,
                 sum(verdict.false for verdict in fell), delays_s)


def split(verdicts: Sequence[Verdict], by: Callable[[Trial], str]) -> dict[str, Tally]:
    """Return a tally for each group, activity or subject, by name."""
    names = sorted({by(verdict.trial) for verdict in verdicts})
    return {name: tally(verdict for verdict in verdicts if by(verdict.trial) == name) for name in names}


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212). Raises ZeroDivisionError."""
    share, z2 = count / of, Z95 * Z95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def byar(count: int) -> tuple[float, float]:
    """Return the 95 % interval of a Poisson count, by Byar's approximation.

    Breslow and Day, Statistical Methods in Cancer Research II (IARC 1987), chapter 2; within 0.1 of the exact limits.
    """
    def limit(of: int, z: float) -> float:
        return of * (1 - 1 / (9 * of) + z / (3 * math.sqrt(of))) ** 3

    return limit(count, -Z95) if count else 0.0, limit(count + 1, Z95)


def _counted(impacts_s: Iterable[float]) -> int:
    """Rule 3."""
    count, last_s = 0, -math.inf
    for impact_s in impacts_s:
        if impact_s - last_s > REFRACTORY_S:
            count, last_s = count + 1, impact_s
    return count
