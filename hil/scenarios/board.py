"""What a story shows: what the home did, what the gateway decided, what the city received, and how long it took."""

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

KEPT = 200
FAILED, MISSED = "that failed:", "MISSED"  # lines with these are shown whole


@dataclass
class Board:
    """Three columns of lines and the latencies measured so far."""

    title: str = ""
    home: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    gateway: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    city: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    facts: dict[str, str] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    listener: Callable[[str, str], None] | None = None
    began_mono_s: float = field(default_factory=time.monotonic)

    def did(self, text: str) -> None:
        """Note what the home or a person in it did."""
        self._note("home", self.home, text)

    def decided(self, text: str) -> None:
        """Note what the gateway said of itself."""
        self._note("gateway", self.gateway, text)

    def received(self, text: str) -> None:
        """Note what the city has committed."""
        self._note("city", self.city, text)

    def took(self, name: str, seconds: float) -> None:
        """Note one latency."""
        self.latencies_ms[name].append(seconds * 1000)

    def p50_ms(self, name: str) -> float | None:
        """Median of a latency, None where nothing was measured."""
        values = self.latencies_ms.get(name)
        return round(statistics.median(values), 2) if values else None

    def _note(self, name: str, column: deque[str], text: str) -> None:
        line = f"{time.monotonic() - self.began_mono_s:6.1f} {text}"
        column.append(line)
        if self.listener:
            self.listener(name, line)
