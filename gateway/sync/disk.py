"""Disk: the store as the uplink asks it: every call is timed, for a disk that says nothing must be told of."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.model.time import Stamp
from gateway.store import Store, StoreError, StoreUnwritable

HANG_S = 2.0  # a commit to a card under load takes some hundred milliseconds

T = TypeVar("T")


class Disk:
    """The store, with `error`: why the outbox could not be read last, None once it could again."""

    def __init__(self, store: Store, now: Callable[[], Stamp]) -> None:
        self.store = store
        self.error: StoreError | None = None
        self._now = now
        self._asked_s: dict[object, float] = {}  # when each call that has no answer yet began

    async def ask(self, call: Awaitable[T]) -> T:
        """Await a call of the store, and note how long it takes."""
        key = object()
        self._asked_s[key] = self._now().mono_s
        try:
            return await call
        finally:
            del self._asked_s[key]

    def silence(self) -> StoreUnwritable | None:
        """Tell of a call that has waited too long for its answer."""
        silent_s = self._now().mono_s - min(self._asked_s.values(), default=math.inf)
        if silent_s <= HANG_S:
            return None
        return StoreUnwritable(f"the disk has said nothing for {silent_s:.0f} s; alarms go on from memory",
                               "check the disk that holds state_dir")
