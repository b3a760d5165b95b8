"""Hours of silence: counted once, over restarts too."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.silence import HOME, Input, SignOfLife, State, Tick, step
from gateway.model.finding import Finding, FindingKind
from tests.unit.detect.stamps import at

LIMIT_S = 12 * 3600.0
FRESH = State()


def run(*inputs: Input, state: State = FRESH) -> tuple[State, list[Finding]]:
    found: list[Finding] = []
    for happened in inputs:
        state, more = step(state, happened, LIMIT_S)
        found += more
    return state, found


def hours(*ticks: float, boot_id: str = "boot-1") -> list[Input]:
    return [Tick(at(hour * 3600, boot_id)) for hour in ticks]


def test_silence_that_reaches_the_limit_is_a_finding_of_the_home():
    _, (finding,) = run(SignOfLife(at(0)), *hours(6, 11.99, 12))
    assert (finding.kind, finding.device, finding.at) == (FindingKind.INACTIVITY, HOME, at(12 * 3600))
    assert finding.evidence["quiet_s"] == LIMIT_S
    assert "12.0 hours" in finding.words


def test_a_gap_is_told_once_and_the_next_one_again():
    _, found = run(SignOfLife(at(0)), *hours(12, 13, 30), SignOfLife(at(31 * 3600)), *hours(42, 43, 44))
    assert [finding.at.mono_s / 3600 for finding in found] == [12, 43]


def test_a_sign_before_the_limit_begins_the_count_anew():
    _, found = run(SignOfLife(at(0)), *hours(11), SignOfLife(at(11.5 * 3600)), *hours(12, 23))
    assert found == []


def test_silence_counts_from_the_first_tick_where_there_never_was_a_sign():
    _, found = run(*hours(5, 16.9))
    assert found == []
    _, found = run(*hours(5, 17))
    assert len(found) == 1


def test_a_saved_state_goes_on_after_a_restart_of_the_daemon():
    state, _ = run(SignOfLife(at(0)), *hours(10))
    saved = msgspec.json.decode(msgspec.json.encode(state), type=State)
    _, found = run(*hours(12), state=saved)
    assert len(found) == 1


def test_a_reboot_neither_forgets_the_silence_nor_counts_the_time_without_power():
    state, _ = run(SignOfLife(at(0)), *hours(10))
    state, found = run(*hours(0.1, 2.0, boot_id="boot-2"), state=state)
    assert found == []
    _, found = run(*hours(2.2, boot_id="boot-2"), state=state)
    assert len(found) == 1


def test_what_was_told_is_not_told_again_after_a_reboot():
    state, found = run(SignOfLife(at(0)), *hours(12))
    assert len(found) == 1
    _, found = run(*hours(0, 20, boot_id="boot-2"), state=state)
    assert found == []


def test_an_input_that_comes_late_does_not_turn_time_back():
    state, found = run(SignOfLife(at(100)), Tick(at(200)), Tick(at(150)), Tick(at(250)))
    assert state.quiet_s == pytest.approx(150)
    assert found == []


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5 * 3600)), max_size=60))
def test_there_is_one_finding_for_each_gap_that_reaches_the_limit(steps: list[tuple[bool, float]]):
    now_s, inputs, gaps, last_s = 0.0, [], 0, 0.0
    told = False
    for is_sign, wait_s in [(True, 0.0), *steps]:
        now_s += wait_s
        inputs.append(SignOfLife(at(now_s)) if is_sign else Tick(at(now_s)))
        if is_sign:
            last_s, told = now_s, False
        elif not told and now_s - last_s >= LIMIT_S + 1e-3:
            gaps, told = gaps + 1, True
        elif not told and now_s - last_s >= LIMIT_S - 1e-3:
            return  # too near the limit for sums of floats to agree
    _, found = run(*inputs)
    assert len(found) == gaps
