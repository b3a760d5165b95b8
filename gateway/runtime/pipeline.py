"""Pipeline: from a reading to what follows from it. Called, not fed: docs/decisions/0004-synchronous-pipeline.md.

Order for every alarm: the voice and the light at once; the commit; then whoever sent the reading learns that it is safe
(`taken`), and the uplink that there is something to send. While the disk takes nothing, events are offered to the
uplink from memory and kept here until the disk takes them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.alarm import effects, life
from gateway.model.alarm import Alarm
from gateway.model.command import Command, CommandResult, Verb
from gateway.model.command import Outcome as Answer
from gateway.model.device import DeviceStatus
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from gateway.model.reading import Button, Press, Reading, may_drop
from gateway.runtime.clock import Clock
from gateway.runtime.detectors import Detectors, Draft, Outcome
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

LATE_S = 5.0  # a sample this late is refused: the loop is behind, and catching up matters more
TICK_S = 1.0
RETRY_TICKS = 5
SAVE_TICKS = 300
DETECTORS = "detectors"  # the name under which their state is saved
KEPT = 2000  # commits that wait for the disk; those with an alarm are not counted

Watcher = Callable[[str, str, str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Commit:
    """What belongs into one transaction, and who waits for it."""

    events: tuple[Event, ...]
    alarm: Alarm | None = None
    taken: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where the pipeline's effects go. None of them may block or raise.

    `offer`: events for the city that the disk did not take. `show`: the light. `say`: the voice. `watch`: (what,
    subject, text, data) for `anju tail`. `new_id`: an id unique for ever.
    """

    offer: Callable[[Sequence[Event]], None]
    show: Callable[[LightPattern], None]
    say: Callable[[Prompt, FindingKind], None]
    watch: Watcher
    new_id: Callable[[], str]


@dataclass
class Pipeline:
    """The daemon's Sink. restore() first, then run() beside everything that calls in."""

    clock: Clock
    store: Store
    detectors: Detectors
    rules: life.Rules
    outlets: Outlets
    statuses: Callable[[], Mapping[str, DeviceStatus]]
    progress: int = 0  # turns of the loop that ended well: the watchdog's food
    refused: int = 0
    heard_mono_s: dict[str, float] = field(default_factory=dict)
    _alarms: life.Alarms = field(default_factory=dict)
    _unsaved: deque[Commit] = field(default_factory=deque)
    _newest: dict[str, Alarm] = field(default_factory=dict)  # of each alarm: an older snapshot must not overwrite it
    _group: asyncio.TaskGroup | None = None
    _queued: list[Commit] = field(default_factory=list)

    async def restore(self) -> None:
        """Take up the alarms that were open, and the silence that was counted, when the last run ended."""
        try:
            self._alarms = {alarm.id: alarm for alarm in await self.store.open_alarms()}
            saved = await self.store.detector(DETECTORS)
        except StoreError as error:
            log.error("the last run's state is not readable: %s", error)  # noqa: TRY400 - the store tells its trouble
        else:
            if saved is not None:
                self.detectors.restore(saved)

    async def save(self) -> None:
        """Keep what the detectors must know after a restart; a disk that refuses costs the minutes since the last."""
        try:
            await self.store.save_detector(DETECTORS, self.detectors.saved())
        except StoreError as error:
            log.warning("detectors not saved reason=%r", error.reason)

    def show(self) -> None:
        """Let the lights show how the alarms stand; for lights that were just configured."""
        self.outlets.show(life.light(self._alarms))

    async def run(self) -> None:
        """Tick, and hold every commit under way, until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for commit in self._queued:
                self._group.create_task(self._save(commit))
            self._queued.clear()
            while True:
                await asyncio.sleep(TICK_S)
                now = self.clock.stamp()
                commits = self._follow(self.detectors.tick(now, self.statuses().values()))
                self._submit(commits + self._decide(life.Tick()))
                self.progress += 1
                if self.progress % SAVE_TICKS == 0:
                    await self.save()
                if not self._unsaved:
                    self._newest = dict(self._alarms)
                elif self.progress % RETRY_TICKS == 0:
                    await self._save_again()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        """Judge one reading; False if it was a sample that came too late to be of use."""
        if may_drop(reading.value) and self.clock.mono_s() - reading.at.mono_s > LATE_S:
            self.refused += 1
            return False
        self.heard_mono_s[reading.device] = reading.at.mono_s
        commits = self._follow(self.detectors.reading(reading))
        if isinstance(reading.value, Press) and reading.value.button is Button.CANCEL:
            commits += self._decide(life.CancelPressed(reading.device))
        self._submit(commits, taken)
        return True

    def status(self, status: DeviceStatus) -> None:
        """Note a device's new state; supervision decides at the next tick whether the city hears of it."""
        self.outlets.watch("device", status.device, f"{status.state.value} {status.reason}".strip(), {})

    def sent(self, ids: Iterable[str]) -> None:
        """The broker has these events."""
        for id_ in self._awaited(ids):
            self._submit(self._decide(life.Sent(id_)))

    def received(self, ids: Iterable[str]) -> None:
        """The city's application has these events."""
        for id_ in self._awaited(ids):
            self._submit(self._decide(life.Received(id_)))

    async def obey(self, command: Command) -> CommandResult:
        """Do what the city asks."""
        if command.verb is Verb.CLOSE_ALARM:
            if command.target not in self._alarms:
                return CommandResult(command.id, Answer.DONE, "no such alarm is open: nothing to do")
            self._submit(self._decide(life.Closed(command.target, command.id)))
        return CommandResult(command.id, Answer.DONE)

    def test_alarm(self) -> str:
        """Raise a TEST alarm, which goes the whole way; return its id, or that of the open one that it repeats."""
        finding = Finding(FindingKind.TEST, "gateway", self.clock.stamp(), 1.0, "a technician's test")
        commits = self._decide(life.Raised(finding, self.outlets.new_id()))
        self._submit(commits)
        return next(commit.alarm.id for commit in commits if commit.alarm)

    def fault(self, what: str, reason: str, cure: str) -> None:
        """Tell the city and whoever watches that something of the gateway itself does not work."""
        self.outlets.watch("fault", what, reason, {"cure": cure})
        data = {"what": what, "reason": reason, "cure": cure}
        self.tell(Draft(EventType.GATEWAY_FAULT, Lane.EVENT, "gateway", self.clock.stamp(), data))

    def tell(self, draft: Draft) -> None:
        """Send an event of no alarm."""
        self._submit([self._event(draft)])

    def alarms(self) -> list[Alarm]:
        """The open alarms, oldest first."""
        return list(self._alarms.values())

    def unsaved(self) -> int:
        """How many commits wait for the disk."""
        return len(self._unsaved)

    # -- what follows ------------------------------------------------------------------------------------------------

    def _follow(self, outcome: Outcome) -> list[Commit]:
        """Findings before drafts: the alarm first."""
        commits = []
        for finding in outcome.findings:
            self.outlets.watch("finding", finding.device, finding.words, dict(finding.evidence))
            commits += self._decide(life.Raised(finding, self.outlets.new_id()))
        return commits + [self._event(draft) for draft in outcome.drafts]

    def _awaited(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that move an open alarm; most are of other events."""
        awaited = {life.awaited(alarm) for alarm in self._alarms.values()}
        return [id_ for id_ in ids if id_ in awaited]

    def _event(self, draft: Draft) -> Commit:
        if draft.lane is not Lane.TELEMETRY:
            self.outlets.watch("event", draft.subject, _words(draft), draft.data)
        return Commit((Event(self.outlets.new_id(), draft.type, draft.lane, draft.subject, draft.at, draft.data),))

    def _decide(self, happened: life.Input) -> list[Commit]:
        """Speak and light at once; return what must be committed."""
        before = self._alarms
        self._alarms, asked = life.decide(before, happened, self.clock.stamp(), self.rules)
        commits = []
        for effect in asked:
            match effect:
                case effects.Show(pattern):
                    self.outlets.show(pattern)
                case effects.Say(prompt, kind):
                    self.outlets.say(prompt, kind)
                case effects.Append(events, alarm):
                    told = {"alarm": alarm.id, "kind": alarm.finding.kind.value, "state": alarm.state.value}
                    text = f"{told['kind']} {told['state']}"
                    self.outlets.watch("alarm", alarm.finding.device, text, told)
                    commits.append(Commit(events, alarm))
        return commits

    # -- the disk ----------------------------------------------------------------------------------------------------

    def _submit(self, commits: Sequence[Commit], taken: Callable[[], None] | None = None) -> None:
        """Commit all of these, in order; call `taken` once they are on disk, at once if there are none."""
        if taken and not commits:
            taken()
        one = _after(len(commits), taken) if taken else None
        for commit in commits:
            if commit.alarm:
                self._newest[commit.alarm.id] = commit.alarm
            commit = replace(commit, taken=one)
            if self._group is None:
                self._queued.append(commit)
            else:
                self._group.create_task(self._save(commit))

    async def _save(self, commit: Commit) -> None:
        """Commit; what the disk does not take goes out from memory and is kept in its order."""
        try:
            await self.store.append(commit.events, commit.alarm)
        except StoreError as error:
            self.outlets.offer(commit.events)
            self._keep(commit, error)
        else:
            if commit.taken:
                commit.taken()

    def _keep(self, commit: Commit, error: StoreError) -> None:
        first = not self._unsaved
        if commit.alarm is None and len(self._unsaved) >= KEPT:
            self.refused += 1
        else:
            self._unsaved.append(commit)
        if first:
            log.error("disk takes nothing, alarms go on from memory reason=%r cure=%r", error.reason, error.cure)
            self.fault("store", error.reason, error.cure)

    async def _save_again(self) -> None:
        """Give the disk what it did not take, oldest first, until it refuses again."""
        while self._unsaved:
            commit = self._unsaved[0]
            alarm = self._newest.get(commit.alarm.id, commit.alarm) if commit.alarm else None
            try:
                await self.store.append(commit.events, alarm)
            except StoreError:
                return
            self._unsaved.popleft()
            if commit.taken:
                commit.taken()
        log.warning("disk takes writes again: everything kept in memory is saved")


def _after(parts: int, taken: Callable[[], None]) -> Callable[[], None]:
    """A callback for each of `parts` commits; the last one calls `taken`."""
    left = parts

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            taken()

    return one


def _words(draft: Draft) -> str:
    """A line for people."""
    interesting = ("kind", "active", "state", "reason", "what")
    shown = [str(draft.data[key]) for key in interesting if draft.data.get(key) not in (None, "")]
    return " ".join([draft.type.removeprefix("anju."), *shown])
