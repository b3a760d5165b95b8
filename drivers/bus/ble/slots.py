"""Slots: who may connect now. A controller holds few links, and takes one connection request at a time. No I/O in here.

Rules, by which nothing but other urgent devices keeps an urgent one out:
- a device asks for a slot once it is heard: who is absent keeps nobody out;
- urgent devices are served first, each kind in the order in which it asked;
- without room an urgent device takes the slot of the device that is not urgent and has had its own longest; and the
  turn of one that is not urgent and just connecting;
- there is room for `limit` links; a controller that refuses one with fewer is believed for LEARNED_S.
"""

import asyncio
from collections.abc import Callable
from typing import Any

LEARNED_S = 600.0  # then one more is tried: what filled the controller may have been links of another program

LetGo = Callable[[str, str], None]
_NEEDED = ("its connection was needed for a device that raises alarms",
           "none needed: it is connected again when there is room; or use fewer devices that stay connected")


class Slot:
    """One device's claim. `let_go(reason, cure)` is called when another needs the slot: give it back soon after."""

    def __init__(self, device: str, urgent: bool, let_go: LetGo) -> None:
        self.device, self.urgent, self.let_go = device, urgent, let_go
        self.leaving = False


class Slots:
    """All slots of one controller."""

    def __init__(self, limit: int, mono_s: Callable[[], float]) -> None:
        self._limit, self._mono_s = limit, mono_s
        self._learned: tuple[int, float] | None = None  # (links, until)
        self._held: list[Slot] = []  # oldest first
        self._connecting: Slot | None = None
        self._waiting: dict[Slot, asyncio.Future[None]] = {}
        self._given_up = 0

    @property
    def room(self) -> int:
        """Links that the controller is believed to hold."""
        if self._learned is not None and self._mono_s() < self._learned[1]:
            return self._learned[0]
        self._learned = None
        return self._limit

    async def take(self, slot: Slot) -> None:
        """Wait for a slot and for the turn to connect. Raises what clear() was given."""
        slot.leaving = False
        self._waiting[slot] = asyncio.get_running_loop().create_future()
        self.look()
        try:
            await self._waiting[slot]
        except BaseException:
            self.give_back(slot)
            raise
        finally:
            self._waiting.pop(slot, None)

    def connected(self, slot: Slot) -> None:
        """The turn is over, the slot is kept."""
        if self._connecting is slot:
            self._connecting = None
            self.look()

    def give_back(self, slot: Slot) -> None:
        """The link is down, or never came up. Also where the slot was never had."""
        if slot in self._held:
            self._held.remove(slot)
        self.connected(slot)
        self.look()

    def links(self, *, urgent_only: bool) -> int:
        """How many slots are held, of urgent devices or of all."""
        return sum(slot.urgent or not urgent_only for slot in self._held)

    def refused(self) -> None:
        """The controller takes no link beside those that stand."""
        standing = len(self._held) - (self._connecting is not None)
        self._learned = (max(1, standing), self._mono_s() + LEARNED_S)

    def clear(self, error: Exception) -> None:
        """The radio is down: nobody waits in vain; who holds a slot gives it back by itself."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(error)

    def look(self) -> None:
        """Serve who waits, as far as there is room. Time alone makes room too: call it now and then."""
        while next_ := self._next():
            if self._connecting is not None:
                if next_.urgent and not self._connecting.urgent:
                    self._let_go(self._connecting)
                return
            if len(self._held) >= self.room:
                if next_.urgent and not any(slot.leaving for slot in self._held):
                    for slot in [slot for slot in self._held if not slot.urgent][:1]:
                        self._let_go(slot)
                return
            self._held.append(next_)
            self._connecting = next_
            self._waiting[next_].set_result(None)

    def health(self) -> dict[str, Any]:
        return {"room": self.room, "waiting_for_room": sorted(slot.device for slot in self._unserved()),
                "slots_taken_over": self._given_up}

    def _unserved(self) -> list[Slot]:
        return [slot for slot, waiter in self._waiting.items() if not waiter.done()]

    def _next(self) -> Slot | None:
        return min(self._unserved(), key=lambda slot: not slot.urgent, default=None)  # the first of equals

    def _let_go(self, slot: Slot) -> None:
        if not slot.leaving:
            slot.leaving = True
            self._given_up += 1
            slot.let_go(*_NEEDED)
