from hypothesis import given
from hypothesis import strategies as st

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.voice.waiting import Utterance, Waiting, enqueue, overtakes

utterances = st.builds(Utterance, st.sampled_from(Prompt), st.sampled_from([None, *FindingKind]))
RAISED_FALL = Utterance(Prompt.RAISED, FindingKind.FALL)
SENT_FALL = Utterance(Prompt.SENT, FindingKind.FALL)
RECEIVED_FALL = Utterance(Prompt.RECEIVED, FindingKind.FALL)
SENT_GAS = Utterance(Prompt.SENT, FindingKind.GAS)
RAISED_SMOKE = Utterance(Prompt.RAISED, FindingKind.SMOKE)
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


@given(st.lists(utterances, max_size=60))
def test_the_line_is_short_and_ends_with_the_newest_state_of_each_kind(asked: list[Utterance]) -> None:
    line = waiting(*asked)
    assert len(line) <= len(FindingKind) + 1
    assert {one.kind: one for one in line} == {one.kind: one for one in asked}
    urgent = [one.urgent for one in line]
    assert urgent == sorted(urgent, reverse=True)
