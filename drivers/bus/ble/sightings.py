"""Sightings: who was heard lately, and waiting until somebody is. No Bluetooth in here."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from gateway.spi import Advertisement, BusUnavailable

MAX_KEPT = 512  # a neighbourhood of phones changes its random addresses every quarter of an hour
FRESH_S = 10.0  # active scanning hears an advertiser about every 0.6 s; one not heard so long is gone


@dataclass(frozen=True, slots=True)
class Sighting:
    """One device as last heard. `handle`: the backend's own device object, needed to connect.

    `connected`: not heard but found connected, left over by an earlier daemon; it does not advertise.
    `told`: somebody listened to the advertisement.
    """

    address: str
    name: str | None
    rssi_dbm: int | None
    mono_s: float
    handle: Any
    connected: bool = False
    advertisement: Advertisement | None = None
    told: bool = False


class Sightings:
    """The last sighting of each address, bounded; waiters are woken by a fresh one, or by the bus going down."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Sighting] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Future[Sighting]]] = {}

    @property
    def awaited(self) -> frozenset[str]:
        """Addresses that somebody waits for."""
        return frozenset(self._waiting)

    def add(self, sighting: Sighting) -> None:
        self._seen[sighting.address] = sighting
        self._seen.move_to_end(sighting.address)
        if len(self._seen) > MAX_KEPT:
            self._seen.popitem(last=False)
        for waiter in self._waiting.get(sighting.address, ()):
            if not waiter.done():
                waiter.set_result(sighting)

    def forget(self, address: str) -> None:
        """Believe in this device only when it is heard anew."""
        self._seen.pop(address, None)

    def clear(self, error: BusUnavailable) -> None:
        """The bus is down: nothing heard so far counts, and nobody waits in vain."""
        self._seen.clear()
        for waiter in [waiter for waiters in self._waiting.values() for waiter in waiters]:
            if not waiter.done():
                waiter.set_exception(error)

    def since(self, mono_s: float) -> list[Sighting]:
        """Everybody heard since, strongest first."""
        found = [sighting for sighting in self._seen.values() if sighting.mono_s >= mono_s]
        return sorted(found, key=lambda sighting: -(sighting.rssi_dbm or -127))

    def fresh(self, address: str, now_mono_s: float) -> Sighting | None:
        """The sighting of this address, unless it is too old to connect by."""
        seen = self._seen.get(address)
        return seen if seen is not None and (seen.connected or now_mono_s - seen.mono_s < FRESH_S) else None

    async def wait(self, address: str, now_mono_s: float) -> Sighting:
        """Return a fresh sighting of this address, at once or as soon as there is one. Raises BusUnavailable."""
        if seen := self.fresh(address, now_mono_s):
            return seen
        waiter: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, set()).add(waiter)
        try:
            return await waiter
        finally:
            self._waiting[address].discard(waiter)
            if not self._waiting[address]:
                del self._waiting[address]
