"""Remedies: what the gateway does about a lane that the city's application does not acknowledge.

After conversations that ended with no answer      what is tried
two in a row, nothing of the lane acknowledged     a new epoch, where the lane begins at 1: the city may have lost
                                                   numbers that it knew (a backup); at most once in RENEW_S
ROUNDS_TO_BACK rounds in all for the same row,     that row is set back: gateway/sync/setback.py
though rows behind it were sent and other lanes
were acknowledged
Both are harmless: the city knows every event by its id. A city that answers nobody is left alone once all begins at 1.
"""

import logging
from collections.abc import Callable

from gateway.model.event import Lane
from gateway.model.time import Stamp
from gateway.store import StoreError
from gateway.sync.conversation import STUCK, Conversation
from gateway.sync.disk import Disk
from gateway.sync.errors import NoAnswer, SessionError
from gateway.sync.setback import set_back

log = logging.getLogger(__name__)

IN_A_ROW = 2
RENEW_S = 3600.0
ROUNDS = 2  # without an answer make a lane silent
ROUNDS_TO_BACK = 2 * (STUCK - 1)  # two conversations that ended for that lane; one that ends for another is shorter


class Remedies:
    """ended() hears of every conversation."""

    def __init__(self, disk: Disk, now: Callable[[], Stamp]) -> None:
        self._disk = disk
        self._now = now
        self._mute = dict.fromkeys(Lane, 0)  # conversations in a row
        self._stuck: dict[Lane, tuple[str, int]] = {}  # the row's id, rounds
        self._renewed_s: float | None = None

    async def ended(self, talk: Conversation, error: SessionError) -> None:
        """Note why a conversation ended, and try what may help the next one."""
        for lane in talk.answered:
            self._mute[lane] = 0
        if not isinstance(error, NoAnswer):
            return
        try:
            for lane, rounds in talk.silent().items():
                if rounds >= ROUNDS:
                    await self._try(talk, lane, rounds)
        except StoreError as trouble:
            self._disk.error = trouble

    async def _try(self, talk: Conversation, lane: Lane, rounds: int) -> None:
        self._mute[lane] += lane not in talk.answered
        if self._mute[lane] >= IN_A_ROW and await self._renew(lane):
            self._mute = dict.fromkeys(Lane, 0)
            self._stuck.clear()
        else:
            await self._unblock(talk, lane, rounds)

    async def _renew(self, lane: Lane) -> bool:
        now_s = self._now().mono_s
        if self._renewed_s is not None and now_s - self._renewed_s < RENEW_S:
            return False
        if not await self._disk.ask(self._disk.store.renew_epoch(self._disk.store.epoch, lane)):
            return False
        self._renewed_s = now_s
        log.warning("epoch renewed reason=%r cure=%r",
                    f"the city acknowledges nothing of lane {lane.name.lower()}: it may have lost the numbers it knew",
                    "have the city's integrator count numbers up to settledupto as known")
        return True

    async def _unblock(self, talk: Conversation, lane: Lane, rounds: int) -> None:
        """Set the first row of a lane back that nobody acknowledges."""
        head = talk.passed_over(lane)
        if head is None:
            return
        id_, before = self._stuck.get(lane, ("", 0))
        rounds += before if id_ == head.event.id else 0
        self._stuck[lane] = head.event.id, rounds
        if rounds >= ROUNDS_TO_BACK:
            del self._stuck[lane]
            await set_back(self._disk, head, "the city's application never acknowledged it, though others",
                           "tell the city's platform the id: its application cannot take that event", self._now())
