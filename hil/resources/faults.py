"""Faults of a link: what can be wrong with it, and what becomes of each connection. Pure.

operation    what it does
cut          every connection is reset, new ones are refused
refuse       new connections are refused, those that stand go on
blackhole    new connections are accepted and never answered, not even after `heal`; those that stand go on
stall        nothing flows in `direction` (up, down, both), not even an end or a reset. `for_good`: nor ever again on a
             connection that stands or is made meanwhile, as where the peer has vanished; else it flows on after `heal`
rate         `bytes_s` in each direction, of all connections together, down to 1
latency      everything arrives `delay_s` later, in each direction
resets       a connection is reset with probability `chance`, after a random number of bytes below `within_bytes`; or
             `per` chunk: each chunk with that probability, somewhere in it. `seed` decides
forget       MQTT: what the next connections publish (QoS 1) is acknowledged and dropped with probability `chance`
heal         all is well again

Each stays until it is told otherwise; those of different kinds add up.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum


class Door(Enum):
    """What a connection meets."""

    OPEN = "open"
    REFUSES = "refuses"
    CUT = "cut"
    BLACKHOLE = "blackhole"


UP, DOWN = "up", "down"  # from the client to the target, and back
_DIRECTIONS = {UP: frozenset({UP}), DOWN: frozenset({DOWN}), "both": frozenset({UP, DOWN})}
_PIECES_S = 10  # a slow line passes what it has in so many pieces a second, or byte by byte


@dataclass(frozen=True, slots=True)
class Resets:
    """With what `chance` a connection, or each chunk of it, is reset."""

    chance: float = 0.0
    per: str = "connection"
    within_bytes: int = 4096
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is wrong with a link at one time. `rate_bytes_s` None: as fast as it goes."""

    door: Door = Door.OPEN
    stalled: frozenset[str] = frozenset()
    for_good: bool = False
    rate_bytes_s: float | None = None
    delay_s: float = 0.0
    resets: Resets = Resets()
    forget: float = 0.0


HEALTHY = Faults()


def _stall(faults: Faults, direction: str = "both", for_good: bool = False) -> Faults:
    if direction not in _DIRECTIONS:
        raise ValueError(f"no direction {direction!r}: there are {', '.join(_DIRECTIONS)}")
    return replace(faults, stalled=_DIRECTIONS[direction], for_good=for_good)


def _rate(faults: Faults, bytes_s: float) -> Faults:
    if bytes_s < 1:
        raise ValueError(f"a rate of {bytes_s} bytes/s: at least 1; to let nothing through there is stall")
    return replace(faults, rate_bytes_s=bytes_s)


def _resets(faults: Faults, chance: float, per: str = "connection", within_bytes: int = 4096, seed: int = 0) -> Faults:
    if per not in ("connection", "chunk"):
        raise ValueError(f"no reset per {per!r}: there are connection, chunk")
    return replace(faults, resets=Resets(chance, per, within_bytes, seed))


OPERATIONS: dict[str, Callable[..., Faults]] = {
    "cut": lambda faults: replace(faults, door=Door.CUT),
    "refuse": lambda faults: replace(faults, door=Door.REFUSES),
    "blackhole": lambda faults: replace(faults, door=Door.BLACKHOLE),
    "stall": _stall,
    "rate": _rate,
    "latency": lambda faults, delay_s: replace(faults, delay_s=delay_s),
    "resets": _resets,
    "forget": lambda faults, chance=1.0: replace(faults, forget=chance),
    "heal": lambda faults: HEALTHY,
}


class Fate:
    """When one connection is reset. The same seed and number of a connection decide the same."""

    def __init__(self, resets: Resets, connection: int) -> None:
        self._resets = resets
        self._random = random.Random(f"{resets.seed} {connection}")
        self._left_bytes: int | None = None
        if resets.per == "connection" and self._random.random() < resets.chance:
            self._left_bytes = self._random.randrange(max(resets.within_bytes, 1))

    def passes(self, size_bytes: int) -> int | None:
        """Return how many of the next bytes pass before the reset, None where all pass."""
        if self._resets.per == "chunk":
            return self._random.randrange(size_bytes) if self._random.random() < self._resets.chance else None
        if self._left_bytes is None:
            return None
        if size_bytes > self._left_bytes:
            return self._left_bytes
        self._left_bytes -= size_bytes
        return None


@dataclass(slots=True)
class Line:
    """One direction of a slow line: what comes later waits behind what came before."""

    free_s: float = field(default=0.0)

    def through_s(self, now_s: float, size_bytes: int, rate_bytes_s: float) -> float:
        """Take so many bytes; return the moment at which the last of them is through."""
        self.free_s = max(now_s, self.free_s) + size_bytes / rate_bytes_s
        return self.free_s


def piece_bytes(rate_bytes_s: float | None, size_bytes: int) -> int:
    """Return how much of a chunk a line takes at once."""
    return size_bytes if rate_bytes_s is None else min(size_bytes, max(1, int(rate_bytes_s / _PIECES_S)))
