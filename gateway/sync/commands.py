"""Commands: from the city's bytes to a result that goes out through the outbox.

Order: decode -> known? -> expiry -> inbox (committed together with the receipt that goes out) -> obey -> result. A
command that was accepted is obeyed even if the power fails in between. One that was accepted before is neither obeyed
twice nor judged again: its result goes out again, or will come. So the city may send a command again until it has read
a result with that command's id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Event, EventType, Lane
from gateway.model.time import Boot, ClockQuality, Stamp
from gateway.store import Store, StoreError
from gateway.sync.dating import Dating, dated
from gateway.sync.wire import decode_command

log = logging.getLogger(__name__)

T = TypeVar("T")
Obey = Callable[[Command], Awaitable[CommandResult]]
RETRY_S = 5.0  # the disk did not take the result


class Commands:
    """The inbox's keeper. `obey` does what a command asks; what it raises is a FAILED result and nothing worse."""

    def __init__(self, store: Store, now: Callable[[], Stamp], obey: Obey,
                 sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
                 boots: Callable[[], Sequence[Boot]] = tuple) -> None:
        self._store = store
        self._now = now
        self._boots = boots
        self._obey = obey
        self._sleep = sleep
        self._accepted: asyncio.Queue[Command] = asyncio.Queue()
        self._queued: set[str] = set()

    async def receive(self, payload: bytes) -> None:
        """Take one message of the command topic. Raises WireError, and StoreError where it could not be kept."""
        command = decode_command(payload)
        if await self._store.answer_again(command.id):
            return
        now = self._now()
        refusal = _refusal(command, dated(now, now, self._boots()))
        if refusal is not None:
            await self._store.append([self._event(refusal)])
            return
        receipt = self._event(CommandResult(command.id, Outcome.ACCEPTED))
        if await self._store.accept_command(command, receipt):
            self._queue(command)

    async def run(self) -> None:
        """Obey for ever, one after another, beginning with what the last run left undone, be it of this process."""
        self._accepted, self._queued = asyncio.Queue(), set()
        for command in await self._until_stored(self._store.open_commands):
            self._queue(command)
        while True:
            await self._finish(await self._accepted.get())

    def _queue(self, command: Command) -> None:
        """One that came while the open ones were being read would otherwise be there twice."""
        if command.id not in self._queued:
            self._queued.add(command.id)
            self._accepted.put_nowait(command)

    async def _finish(self, command: Command) -> None:
        try:
            result = await self._obey(command)
        except Exception as error:  # a command must never take down the way of the alarms
            log.exception("command failed id=%s verb=%s", command.id, command.verb)
            result = CommandResult(command.id, Outcome.FAILED, str(error))
        await self._until_stored(lambda: self._store.append([self._event(result)], result_of=command.id))
        self._queued.discard(command.id)

    async def _until_stored(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except StoreError as error:
                log.warning("store refuses, trying again reason=%r", str(error))
                await self._sleep(RETRY_S)

    def _event(self, result: CommandResult) -> Event:
        event_id = f"{result.command}.{result.outcome.value}"
        data = msgspec.to_builtins(result)
        return Event(event_id, EventType.COMMAND_RESULT, Lane.EVENT, "gateway", self._now(), data)


def _refusal(command: Command, now: Dating) -> CommandResult | None:
    """Judge whether it is too late: what is known of now is right or a lower bound. Where nothing is, no is safe."""
    if now.wall_s is not None and now.wall_s > command.expires_s:
        return CommandResult(command.id, Outcome.EXPIRED, "the command came too late: send a new one")
    if now.quality not in (ClockQuality.SYNCED, ClockQuality.RESTORED):
        return CommandResult(command.id, Outcome.REJECTED, "the clock is not set, expiry unknown: send it again later")
    return None
