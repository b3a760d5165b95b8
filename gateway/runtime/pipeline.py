"""Pipeline: from a reading to what follows from it. Called, not fed: docs/decisions/0004-synchronous-pipeline.md.

Order for every alarm: the voice and the light at once; the commit (keeper.py); then whoever sent the reading learns
that it is safe (`taken`), and the uplink that there is something to send.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.alarm import effects, fusion, life, second_path
from gateway.alarm.evidence import told
from gateway.alarm.rules import Rules
from gateway.model.alarm import Alarm, AlarmState
from gateway.model.command import Command, CommandResult, Verb
from gateway.model.command import Outcome as Answer
from gateway.model.device import DeviceStatus
from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence, lacking
from gateway.model.finding import Finding, FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from gateway.model.reading import Button, Press, Reading, SmsReport, SpotCheck, may_drop, sound
from gateway.model.time import Stamp
from gateway.runtime.clock import Clock
from gateway.runtime.detectors import HEALTH, ROUTINE, Detectors
from gateway.runtime.keeper import Commit, Keeper
from gateway.runtime.outcome import Draft, Outcome
from gateway.runtime.routine import BadAway, date
from gateway.spi import SendSms
from gateway.store import Store, StoreError

log = logging.getLogger(__name__)

LATE_S = 5.0  # a sample this late is refused: the loop is behind, and catching up matters more
TICK_S = 1.0
RETRY_TICKS = 5
ASSURE_TICKS = 30  # not oftener: telemetry that may be so late goes along with each commit, and wears the card
SAVE_TICKS = 300
CUT_SHORT = "the gateway was stopped before it was complete"
RESTORE_S = 2.0  # a disk that does not answer in this time must not keep the devices waiting

Watcher = Callable[[str, str, str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where the pipeline's effects go. None of them may block or raise.

    `offer`: events for the city that the disk did not take. `show`: the light. `say`: the voice (prompt, kind, the
    alarm's id). `watch`: (what, subject, text, data) for `anju tail`. `new_id`: an id unique for ever. `has_modem`: one
    is up; `text`: an order for it. `aloud`: says what somebody just measured with a device.
    """

    offer: Callable[[Sequence[Event]], None]
    show: Callable[[LightPattern], None]
    say: Callable[[Prompt, FindingKind, str], None]
    watch: Watcher
    new_id: Callable[[], str]
    has_modem: Callable[[], bool] = lambda: False
    text: Callable[[SendSms], None] = lambda order: None
    aloud: Callable[[str, SpotCheck], None] = lambda device, check: None


@dataclass
class Pipeline:
    """The daemon's Sink. run() beside everything that calls in. `note_boot` is called along with save()."""

    clock: Clock
    store: Store
    detectors: Detectors
    rules: Rules
    outlets: Outlets
    statuses: Callable[[], Mapping[str, DeviceStatus]]
    note_boot: Callable[[], Coroutine[Any, Any, None]] | None = None
    progress: int = 0  # turns of the loop that ended well: the watchdog's food
    refused: int = 0
    heard_mono_s: dict[str, float] = field(default_factory=dict)
    _alarms: life.Alarms = field(default_factory=dict)
    _epoch: str = ""
    _restored: asyncio.Event = field(default_factory=asyncio.Event)  # the last run's alarms are taken up
    _learned: asyncio.Event = field(default_factory=asyncio.Event)  # and what the detectors knew
    _ended: set[str] = field(default_factory=set)  # in this run, until then: the disk may still take them for open
    _well: tuple[life.CancelPressed, Stamp] | None = None  # the first one until then: no later one is more in time
    _awaited: set[str] = field(default_factory=set)  # evidence that this run has begun

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.store, self.outlets.offer, self.fault)

    async def restore(self) -> bool:
        """Take up the alarms that were open, and the silence that was counted; False where the disk does not answer.

        The alarms first, and once: commands wait for them. May be called until it has returned True.
        """
        try:
            async with asyncio.timeout(RESTORE_S):
                if not self._restored.is_set():
                    self._take_up(await self.store.open_alarms())
                self._miss(await self.store.evidence.awaited())
                saved = {name: await self.store.detector(name) for name in (ROUTINE, HEALTH)}
        except (StoreError, TimeoutError) as error:
            log.error("the last run's state is not readable yet: %s", error)  # noqa: TRY400 - no trace needed
            return False
        for name, state in saved.items():
            if state is not None:
                self.detectors.restore(name, state)
        self._learned.set()
        return True

    def _take_up(self, on_disk: Sequence[Alarm]) -> None:
        """Go on with the last run's alarms; of those that this run knows already its own word counts.

        What of them the centre has not acknowledged is appended again under its id: it may have been settled in the
        moment of the crash, or gone with a damaged file, and either way the city's answer tells.
        """
        known = self._ended | self._alarms.keys()
        old = second_path.taken_up({alarm.id: alarm for alarm in on_disk if alarm.id not in known})
        if self._well:
            old, asked = life.decide(old, *self._well, self.rules)
            self.keeper.submit(self._carry_out(asked))
        self._alarms = {**old, **self._alarms}
        self._restored.set()
        self._ended.clear()
        self._epoch = self.store.epoch
        self._assure()
        self.show()

    def _miss(self, awaited: Iterable[Evidence]) -> None:
        """Tell of the last run's evidence that nobody completes any more."""
        self.keeper.submit([self._kept(lacking(evidence, CUT_SHORT)) for evidence in awaited
                            if evidence.id not in self._awaited])

    async def save(self) -> None:
        """Keep what the detectors must know after a restart; a disk that refuses costs the minutes since the last."""
        async with asyncio.TaskGroup() as group:  # side by side, so that one commit serves both
            if self.note_boot:
                group.create_task(self.note_boot())
            for name, state in self.detectors.saved().items():
                group.create_task(self._save(name, state))

    async def leave(self) -> None:
        """Commit what only this process knows: once run() has ended, and the keeper with it."""
        await self.keeper.leave()
        for commit in self._follow(self.detectors.leave(self.clock.stamp())):
            try:
                await self.store.append(commit.events, commit.alarm, evidence=commit.evidence)
            except StoreError as error:
                log.error("fall not saved before the stop reason=%r cure=%r", error.reason, error.cure)  # noqa: TRY400
        await self.save()

    async def _save(self, name: str, state: bytes) -> None:
        try:
            await self.store.save_detector(name, state)
        except StoreError as error:
            log.warning("detector not saved name=%s reason=%r", name, error.reason)

    def show(self) -> None:
        """Let the lights show how the alarms stand; for lights that were just configured."""
        self.outlets.show(life.light(self._alarms))

    async def run(self) -> None:
        """Restore, tick, and hold every commit under way, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keeper.run(), name="keeper")
            restored = await self.restore()
            while True:
                await asyncio.sleep(TICK_S)
                now = self.clock.stamp()
                commits = self._follow(self.detectors.tick(now, self.statuses().values()))
                self.keeper.submit(commits + self._decide(life.Tick()))
                self.keeper.submit(self._second(second_path.Tick(self.outlets.has_modem())))
                self.progress += 1
                if self.progress % SAVE_TICKS == 0:
                    group.create_task(self.save())
                if not restored and self.progress % RETRY_TICKS == 0:
                    restored = await self.restore()
                ticks = RETRY_TICKS if self.store.trouble or self.keeper.waiting() else ASSURE_TICKS
                if self.store.epoch != self._epoch or self.progress % ticks == 0:
                    self._epoch = self.store.epoch
                    self._assure()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        """Judge one reading; False if it was a sample that came too late to be of use."""
        reading = sound(reading, self.clock.stamp())
        if may_drop(reading.value) and self.clock.mono_s() - reading.at.mono_s > LATE_S:
            self.refused += 1
            return False
        self.heard_mono_s[reading.device] = reading.at.mono_s
        commits = self._follow(self.detectors.reading(reading))
        if isinstance(reading.value, SpotCheck) and commits and self._learned.is_set():
            # A crash must not make a second high pressure the first one again: what was judged, and when, goes along.
            commits[-1] = replace(commits[-1], detectors=self.detectors.saved())
        if isinstance(reading.value, Press) and reading.value.button is Button.CANCEL:
            commits += self._decide(pressed := life.CancelPressed(reading.device))
            if not self._restored.is_set():
                self._well = self._well or (pressed, self.clock.stamp())
        if isinstance(reading.value, SmsReport):
            commits += self._second(second_path.Reported(reading.device, reading.value))
        self.keeper.submit(commits, taken)
        return True

    def status(self, status: DeviceStatus) -> None:
        """Note a device's new state; supervision decides at the next tick whether the city hears of it."""
        self.outlets.watch("device", status.device, f"{status.state.value} {status.reason}".strip(), {})

    def sent(self, ids: Iterable[str]) -> None:
        """The broker has these events."""
        for id_ in self._of_alarms(ids):
            self.keeper.submit(self._decide(life.Sent(id_)))

    def received(self, ids: Sequence[str]) -> None:
        """The city's application has these events."""
        self.keeper.received(ids)
        for id_ in self._of_alarms(ids):
            self.keeper.submit(self._decide(life.Received(id_)))

    async def obey(self, command: Command) -> CommandResult:
        """Do what the city asks; return once that is on disk.

        It waits for the last run's alarms, however long the disk keeps them: a command that is obeyed before they are
        there would find nothing to do, and be done. While it waits it stays accepted, and the next start obeys it.
        """
        await self._restored.wait()
        if command.verb is Verb.CLOSE_ALARM:
            if command.target not in self._alarms:
                return CommandResult(command.id, Answer.DONE, "no such alarm is open: nothing to do")
            saved = asyncio.Event()
            self.keeper.submit(self._decide(life.Closed(command.target, command.id)), saved.set)
            if command.target in self._alarms:
                return CommandResult(command.id, Answer.FAILED,
                                     "somebody pressed again: look at the newest event, then send a new command")
            await saved.wait()  # else a power cut could keep the result and lose the close
        if command.verb is Verb.AWAY_UNTIL:
            await self._learned.wait()
            try:
                await self.away(command.target)
            except BadAway as error:
                return CommandResult(command.id, Answer.FAILED, f"{error}: {error.cure}")
        return CommandResult(command.id, Answer.DONE)

    async def away(self, until: str) -> str | None:
        """Note that nobody is at home until this local time, ISO 8601; empty: somebody is. Return it for people.

        Kept on disk when it returns, as far as the disk takes it. Raises BadAway.
        """
        if not self._learned.is_set():
            raise BadAway("what the last run knew is not read yet, and would undo it", "try again in a minute")
        now, outcome = self.clock.stamp(), Outcome()
        until_local_s = self.detectors.routine.away(until, now, outcome)
        self.keeper.submit(self._follow(outcome))
        await self.save()
        return None if until_local_s is None else date(until_local_s)

    def test_alarm(self) -> str:
        """Raise a TEST alarm, which goes the whole way; return its id, or that of the open one that it repeats."""
        finding = Finding(FindingKind.TEST, "gateway", self.clock.stamp(), 1.0, "a technician's test")
        self.keeper.submit(self._decide(life.Raised(finding, self.outlets.new_id())))
        tests = (alarm for alarm in self._alarms.values() if alarm.finding.kind is FindingKind.TEST
                 and alarm.finding.at.boot_id == finding.at.boot_id)
        return max(tests, key=lambda alarm: alarm.last_mono_s).id  # a device's own test may be open too, but is older

    def fault(self, what: str, reason: str, cure: str) -> None:
        """Tell the city and whoever watches that something of the gateway itself does not work."""
        self.outlets.watch("fault", what, reason, {"cure": cure})
        data = {"what": what, "reason": reason, "cure": cure}
        self.tell(Draft(EventType.GATEWAY_FAULT, Lane.EVENT, "gateway", self.clock.stamp(), data))

    def tell(self, draft: Draft) -> None:
        """Send an event of no alarm."""
        self.keeper.submit([self._event(draft)])

    def alarms(self) -> list[Alarm]:
        """The open alarms, oldest first."""
        return list(self._alarms.values())

    def calm(self) -> bool:
        """No alarm waits for the city's word, and nothing for the disk: a reboot would cost nobody anything."""
        waits = any(alarm.state is not AlarmState.RECEIVED for alarm in self._alarms.values())
        return self._restored.is_set() and not waits and not self.keeper.waiting()

    # -- what follows ------------------------------------------------------------------------------------------------

    def _follow(self, outcome: Outcome) -> list[Commit]:
        """Findings before drafts: the alarm first."""
        commits = []
        for heard in outcome.aloud:
            if isinstance(heard.value, SpotCheck):
                self.outlets.aloud(heard.device, heard.value)
        for finding in outcome.findings:
            self.outlets.watch("finding", finding.device, finding.words, dict(finding.evidence))
            id_ = self.outlets.new_id()
            raised = self._decide(life.Raised(finding, id_))
            commits += raised if finding.kind is not FindingKind.FALL else self._witnessed(finding, id_, raised)
        return commits + [self._event(draft) for draft in outcome.drafts] + [self._kept(e) for e in outcome.evidence]

    def _witnessed(self, finding: Finding, id_: str, raised: list[Commit]) -> list[Commit]:
        """Let the alarm's commit say that evidence is awaited; without one the alarm has been told just now."""
        if not raised or (alarm := raised[-1].alarm) is None:
            return raised
        awaited = self.detectors.fell(finding, alarm.id, id_)
        if awaited is None:
            return raised
        self._awaited.add(id_)
        return [*raised[:-1], replace(raised[-1], evidence=awaited)]

    def _kept(self, evidence: Evidence) -> Commit:
        """The commit of evidence that is complete, or known to be missing."""
        told_of = {"alarm": evidence.alarm, "peak_g": evidence.peak_g, "missing": evidence.missing}
        self.outlets.watch("event", evidence.device, "fall evidence", told_of)
        return Commit((told(evidence),), evidence=evidence)

    def _assure(self) -> None:
        """Append once more what the centre has not acknowledged of the open alarms; the store knows ids it has.

        A sound disk writes nothing for it. Where it fails by now, or says nothing, the alarm goes from memory.
        """
        self.keeper.submit([Commit((life.again(alarm, self.rules),)) for alarm in self._alarms.values()
                            if alarm.state is not AlarmState.RECEIVED])

    def _of_alarms(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that are of an open alarm's events; most are of other events."""
        return [id_ for id_ in ids if life.of(id_) in self._alarms]

    def _event(self, draft: Draft) -> Commit:
        if draft.lane is not Lane.TELEMETRY:
            self.outlets.watch("event", draft.subject, _words(draft), draft.data)
        return Commit((Event(self.outlets.new_id(), draft.type, draft.lane, draft.subject, draft.at, draft.data),))

    def _decide(self, happened: life.Input) -> list[Commit]:
        """Speak and light at once; return what must be committed."""
        before = self._alarms
        self._alarms, asked = life.decide(before, happened, self.clock.stamp(), self.rules)
        if not self._restored.is_set():
            self._ended |= before.keys() - self._alarms.keys()
        return self._carry_out(asked)

    def _second(self, happened: second_path.Input) -> list[Commit]:
        """Let the second path go on; return what must be committed."""
        self._alarms, asked = second_path.decide(self._alarms, happened, self.clock.stamp(), self.rules)
        return self._carry_out(asked)

    def _carry_out(self, asked: Iterable[effects.Effect]) -> list[Commit]:
        commits = []
        for effect in asked:
            match effect:
                case effects.Show(pattern):
                    self.outlets.show(pattern)
                case effects.Say(prompt, kind, alarm_id):
                    self.outlets.say(prompt, kind, alarm_id)
                case effects.Append(events, alarm):
                    told = {"alarm": alarm.id, "kind": alarm.finding.kind.value, "state": alarm.state.value}
                    text = f"{told['kind']} {told['state']}" + (f", {fusion.who(alarm)} agree" if alarm.agreed else "")
                    self.outlets.watch("alarm", alarm.finding.device, text, told)
                    commits.append(Commit(events, alarm))
                case effects.SendText(id_, number, words):
                    self.outlets.watch("sms", second_path.masked(number), words, {})
                    self.outlets.text(SendSms(id_, number, words))
                case effects.Tell(events, known):
                    for event in events:
                        self.outlets.watch("event", event.subject, event.type.removeprefix("anju."), event.data)
                    commits.append(Commit(events, known))
        return commits


def _words(draft: Draft) -> str:
    """A line for people."""
    interesting = ("kind", "active", "state", "reason", "what")
    shown = [str(draft.data[key]) for key in interesting if draft.data.get(key) not in (None, "")]
    return " ".join([draft.type.removeprefix("anju."), *shown])
