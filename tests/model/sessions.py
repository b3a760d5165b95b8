"""What must be so of everything that a gateway publishes, whatever becomes of it on the way."""

from collections.abc import Callable

from hil.cloud.envelope import read_all
from tests.model.link import MemorySession, Watch


class Sessions(Watch):
    """Hears each publication as it departs. `alarms_waiting`: how many there are in the store now."""

    def __init__(self, alarms_waiting: Callable[[], int]) -> None:
        self._alarms_waiting = alarms_waiting
        self._alarms_first = 0
        self._highest: dict[tuple[str, str], int] = {}
        self.departed_ids: set[str] = set()

    def began(self, session: MemorySession) -> None:
        self._alarms_first = self._alarms_waiting()
        self._highest.clear()

    def departed(self, session: MemorySession, topic: str, payload: bytes) -> None:
        """A session begins with its alarms. Each lane goes on from what is settled or was sent in it before."""
        arrivals, bad = read_all(topic, payload)
        assert not bad, f"no envelope: {payload!r}"
        assert arrivals[0].lane != "alarm" or len(arrivals) == 1, "alarms do not travel in batches"
        if not arrivals[0].epoch.startswith("v"):  # an outbox in memory knows nothing of the alarms on the disk
            first, self._alarms_first = min(self._alarms_first, self._alarms_waiting()), 0
            assert arrivals[0].lane == "alarm" or not first, "other lanes depart before the alarms that waited"
        for arrival in arrivals:
            key = arrival.epoch, arrival.lane
            before = max(self._highest.get(key, 0), arrival.settled)
            assert (arrival.first or arrival.seq) <= before + 1, f"{arrival.lane} {arrival.seq} after {before}"
            self._highest[key] = max(before, arrival.seq)
            self.departed_ids.add(arrival.id)
