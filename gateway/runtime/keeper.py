"""Keeper: brings commits to disk, and their events to the city meanwhile, whatever the disk does.

The disk                     what happens
takes the commit             whoever sent the reading learns that it is safe (`taken`)
refuses (full, read-only)    the events are offered to the uplink from memory; the commit is kept and tried again
says nothing for HANG_S      an alarm is offered from memory; the commit goes on waiting, and what comes after is kept
cannot encode it             what can be encoded of it is committed in its place, and that is told
refuses a fall's evidence    it is too large for memory: that it is missing is told in its place, like any event

Offering an event that later reaches the disk after all is harmless: it keeps its id, and the city knows ids.

What is kept stays bounded over days without a disk: of an alarm the newest snapshot and those of its events that the
city has not acknowledged from memory meanwhile, which are few (gateway/alarm/repeats.py); of all else KEPT commits.
What goes beyond that is given up, and the city hears how much that was once the disk takes writes again.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

import msgspec

from gateway.alarm import life
from gateway.alarm.evidence import told
from gateway.model.alarm import Alarm
from gateway.model.event import Event, Lane
from gateway.model.evidence import Evidence, lacking
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

HANG_S = 1.0
RETRY_S = 5.0
KEPT = 2000  # commits that wait for the disk; those with an alarm are not counted
BATCH = 50
NOT_TAKEN = "the disk did not take it"

Fault = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """What belongs into one transaction, and who waits for it.

    `evidence`: awaited, along with the alarm's commit; kept or missing, along with the event that tells it.
    `detectors`: the state of those that judged, by name; not tried again, for the next one is newer.
    """

    events: tuple[Event, ...]
    alarm: Alarm | None = None
    taken: Callable[[], None] | None = None
    evidence: Evidence | None = None
    detectors: Mapping[str, bytes] = field(default_factory=dict)

    def is_alarm(self) -> bool:
        return self.alarm is not None or any(event.lane is Lane.ALARM for event in self.events)

    def is_late(self) -> bool:
        """Tell whether the store may take its time with it."""
        return self.alarm is None and all(event.lane is Lane.TELEMETRY for event in self.events)

    def about(self) -> str:
        """The id of the alarm that it is about, or of its event."""
        return self.alarm.id if self.alarm else life.of(self.events[0].id)


@dataclass(slots=True)
class _Kept:
    """What waits for the disk, of one alarm or of one other commit: events by id, and who waits for them."""

    events: dict[str, Event] = field(default_factory=dict)
    takens: list[Callable[[], None]] = field(default_factory=list)

    def add(self, events: Iterable[Event], takens: Iterable[Callable[[], None] | None]) -> None:
        self.events |= {event.id: event for event in events}
        self.takens += [taken for taken in takens if taken]

    def copy(self) -> "_Kept":
        return _Kept(dict(self.events), list(self.takens))

    def remove(self, saved: "_Kept") -> None:
        """Take away what a copy held; what has come since stays."""
        self.events = {id_: event for id_, event in self.events.items() if id_ not in saved.events}
        self.takens = self.takens[len(saved.takens):]

    def done(self) -> None:
        for taken in self.takens:
            taken()


class Keeper:
    """Takes commits from submit() at any time; run() holds their work. `fault(what, reason, cure)` hears of trouble."""

    def __init__(self, store: Store, offer: Callable[[Sequence[Event]], None], fault: Fault) -> None:
        self._store, self._offer, self._fault = store, offer, fault
        self._group: asyncio.TaskGroup | None = None
        self._begun: list[Commit] = []  # and no task of them has run yet
        self._alarms: dict[str, _Kept] = {}  # kept, by what they are about
        self._others: dict[str, _Kept] = {}
        # Of what is under way or kept: an older snapshot must not overwrite the newest when it is saved later.
        self._newest: dict[str, Alarm] = {}
        self._under_way: Counter[str] = Counter()  # commits, by what they are about
        self._hangs = False
        self._works = asyncio.Event()  # the disk took something while something is kept
        self._flying = 0
        self.dropped = 0  # events given up
        self._dropped_told = 0
        self._dropped_from: Stamp | None = None
        self._perhaps: dict[str, None] = {}  # of them those that the city may still acknowledge from memory

    async def run(self) -> None:
        """Hold every commit under way, and try again what the disk refused, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for commit in self._begun:
                    group.create_task(self._bring(commit))
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RETRY_S):
                            await self._works.wait()
                    self._works.clear()
                    await self._save_again()
            finally:
                self._group = None  # what comes from now on waits for leave()

    async def leave(self) -> None:
        """Bring to disk what came too late for run(), once that has ended, and what was kept, if it is taken now."""
        begun, self._begun = self._begun, []
        for commit in begun:
            try:
                await self._store.append(commit.events, commit.alarm, evidence=commit.evidence,
                                         detectors=commit.detectors)
            except StoreError as error:
                log.error("not saved before the stop about=%s reason=%r cure=%r", commit.about(),  # noqa: TRY400
                          error.reason, error.cure)
        await self._save_again()

    def submit(self, commits: Sequence[Commit], taken: Callable[[], None] | None = None) -> None:
        """Commit all of these, in order; call `taken` once they are on disk, at once if there are none."""
        if taken and not commits:
            taken()
        one = _after(len(commits), taken) if taken else None
        for commit in commits:
            self._under_way[commit.about()] += 1
            if commit.alarm:
                self._newest[commit.alarm.id] = commit.alarm
            self._begun.append(begun := replace(commit, taken=one))
            if self._group is not None:
                self._group.create_task(self._bring(begun))

    def received(self, ids: Iterable[str]) -> None:
        """The city has these events: what is kept of them need not reach the disk any more."""
        if not (self._alarms or self._others or self._perhaps):
            return
        for id_ in ids:
            if id_ in self._perhaps:
                del self._perhaps[id_]
                self.dropped -= 1
            if (kept := self._alarms.get(life.of(id_))) is not None:
                kept.events.pop(id_, None)  # the alarm's snapshot still must
            elif (kept := self._others.get(id_)) is not None:
                kept.events.pop(id_, None)
                if not kept.events:
                    del self._others[id_]
                    kept.done()

    def waiting(self) -> int:
        """How many alarms and other commits wait for the disk to take writes again."""
        return len(self._alarms) + len(self._others)

    async def _bring(self, commit: Commit) -> None:
        self._begun.remove(commit)
        try:
            await self._save(commit)
        finally:
            about = commit.about()
            self._under_way[about] -= 1
            if not self._under_way[about]:
                del self._under_way[about]
            self._forget(about)

    def _forget(self, about: str) -> None:
        """Forget the newest snapshot once it is on disk and no commit is left that could bring an older one there."""
        if about not in self._alarms and about not in self._under_way:
            self._newest.pop(about, None)

    async def _save(self, commit: Commit) -> None:
        try:
            if self._hangs or (self._flying >= KEPT and not commit.is_alarm()):
                self._refused(commit)
            else:
                await self._append(commit)
        except StoreError as error:
            self._hangs = False
            self._tell_trouble(error)
            self._refused(commit)
        except Exception as error:  # whatever cannot be encoded: an alarm goes all the same, the daemon too
            log.exception("event cannot be written subject=%s", commit.events[0].subject if commit.events else "")
            self._fault("event", f"cannot be written: {type(error).__name__}: {error!r}", "report it with the log")
            bare = tuple(_bare(event) for event in commit.events)
            if bare != commit.events:
                await self._save(replace(commit, events=bare))

    async def _append(self, commit: Commit) -> None:
        saving = asyncio.ensure_future(self._store.append(commit.events, commit.alarm, evidence=commit.evidence,
                                                          detectors=commit.detectors))
        self._flying += 1
        try:
            if not commit.is_late():
                await self._watch(saving, commit)
            await saving
        finally:
            self._flying -= 1
            saving.cancel()
        self._hangs = False
        if commit.taken:
            commit.taken()
        if self.waiting():
            self._works.set()

    async def _watch(self, saving: "asyncio.Future[None]", commit: Commit) -> None:
        """Let an alarm go from memory where the disk says nothing in time."""
        _, hanging = await asyncio.wait([saving], timeout=HANG_S)
        if not hanging:
            return
        if commit.is_alarm():
            self._offer(commit.events)
        if not self._hangs:
            self._hangs = True
            log.error("disk says nothing for %g s, alarms go on from memory", HANG_S)
            self._fault("store", f"the disk has said nothing for {HANG_S:g} s", "check the disk that holds state_dir")

    def _refused(self, commit: Commit) -> None:
        """Let it go from memory, and keep it for the disk. Raises TypeError where it cannot travel."""
        if commit.evidence is not None and not commit.evidence.awaited:
            commit = replace(commit, events=(told(lacking(commit.evidence, NOT_TAKEN)),), evidence=None)
        self._offer(commit.events)
        if commit.is_alarm():
            self._alarms.setdefault(commit.about(), _Kept()).add(commit.events, [commit.taken])
        elif len(self._others) < KEPT:
            self._others.setdefault(commit.about(), _Kept()).add(commit.events, [commit.taken])
        else:
            self._give_up(commit)

    def _give_up(self, commit: Commit) -> None:
        self._dropped_from = self._dropped_from or commit.events[0].at
        self.dropped += len(commit.events)
        if len(self._perhaps) < KEPT:  # no more than that has found room at the uplink
            self._perhaps |= {event.id: None for event in commit.events}
        if commit.taken:
            commit.taken()  # whoever keeps it for us need not

    def _tell_trouble(self, error: StoreError) -> None:
        if not self.waiting():
            log.error("disk takes nothing, alarms go on from memory reason=%r cure=%r", error.reason, error.cure)
            self._fault("store", error.reason, error.cure)

    async def _save_again(self) -> None:
        """Give the disk what it did not take, alarms first, until it refuses again."""
        again = self.waiting()
        while source := self._alarms or self._others:
            batch = {id_: kept.copy() for id_, kept in islice(source.items(), 1 if source is self._alarms else BATCH)}
            alarm = self._newest.get(next(iter(batch)))
            try:
                await self._store.append([event for one in batch.values() for event in one.events.values()], alarm)
            except StoreError:
                return
            self._hangs = False
            for id_, saved in batch.items():
                if (kept := source.get(id_)) is not None:  # else the city had it meanwhile
                    saved.done()
                    kept.remove(saved)
                    if not kept.events and self._newest.get(id_) is alarm:
                        del source[id_]
                        self._forget(id_)
        if again:
            log.warning("disk takes writes again: everything kept in memory is saved")
        if not self._hangs:
            self._tell_loss()

    def _tell_loss(self) -> None:
        """Say once how much was given up while the disk took nothing."""
        lost, began = self.dropped - self._dropped_told, self._dropped_from
        self._dropped_told, self._dropped_from, self._perhaps = self.dropped, None, {}
        if lost and began is not None:
            log.error("given up while the disk took nothing events=%d from=%s", lost, _when(began))
            self._fault("store", f"{lost} events were given up from {_when(began)} on: the disk took nothing until "
                        "memory was full. No alarm is among them", "check the disk that holds state_dir; take what the "
                        "flat's sensors told since that time as incomplete")


def _after(parts: int, taken: Callable[[], None]) -> Callable[[], None]:
    """A callback for each of `parts` commits; the last one calls `taken`."""
    left = parts

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            taken()

    return one


def _when(at: Stamp) -> str:
    """A time for people."""
    if at.wall_s is None:
        return f"{at.mono_s:.0f} s after the start of boot {at.boot_id}"
    told = datetime.fromtimestamp(at.wall_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return told if at.quality is ClockQuality.SYNCED else f"{told} (by a clock that was not set then)"


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
