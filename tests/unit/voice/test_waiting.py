from hypothesis import given
from hypothesis import strategies as st

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.voice.waiting import LINE_MAX, Utterance, Waiting, enqueue, overtakes, take, unheard

alarms = st.sampled_from([(FindingKind.SMOKE, "kitchen"), (FindingKind.SMOKE, "hall"), (FindingKind.FALL, "fall"),
                          (None, "")])
utterances = st.builds(lambda prompt, alarm: Utterance(prompt, *alarm), st.sampled_from(Prompt), alarms)
many = st.builds(lambda prompt, n: Utterance(prompt, FindingKind.SOS, f"id-{n}"), st.sampled_from(Prompt),
                 st.integers(0, 2 * LINE_MAX))
KITCHEN, HALL = (Utterance(Prompt.RAISED, FindingKind.SMOKE, name) for name in ("kitchen", "hall"))
HALL_RECEIVED = Utterance(Prompt.RECEIVED, FindingKind.SMOKE, "hall")
RAISED_FALL = Utterance(Prompt.RAISED, FindingKind.FALL, "fall")
SENT_FALL = Utterance(Prompt.SENT, FindingKind.FALL, "fall")
RECEIVED_FALL = Utterance(Prompt.RECEIVED, FindingKind.FALL, "fall")
SENT_GAS = Utterance(Prompt.SENT, FindingKind.GAS, "gas")
RAISED_SMOKE = Utterance(Prompt.RAISED, FindingKind.SMOKE, "smoke")
WELL = Utterance(Prompt.WELL_NOTED, None)


def waiting(*asked: Utterance) -> Waiting:
    line: Waiting = ()
    for one in asked:
        line = enqueue(line, one)
    return line


def test_what_was_asked_first_is_said_first() -> None:
    assert waiting(SENT_GAS, RECEIVED_FALL, WELL) == (SENT_GAS, RECEIVED_FALL, WELL)


def test_an_alarms_newer_state_takes_the_place_of_the_stale_one() -> None:
    assert waiting(SENT_FALL, SENT_GAS, RECEIVED_FALL) == (SENT_GAS, RECEIVED_FALL)


def test_a_new_alarm_goes_before_everything_that_is_not_one() -> None:
    assert waiting(SENT_GAS, WELL, RAISED_FALL, RAISED_SMOKE) == (RAISED_FALL, RAISED_SMOKE, SENT_GAS, WELL)


def test_a_new_alarm_breaks_off_any_other_prompt_but_no_alarm() -> None:
    assert overtakes((RAISED_SMOKE,), SENT_GAS)
    assert not overtakes((RAISED_SMOKE,), RAISED_FALL)
    assert not overtakes((RECEIVED_FALL,), SENT_GAS)
    assert not overtakes((), SENT_GAS)


def test_what_comes_about_one_alarm_lets_stand_what_waits_about_another_of_its_kind() -> None:
    assert waiting(KITCHEN, HALL, HALL_RECEIVED) == (KITCHEN, HALL, HALL_RECEIVED)


def test_a_call_for_help_is_said_though_the_centre_was_quicker_than_the_voice() -> None:
    raised = Utterance(Prompt.RAISED, FindingKind.FALL, RECEIVED_FALL.alarm)
    cancelled = Utterance(Prompt.CANCELLED, FindingKind.FALL, RECEIVED_FALL.alarm)
    assert waiting(SENT_GAS, raised, RECEIVED_FALL) == (raised, SENT_GAS, RECEIVED_FALL)
    assert overtakes(waiting(raised, RECEIVED_FALL), SENT_GAS)
    assert waiting(raised, RECEIVED_FALL, cancelled) == (cancelled,), "over before it was said: nothing to call out"


def test_what_sounds_the_same_is_said_once() -> None:
    first, rest = take(waiting(KITCHEN, HALL, RAISED_FALL, WELL))
    assert (first, rest) == (KITCHEN, (RAISED_FALL, WELL))
    assert unheard((HALL, SENT_GAS), KITCHEN) == (SENT_GAS,)


@given(st.lists(utterances, max_size=60))
def test_the_line_holds_the_newest_state_of_every_alarm_and_calls_for_help_first(asked: list[Utterance]) -> None:
    line = waiting(*asked)
    for alarm in {one.alarm for one in line}:
        about = [one for one in line if one.alarm == alarm]
        assert len(about) == 1 or (len(about) == 2 and about[0].urgent)
    assert {one.alarm: one for one in line} == {one.alarm: one for one in asked}
    urgent = [one.urgent for one in line]
    assert urgent == sorted(urgent, reverse=True)


@given(st.lists(utterances, max_size=60))
def test_whatever_waits_is_heard(asked: list[Utterance]) -> None:
    line = waiting(*asked)
    sounds = {(one.prompt, one.kind) for one in line}
    heard = []
    while line:
        one, line = take(line)
        heard.append((one.prompt, one.kind))
    assert set(heard) == sounds
    assert len(heard) == len(sounds)


@given(st.lists(many, min_size=LINE_MAX, max_size=5 * LINE_MAX))
def test_the_line_stays_short_and_a_call_for_help_is_the_last_to_go(asked: list[Utterance]) -> None:
    line: Waiting = ()
    for new in asked:
        before = {one.alarm: one for one in line} | {new.alarm: new}
        line = enqueue(line, new)
        assert len(line) <= LINE_MAX
        lost = [one for one in before.values() if one not in line]
        assert len(lost) <= 1
        assert not lost or not lost[0].urgent or all(one.urgent for one in line)
