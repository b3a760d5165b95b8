"""Keeper: brings commits to disk, and their events to the city meanwhile, whatever the disk does.

The disk                     what happens
takes the commit             whoever sent the reading learns that it is safe (`taken`)
refuses (full, read-only)    the events are offered to the uplink from memory; the commit is kept and tried again
says nothing for HANG_S      an alarm is offered from memory; the commit goes on waiting
cannot encode it             what can be encoded of it is committed in its place, and that is told

Offering an event that later reaches the disk after all is harmless: it keeps its id, and the city knows ids.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from gateway.model.alarm import OPEN, Alarm
from gateway.model.event import Event, Lane
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

HANG_S = 1.0
RETRY_S = 5.0
KEPT = 2000  # commits that wait for the disk; those with an alarm are not counted
BATCH = 50

Fault = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """What belongs into one transaction, and who waits for it."""

    events: tuple[Event, ...]
    alarm: Alarm | None = None
    taken: Callable[[], None] | None = None

    def is_alarm(self) -> bool:
        return self.alarm is not None or any(event.lane is Lane.ALARM for event in self.events)


class Keeper:
    """Takes commits from submit() at any time; run() holds their work. `fault(what, reason, cure)` hears of trouble."""

    def __init__(self, store: Store, offer: Callable[[Sequence[Event]], None], fault: Fault) -> None:
        self._store, self._offer, self._fault = store, offer, fault
        self._group: asyncio.TaskGroup | None = None
        self._early: list[Commit] = []
        self._unsaved: list[Commit] = []
        self._newest: dict[str, Alarm] = {}  # an older snapshot must not overwrite it when it is saved later
        self._hangs = False
        self.dropped = 0

    async def run(self) -> None:
        """Hold every commit under way, and try again what the disk refused, until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for commit in self._early:
                self._group.create_task(self._save(commit))
            self._early.clear()
            while True:
                await asyncio.sleep(RETRY_S)
                await self._save_again()

    def submit(self, commits: Sequence[Commit], taken: Callable[[], None] | None = None) -> None:
        """Commit all of these, in order; call `taken` once they are on disk, at once if there are none."""
        if taken and not commits:
            taken()
        one = _after(len(commits), taken) if taken else None
        for commit in commits:
            if commit.alarm:
                self._newest[commit.alarm.id] = commit.alarm
            if self._group is None:
                self._early.append(replace(commit, taken=one))
            else:
                self._group.create_task(self._save(replace(commit, taken=one)))

    def waiting(self) -> int:
        """How many commits wait for the disk to take writes again."""
        return len(self._unsaved)

    async def _save(self, commit: Commit) -> None:
        saving = asyncio.ensure_future(self._store.append(commit.events, commit.alarm))
        try:
            if commit.is_alarm():
                await self._watch(saving, commit)
            await saving
        except StoreError as error:
            self._offer(commit.events)
            self._keep(commit, error)
        except Exception as error:  # whatever cannot be encoded: an alarm goes all the same, the daemon too
            log.exception("event cannot be written subject=%s", commit.events[0].subject if commit.events else "")
            self._fault("event", f"cannot be written: {type(error).__name__}: {error!r}", "report it with the log")
            bare = tuple(_bare(event) for event in commit.events)
            if bare != commit.events:
                await self._save(replace(commit, events=bare))
        else:
            self._hangs = False
            self._done(commit)
        finally:
            saving.cancel()

    async def _watch(self, saving: "asyncio.Future[None]", commit: Commit) -> None:
        """Let an alarm go from memory where the disk says nothing in time."""
        _, hanging = await asyncio.wait([saving], timeout=HANG_S)
        if not hanging:
            return
        self._offer(commit.events)
        if not self._hangs:
            self._hangs = True
            log.error("disk says nothing for %g s, alarms go on from memory", HANG_S)
            self._fault("store", f"the disk has said nothing for {HANG_S:g} s", "check the disk that holds state_dir")

    def _keep(self, commit: Commit, error: StoreError) -> None:
        first = not self._unsaved
        if commit.is_alarm() or len(self._unsaved) < KEPT:
            self._unsaved.append(commit)
        else:
            self.dropped += 1
            if commit.taken:
                commit.taken()  # given up: whoever keeps it for us need not
        if first:
            log.error("disk takes nothing, alarms go on from memory reason=%r cure=%r", error.reason, error.cure)
            self._fault("store", error.reason, error.cure)

    async def _save_again(self) -> None:
        """Give the disk what it did not take, alarms first, until it refuses again."""
        if not self._unsaved:
            self._newest = {id_: alarm for id_, alarm in self._newest.items() if alarm.state in OPEN}
            return
        while self._unsaved:
            batch = self._batch()
            alarm = batch[0].alarm
            events = [event for commit in batch for event in commit.events]
            try:
                await self._store.append(events, self._newest.get(alarm.id, alarm) if alarm else None)
            except StoreError:
                return
            self._unsaved = [commit for commit in self._unsaved if commit not in batch]
            for commit in batch:
                self._done(commit)
        log.warning("disk takes writes again: everything kept in memory is saved")

    def _batch(self) -> list[Commit]:
        """The next commits for one transaction: an alarm by itself first, else as many others as fit."""
        alarm = next((commit for commit in self._unsaved if commit.is_alarm()), None)
        return [alarm] if alarm else self._unsaved[:BATCH]

    def _done(self, commit: Commit) -> None:
        if commit.taken:
            commit.taken()


def _after(parts: int, taken: Callable[[], None]) -> Callable[[], None]:
    """A callback for each of `parts` commits; the last one calls `taken`."""
    left = parts

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            taken()

    return one


def _bare(event: Event) -> Event:
    """The event with only those of its data that can travel."""
    sound = {}
    for key, value in event.data.items():
        try:
            msgspec.json.decode(msgspec.json.encode({key: value}))
        except (msgspec.MsgspecError, TypeError, ValueError):
            continue
        sound[key] = value
    return Event(event.id, event.type, event.lane, event.subject, event.at, sound)
