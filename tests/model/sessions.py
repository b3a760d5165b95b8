"""What must be so of everything that a gateway publishes, whatever becomes of it on the way."""

from hil.cloud.envelope import read_all
from tests.model.link import MemorySession

OVERTAKEN = 16  # publications of other lanes that may be under way before a new alarm departs


class Sessions:
    """Hears each publication as it departs."""

    def __init__(self) -> None:
        self._session: MemorySession | None = None
        self._highest: dict[tuple[str, str], int] = {}
        self._hurry: dict[str, int] = {}
        self.departed_ids: set[str] = set()

    def must_hurry(self, alarms: set[str]) -> None:
        """These were accepted now; nothing keeps them from departing."""
        self._hurry |= dict.fromkeys(alarms, 0)

    def departed(self, session: MemorySession, topic: str, payload: bytes) -> None:
        """Each lane goes on from what is settled or was sent before in its session; an alarm overtakes the backlog."""
        if session is not self._session:
            self._session = session
            self._highest.clear()
            self._hurry = dict.fromkeys(self._hurry, 0)
        arrivals, bad = read_all(topic, payload)
        assert not bad, f"no envelope: {payload!r}"
        assert arrivals[0].lane != "alarm" or len(arrivals) == 1, "alarms do not travel in batches"
        for arrival in arrivals:
            key = arrival.epoch, arrival.lane
            before = max(self._highest.get(key, 0), arrival.settled)
            assert (arrival.first or arrival.seq) <= before + 1, f"{arrival.lane} {arrival.seq} after {before}"
            self._highest[key] = max(before, arrival.seq)
            self.departed_ids.add(arrival.id)
            self._hurry.pop(arrival.id, None)
        if arrivals[0].lane != "alarm":
            self._hurry = {event_id: count + 1 for event_id, count in self._hurry.items()}
            slow = [event_id for event_id, count in self._hurry.items() if count > OVERTAKEN]
            assert not slow, f"an alarm waits behind other lanes: {slow}"
