"""Window: which rows may depart now. Pure.

Two limits at once: `slots`, how many publications may be on their way to the broker without a PUBACK (the broker sets
it), of which RESERVED are for alarms alone; and PER_LANE, how many events a lane may have at the city without an
acknowledgement. So behind any backlog an alarm waits for no more than the bytes already in the socket. A lane that
sends batches waits until a whole one fits: else every acknowledgement would let a small one go, and never again a
large one (RFC 9293, 3.8.6.2.1, knows this of TCP as the silly window syndrome).

In a round of alarms without an answer the oldest take half of the room, and the newest follow at once: the city keeps
them, only the acknowledgement waits for those in between. So no backlog that nobody acknowledges shuts out a new alarm.

Each lane waits for its own acknowledgements: what the city says of events tells nothing of an alarm that it never got.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model.event import Lane

PER_LANE = 64
BATCH = 32
RESERVED = 4
NEWEST = 16  # alarms that need not wait for the oldest; as many again find room while the round lasts


@dataclass(slots=True)
class Window:
    """The state of one outbox in one session."""

    epoch: str
    published: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    unsettled: dict[Lane, list[int]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    highest: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))  # ever published in this session
    answered: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))  # as far as known
    since_s: dict[Lane, float] = field(default_factory=lambda: dict.fromkeys(Lane, 0.0))  # progress or departure
    parked: set[Lane] = field(default_factory=set)  # refused by the broker; tried again with the next round
    rounds: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))  # sent again, without an answer
    newest: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))  # after this number, this round
    leapt: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))  # from where to `newest`; 0: not

    def open_lanes(self, free_slots: int, slots: int = 2 * RESERVED) -> dict[Lane, int]:
        """Return the lanes that may send, each with the number after which it goes on.

        Of few `slots` in all no more than half are reserved, of one none: the other lanes must get through too.
        """
        reserved = min(RESERVED, slots // 2)
        return {
            lane: self.published[lane]
            for lane in Lane
            if lane not in self.parked
            and len(self.unsettled[lane]) + (1 if lane is Lane.ALARM else BATCH) <= PER_LANE
            and free_slots > (0 if lane is Lane.ALARM else reserved)
        }

    def departed(self, lane: Lane, seqs: Sequence[int], now_s: float) -> None:
        """Note the numbers of one publication, in order."""
        if not self.unsettled[lane]:
            self.since_s[lane] = now_s  # the city's time to answer begins
            self.answered[lane] = max(self.answered[lane], seqs[0] - 1)  # to be told so again is no news
        self.published[lane] = seqs[-1]
        if not self.leapt[lane]:  # what it leapt over was not published
            self.highest[lane] = max(self.highest[lane], seqs[-1])
        self.unsettled[lane] += seqs
        if len(self.unsettled[lane]) >= PER_LANE // 2 and self.published[lane] < self.newest[lane]:
            self.leapt[lane], self.published[lane] = self.published[lane], self.newest[lane]

    def park(self, lane: Lane, now_s: float) -> None:
        """Let the lane rest until its next round."""
        self.parked.add(lane)
        if not self.unsettled[lane]:
            self.since_s[lane] = now_s

    def settled(self, lane: Lane, upto: int, now_s: float) -> bool:
        """Note an acknowledgement; tell whether it was news."""
        if upto <= self.answered[lane]:
            return False
        self.answered[lane], self.since_s[lane], self.rounds[lane] = upto, now_s, 0
        self.published[lane] = max(self.published[lane], upto)
        self.unsettled[lane] = [seq for seq in self.unsettled[lane] if seq > upto]
        self.newest[lane] = 0
        if self.leapt[lane] and upto >= self.leapt[lane]:  # what was leapt over departs now
            self.published[lane], self.unsettled[lane], self.leapt[lane] = upto, [], 0
        return True

    def overdue(self, lane: Lane, now_s: float, answer_s: float) -> bool:
        """Tell whether the lane has waited for an acknowledgement for `answer_s`."""
        waits = lane in self.parked or bool(self.unsettled[lane])
        return waits and now_s - self.since_s[lane] >= answer_s

    def rewind(self, lane: Lane, waiting: int = 0) -> None:
        """Let everything of the lane that is not settled depart again: another round. `waiting`: so much is there."""
        self.rounds[lane] += 1
        head = self.unsettled[lane][0] if self.unsettled[lane] else self.published[lane] + 1
        self.again(lane)
        if lane is Lane.ALARM:  # the one lane whose numbers have no gaps
            self.newest[lane] = head - 1 + waiting - NEWEST

    def again(self, lane: Lane) -> None:
        """Go back to the first row that is not settled, within the same round."""
        self.parked.discard(lane)
        self.newest[lane] = self.leapt[lane] = 0
        if self.unsettled[lane]:
            self.published[lane] = self.unsettled[lane][0] - 1
            self.unsettled[lane] = []
