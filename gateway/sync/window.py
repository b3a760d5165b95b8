"""Window: which rows may depart now. Pure.

Two limits at once: `slots`, how many may be on their way to the broker without a PUBACK (the broker sets it), of which
RESERVED are for alarms alone; and PER_LANE, how many a lane may have at the city without an acknowledgement. So behind
any backlog an alarm waits for no more than the bytes already in the socket.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.model.event import Lane

PER_LANE = 64
RESERVED = 4


@dataclass(slots=True)
class Window:
    """The state of one outbox in one session."""

    epoch: str
    published: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    unsettled: dict[Lane, list[int]] = field(default_factory=lambda: {lane: [] for lane in Lane})

    def open_lanes(self, free_slots: int) -> dict[Lane, int]:
        """Return the lanes that may send, each with the number after which it goes on."""
        return {
            lane: self.published[lane]
            for lane in Lane
            if len(self.unsettled[lane]) < PER_LANE and free_slots > (0 if lane is Lane.ALARM else RESERVED)
        }

    def departed(self, lane: Lane, seq: int) -> None:
        self.published[lane] = seq
        self.unsettled[lane].append(seq)

    def settled(self, lane: Lane, upto: int) -> bool:
        """Note an acknowledgement; tell whether it was news."""
        before = len(self.unsettled[lane])
        self.unsettled[lane] = [seq for seq in self.unsettled[lane] if seq > upto]
        return len(self.unsettled[lane]) < before

    def rewind(self) -> None:
        """Let everything that is not settled depart again."""
        for lane, seqs in self.unsettled.items():
            if seqs:
                self.published[lane] = seqs[0] - 1
                self.unsettled[lane] = []


def waits(windows: Iterable[Window]) -> bool:
    """Tell whether anything was sent that the city has not acknowledged."""
    return any(seqs for window in windows for seqs in window.unsettled.values())
