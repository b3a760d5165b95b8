"""Chronicle: what is known of the clock, boot by boot, in memory and on disk. Disk or not, dates are made from memory.

When                                      what is noted on disk
the daemon starts                         this boot, after what is read of the earlier ones
its clock is synced, restored or moved    since when it runs, at once
every five minutes, and at the end        how long it has run: save() is called with what else is saved then
A disk that refuses, or says nothing, costs no more than that: the next look tries again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from gateway.model.time import Boot, ClockQuality, seen
from gateway.runtime.clock import Clock
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

LOOK_S = 5.0


class Chronicle:
    """boots() at any time; run() beside everything else."""

    def __init__(self, store: Store, clock: Clock,
                 sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._store, self._clock, self._sleep = store, clock, sleep
        self._earlier: list[Boot] | None = None
        self._own = Boot(clock.boot_id, 0.0)
        self._noted: Boot | None = None
        self._look()

    def boots(self) -> Sequence[Boot]:
        """Return every boot that is known, this one last."""
        return [*(self._earlier or ()), self._own]

    async def run(self) -> None:
        """Look at the clock's state now and then, for ever, and note at once what is new."""
        while True:
            self._look()
            if self._is_news():
                await self.save()
            await self._sleep(LOOK_S)

    async def save(self) -> None:
        """Note how this boot stands, if the disk takes it; read the earlier ones first."""
        try:
            if self._earlier is None:
                self._take_up(await self._store.boots())
            self._look()
            own = self._own
            await self._store.note_boot(own)
        except StoreError as error:
            log.debug("boot not noted reason=%r", error.reason)  # the store's trouble is told elsewhere
        else:
            self._noted = own

    def _take_up(self, found: Sequence[Boot]) -> None:
        """Go on from what an earlier run of this service knew, of this boot too."""
        self._earlier = [boot for boot in found if boot.id != self._own.id]
        known = next((boot for boot in found if boot.id == self._own.id), None)
        if known is not None:
            self._own = known
            self._look()

    def _look(self) -> None:
        now = self._clock.stamp()
        if now.quality is ClockQuality.SYNCED:
            self._own = seen(self._own, self._clock.stamp(self._clock.confirmed_mono_s))
            now = msgspec.structs.replace(now, wall_s=None)  # by now the clock may have drifted
        self._own = seen(self._own, now)

    def _is_news(self) -> bool:
        noted, own = self._noted, self._own
        return noted is None or (noted.began_wall_s, noted.restored_wall_s) != (own.began_wall_s, own.restored_wall_s)
