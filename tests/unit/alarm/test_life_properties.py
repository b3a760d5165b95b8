"""What holds in every life of every alarm, whatever comes in whatever order, over crashes and reboots."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alarm import Append, CancelPressed, Closed, Effect, Input, Raised, Received, Say, Sent, Tick, decide
from gateway.alarm.life import awaited
from gateway.alarm.repeats import PAUSE_MAX_S
from gateway.alarm.rules import ROUTINE
from gateway.model.alarm import OPEN, Alarm, AlarmState
from gateway.model.event import EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.prompt import Prompt
from gateway.model.time import Stamp
from tests.unit.alarm.world import at

IDS = [f"id-{n}" for n in range(12)]
KINDS = st.sampled_from(FindingKind)
ABOUT = st.sampled_from([*IDS, "id-0/1", "id-0/2", "id-1/1", "nobody"])
STEP = st.tuples(
    st.one_of(st.tuples(st.just("find"), KINDS, st.sampled_from(["a", "b"])), st.tuples(st.just("sent"), ABOUT),
              st.tuples(st.just("received"), ABOUT), st.tuples(st.just("closed"), ABOUT), st.tuples(st.just("cancel")),
              st.tuples(st.just("tick")), st.tuples(st.just("crash")), st.tuples(st.just("reboot"))),
    st.sampled_from([0.0, 0.5, 9.0, 31.0, 200.0]),
)
STORY = st.lists(STEP, max_size=50)
FEW = st.sampled_from(["id-0", "id-1", "id-2", "id-0/1", "id-1/1"])
CROWDED = st.lists(  # several alarms of one kind, and their acknowledgements in any order
    st.tuples(
        st.one_of(st.tuples(st.just("find"), st.sampled_from([FindingKind.SMOKE, FindingKind.SOS]),
                            st.sampled_from(["a", "b", "c"])),
                  st.tuples(st.just("received"), FEW), st.tuples(st.sampled_from(["sent", "closed"]), FEW)),
        st.sampled_from([0.5, 31.0])),
    max_size=30)

ALLOWED = {  # the table of gateway/alarm/life.py, written once more
    (None, AlarmState.RAISED),
    (AlarmState.RAISED, AlarmState.SENT), (AlarmState.RAISED, AlarmState.RECEIVED),
    (AlarmState.SENT, AlarmState.RECEIVED),
    (AlarmState.SENT, AlarmState.RAISED), (AlarmState.RECEIVED, AlarmState.RAISED),
    *((state, end) for state in OPEN for end in (AlarmState.CLOSED, AlarmState.CANCELLED)),
}


class Record:
    """What happened and what decide() made of it, step by step."""

    def __init__(self, story: list[tuple[tuple, float]]) -> None:
        self.steps: list[tuple[Input, Stamp, list[Effect]]] = []
        self.findings: list[Finding] = []
        self.alarm_of: dict[str, str] = {}  # a finding's words -> the alarm that it raised or repeated
        alarms, now, ids = {}, at(100.0), iter(IDS)
        for (verb, *args), wait_s in story:
            now = at(now.mono_s + wait_s, now.boot_id)
            match verb:
                case "crash":  # what is on disk is what was appended last
                    newest = {append.alarm.id: append.alarm for append in self.appends()}
                    alarms = {id_: msgspec.json.decode(msgspec.json.encode(newest[id_]), type=Alarm) for id_ in alarms}
                    continue
                case "reboot":
                    now = at(5.0, now.boot_id + "+")
                    continue
                case "find":
                    id_ = next(ids, None)
                    if id_ is None:
                        continue
                    finding = Finding(args[0], args[1], now, 0.9, f"finding {len(self.findings)}")
                    self.findings.append(finding)
                    happened: Input = Raised(finding, id_)
                case "cancel":
                    happened = CancelPressed("fine")
                case "tick":
                    happened = Tick()
                case "closed":
                    happened = Closed(args[0], "centre")
                case _:
                    happened = {"sent": Sent, "received": Received}[verb](args[0])
            before = dict(alarms)
            after, effects = decide(alarms, happened, now)
            assert alarms == before, "the open alarms are never changed in place"
            assert decide(alarms, happened, now) == (after, effects), "the same again gives the same"
            if verb == "find":
                (self.alarm_of[finding.words],) = (
                    id_ for id_ in after if id_ not in before or after[id_].repeats != before[id_].repeats
                    or after[id_].agreed != before[id_].agreed)
            alarms = after
            self.steps.append((happened, now, effects))
        self.open = alarms

    def appends(self) -> list[Append]:
        return [effect for _, _, effects in self.steps for effect in effects if isinstance(effect, Append)]


@given(STORY)
@settings(max_examples=300, deadline=None)
def test_no_finding_is_ever_lost(story):
    """Each is told by an event of its own, or counted by a later one of the same alarm, its newest as it was."""
    record = Record([*story, (("tick",), PAUSE_MAX_S)])
    untold: dict[str, list[str]] = {}
    for happened, _, effects in record.steps:
        if isinstance(happened, Raised):
            untold.setdefault(record.alarm_of[happened.finding.words], []).append(happened.finding.words)
        for event in (event for effect in effects if isinstance(effect, Append) for event in effect.events):
            alarm, tells = event.data["alarm"], event.type in (EventType.ALARM_RAISED, EventType.ALARM_REPEATED)
            if tells and not any(verb == "crash" for (verb, *_), _ in story):  # that may leave an older one on disk
                assert untold[alarm][-1] == event.data["words"].rpartition(": ")[-1], "the newest one is told"
            if event.type != EventType.RESIDENT_WELL:
                untold[alarm] = []
    assert not any(untold.values())


@given(STORY)
@settings(max_examples=300, deadline=None)
def test_received_is_never_said_before_the_centre_has_answered(story):
    newest: dict[str, str] = {}  # alarm -> the event of its newest finding
    for happened, _, effects in Record(story).steps:
        if isinstance(happened, Raised):  # what repeats an alarm has no event yet
            newest |= {id_: "" for id_ in newest if any(
                isinstance(effect, Append) and effect.alarm.id == id_ and effect.alarm.untold for effect in effects)}
        for effect in effects:
            if isinstance(effect, Say) and effect.prompt is Prompt.RECEIVED:
                assert isinstance(happened, Received)
                assert happened.id in newest.values(), "an answer to an older press is no answer to this one"
        newest |= {event.data["alarm"]: event.id for effect in effects if isinstance(effect, Append)
                   for event in effect.events if event.type in (EventType.ALARM_RAISED, EventType.ALARM_REPEATED)
                   and event.id == awaited(effect.alarm)}  # a source that only agrees asks nobody for an answer


@given(st.one_of(CROWDED, STORY))
@settings(max_examples=300, deadline=None)
def test_received_is_said_exactly_when_the_last_open_alarm_of_its_kind_becomes_received(story):
    newest: dict[str, Alarm] = {}
    for _, _, effects in Record(story).steps:
        became = set()
        for append in (effect for effect in effects if isinstance(effect, Append)):
            before = newest.get(append.alarm.id)
            if append.alarm.state is AlarmState.RECEIVED and (before is None or before.state is not append.alarm.state):
                became.add(append.alarm.id)
            newest[append.alarm.id] = append.alarm
        due = {id_ for id_ in became if all(
            alarm.state is AlarmState.RECEIVED for alarm in newest.values()
            if alarm.state in OPEN and alarm.finding.kind is newest[id_].finding.kind)}
        says = [effect for effect in effects if isinstance(effect, Say) and effect.prompt is Prompt.RECEIVED]
        assert [(say.alarm, say.kind) for say in says] == [(id_, newest[id_].finding.kind) for id_ in due]


@given(STORY)
@settings(max_examples=300, deadline=None)
def test_every_state_follows_the_table(story):
    record = Record(story)
    states: dict[str, AlarmState | None] = {}
    for append in record.appends():
        before, after = states.get(append.alarm.id), append.alarm.state
        assert before == after or (before, after) in ALLOWED
        assert before in OPEN or before is None, "nothing comes after the end"
        states[append.alarm.id] = after
    assert {id_: alarm.state for id_, alarm in record.open.items()} == {
        id_: state for id_, state in states.items() if state in OPEN}


@given(STORY)
@settings(max_examples=200, deadline=None)
def test_event_ids_are_unique_and_in_the_alarm_lane_and_count_without_a_gap(story):
    events = [event for append in Record(story).appends() for event in append.events]
    ids = [event.id for event in events]
    assert len(set(ids)) == len(ids)
    assert {event.lane for event in events} <= {Lane.ALARM}
    for id_ in {event.data["alarm"] for event in events}:
        mine = [event.id for event in events if event.data["alarm"] == id_]
        assert mine == [id_, *(f"{id_}/{n}" for n in range(1, len(mine)))]


@given(STORY)
@settings(max_examples=200, deadline=None)
def test_only_kinds_with_a_window_are_ever_cancelled(story):
    for append in Record(story).appends():
        if append.alarm.state is AlarmState.CANCELLED:
            assert append.alarm.finding.kind in {FindingKind.SOS, FindingKind.FALL, FindingKind.TEST, *ROUTINE}
