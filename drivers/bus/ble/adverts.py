"""Adverts: the AdvertPort of one address, fed by the one scanner. No Bluetooth in here."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from msgspec.structs import replace

from drivers.bus.ble.notebook import Page
from gateway.spi import Advertisement, LinkLost


class Adverts:
    """What is heard of one address while the port is open."""

    def __init__(self, address: str, notes: Page) -> None:
        self.address, self.notes = address, notes
        self._waiting: deque[Advertisement] = deque()
        self._changed = asyncio.Event()
        self._lost: tuple[str, str] | None = None

    async def advertisements(self) -> AsyncIterator[Advertisement]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._lost is not None:
                raise LinkLost(*self._lost)
            self._changed.clear()
            await self._changed.wait()

    def heard(self, heard: Advertisement) -> None:
        """Take one advertisement from the scanner. Its repeats, ten a second and more, count once while they wait."""
        if self._lost is not None:
            return
        last = self._waiting[-1] if self._waiting else None
        if last is None or replace(heard, mono_s=last.mono_s, rssi_dbm=last.rssi_dbm) != last:
            self._waiting.append(heard)
            self._changed.set()

    def lose(self, reason: str, cure: str) -> None:
        """End the iterator with LinkLost, behind what still waits."""
        if self._lost is None:
            self._lost = (reason, cure)
            self._changed.set()
