"""The window: an alarm always finds room, a backlog never fills the line, and what departs in batches stays whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.event import Lane
from gateway.sync.window import BATCH, PER_LANE, RESERVED, Window


def test_the_last_slots_are_for_alarms() -> None:
    window = Window("x")
    assert set(window.open_lanes(RESERVED + 1)) == set(Lane)
    assert set(window.open_lanes(RESERVED)) == {Lane.ALARM}
    assert window.open_lanes(0) == {}


@pytest.mark.parametrize("slots", range(1, 17))
def test_a_broker_that_grants_few_slots_still_gets_every_lane(slots: int) -> None:
    window = Window("x")
    assert set(window.open_lanes(slots, slots)) == set(Lane)
    for free in range(1, min(RESERVED, slots // 2) + 1):
        assert set(window.open_lanes(free, slots)) == {Lane.ALARM}


def test_a_lane_full_of_unacknowledged_rows_waits_and_the_others_do_not() -> None:
    window = Window("x")
    for start in range(1, PER_LANE + 1, BATCH):
        assert window.open_lanes(16)[Lane.TELEMETRY] == start - 1
        window.departed(Lane.TELEMETRY, range(start, start + BATCH), 0.0)
    assert set(window.open_lanes(16)) == {Lane.ALARM, Lane.EVENT}


def test_a_lane_that_sends_batches_waits_until_a_whole_one_fits() -> None:
    window = Window("x")
    window.departed(Lane.EVENT, range(1, PER_LANE + 1), 0.0)
    assert window.settled(Lane.EVENT, BATCH - 1, 0.0)
    assert Lane.EVENT not in window.open_lanes(16)
    assert window.settled(Lane.EVENT, BATCH, 0.0)
    assert window.open_lanes(16)[Lane.EVENT] == PER_LANE


def test_alarms_wait_for_no_batch() -> None:
    window = Window("x")
    for seq in range(1, PER_LANE + 1):
        assert window.open_lanes(16)[Lane.ALARM] == seq - 1
        window.departed(Lane.ALARM, [seq], 0.0)
    assert Lane.ALARM not in window.open_lanes(16)
    window.settled(Lane.ALARM, 1, 0.0)
    assert Lane.ALARM in window.open_lanes(16)


def test_an_acknowledgement_is_news_only_once() -> None:
    window = Window("x")
    window.departed(Lane.EVENT, [1], 0.0)
    assert window.settled(Lane.EVENT, 1, 0.0)
    assert not window.settled(Lane.EVENT, 1, 0.0)


def test_rewinding_goes_back_to_the_first_row_without_acknowledgement() -> None:
    window = Window("x")
    window.departed(Lane.EVENT, range(4, 9), 0.0)
    window.settled(Lane.EVENT, 5, 0.0)  # in the midst of a batch: a city may do that
    window.rewind(Lane.EVENT)
    assert window.open_lanes(16)[Lane.EVENT] == 5
    assert not window.overdue(Lane.EVENT, 1e9, 20.0)


def test_each_lane_waits_for_its_own_acknowledgements() -> None:
    window = Window("x")
    window.departed(Lane.ALARM, [1], 0.0)
    for seq in range(1, 9):
        window.departed(Lane.EVENT, [seq], seq * 5.0)
        window.settled(Lane.EVENT, seq, seq * 5.0)
    assert not window.overdue(Lane.ALARM, 19.9, 20.0)
    assert window.overdue(Lane.ALARM, 20.0, 20.0)
    assert not window.overdue(Lane.EVENT, 1e9, 20.0)


def test_an_acknowledgement_between_two_rounds_is_news() -> None:
    window = Window("x")
    window.departed(Lane.ALARM, [1], 0.0)
    window.rewind(Lane.ALARM)
    assert window.rounds[Lane.ALARM] == 1
    assert window.settled(Lane.ALARM, 1, 21.0)
    assert window.rounds[Lane.ALARM] == 0
    assert window.open_lanes(16)[Lane.ALARM] == 1


def test_a_parked_lane_rests_for_a_whole_round_though_nothing_of_it_ever_departed() -> None:
    window = Window("x")
    window.park(Lane.EVENT, 100.0)
    assert Lane.EVENT not in window.open_lanes(16)
    assert not window.overdue(Lane.EVENT, 119.9, 20.0)
    assert window.overdue(Lane.EVENT, 120.0, 20.0)
    window.rewind(Lane.EVENT)
    assert window.open_lanes(16)[Lane.EVENT] == 0


@given(st.lists(st.integers(1, BATCH) | st.sampled_from(["settle", "rewind"]), max_size=60))
def test_every_row_departs_and_none_before_its_turn(steps: list[int | str]) -> None:
    window, settled = Window("x"), 0
    for step in steps:
        if isinstance(step, int) and Lane.EVENT in window.open_lanes(16):
            after = window.open_lanes(16)[Lane.EVENT]
            window.departed(Lane.EVENT, range(after + 1, after + 1 + step), 0.0)
        elif step == "settle" and window.unsettled[Lane.EVENT]:
            settled = window.unsettled[Lane.EVENT][len(window.unsettled[Lane.EVENT]) // 2]
            window.settled(Lane.EVENT, settled, 0.0)
        elif step == "rewind":
            window.rewind(Lane.EVENT)
        assert window.published[Lane.EVENT] - len(window.unsettled[Lane.EVENT]) == settled
        assert len(window.unsettled[Lane.EVENT]) <= PER_LANE
