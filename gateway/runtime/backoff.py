"""How long to wait before the next try: exponential with jitter, forgotten after a good run."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 0.5
CAP_S = 5.0  # local hardware may come back any moment, and looking is cheap; the city's link has a cap of its own
GOOD_RUN_S = 30.0


@dataclass
class Backoff:
    """`random` yields 0..1. The jitter keeps devices that failed together from coming back in step."""

    random: Callable[[], float]
    failures: int = 0

    def next_s(self, uptime_s: float) -> float:
        """Pause in seconds before the next session, after one that lasted `uptime_s`."""
        self.failures = 1 if uptime_s >= GOOD_RUN_S else self.failures + 1
        ceiling_s = min(CAP_S, FIRST_S * 2.0 ** min(self.failures - 1, 10))
        return ceiling_s * (0.1 + 0.9 * self.random())
