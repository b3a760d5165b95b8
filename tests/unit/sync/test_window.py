"""The window: an alarm always finds room, a backlog never fills the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.event import Lane
from gateway.sync.pause import CALM_CAP_S, URGENT_CAP_S, pause_s
from gateway.sync.volatile import CAPACITY, VolatileOutbox
from gateway.sync.window import PER_LANE, RESERVED, Window
from tests.unit.sync.kit import event


def test_the_last_slots_are_for_alarms() -> None:
    window = Window("x")
    assert set(window.open_lanes(RESERVED + 1)) == set(Lane)
    assert set(window.open_lanes(RESERVED)) == {Lane.ALARM}
    assert window.open_lanes(0) == {}


def test_a_lane_full_of_unacknowledged_rows_waits_and_the_others_do_not() -> None:
    window = Window("x")
    for seq in range(1, PER_LANE + 1):
        window.departed(Lane.TELEMETRY, seq, 0.0)
    assert set(window.open_lanes(16)) == {Lane.ALARM, Lane.EVENT}
    assert window.settled(Lane.TELEMETRY, 1, 0.0)
    assert window.open_lanes(16)[Lane.TELEMETRY] == PER_LANE


def test_an_acknowledgement_is_news_only_once() -> None:
    window = Window("x")
    window.departed(Lane.EVENT, 1, 0.0)
    assert window.settled(Lane.EVENT, 1, 0.0)
    assert not window.settled(Lane.EVENT, 1, 0.0)


def test_rewinding_goes_back_to_the_first_row_without_acknowledgement() -> None:
    window = Window("x")
    for seq in range(4, 9):
        window.departed(Lane.EVENT, seq, 0.0)
    window.settled(Lane.EVENT, 5, 0.0)
    window.rewind(Lane.EVENT)
    assert window.open_lanes(16)[Lane.EVENT] == 5
    assert not window.overdue(Lane.EVENT, 1e9, 20.0)


def test_each_lane_waits_for_its_own_acknowledgements() -> None:
    window = Window("x")
    window.departed(Lane.ALARM, 1, 0.0)
    for seq in range(1, 9):
        window.departed(Lane.EVENT, seq, seq * 5.0)
        window.settled(Lane.EVENT, seq, seq * 5.0)
    assert not window.overdue(Lane.ALARM, 19.9, 20.0)
    assert window.overdue(Lane.ALARM, 20.0, 20.0)
    assert not window.overdue(Lane.EVENT, 1e9, 20.0)


def test_an_acknowledgement_between_two_rounds_is_news() -> None:
    window = Window("x")
    window.departed(Lane.ALARM, 1, 0.0)
    window.rewind(Lane.ALARM)
    assert window.rounds[Lane.ALARM] == 1
    assert window.settled(Lane.ALARM, 1, 21.0)
    assert window.rounds[Lane.ALARM] == 0
    assert window.open_lanes(16)[Lane.ALARM] == 1


@given(st.lists(st.sampled_from(["depart", "settle", "rewind"]), max_size=60))
def test_every_row_departs_and_none_before_its_turn(steps: list[str]) -> None:
    window, settled = Window("x"), 0
    for step in steps:
        if step == "depart" and Lane.EVENT in window.open_lanes(16):
            window.departed(Lane.EVENT, window.open_lanes(16)[Lane.EVENT] + 1, 0.0)
        elif step == "settle" and window.unsettled[Lane.EVENT]:
            settled = window.unsettled[Lane.EVENT][0]
            window.settled(Lane.EVENT, settled, 0.0)
        elif step == "rewind":
            window.rewind(Lane.EVENT)
        assert window.published[Lane.EVENT] - len(window.unsettled[Lane.EVENT]) == settled
        assert len(window.unsettled[Lane.EVENT]) <= PER_LANE


@pytest.mark.parametrize(("urgent", "cap_s"), [(True, URGENT_CAP_S), (False, CALM_CAP_S)])
def test_pauses_grow_to_a_cap_and_are_spread(urgent: bool, cap_s: float) -> None:
    longest = [pause_s(attempt, urgent, 1.0) for attempt in range(40)]
    assert longest == sorted(longest)
    assert longest[-1] == cap_s
    assert [pause_s(attempt, urgent, 0.0) for attempt in range(40)] == [value / 2 for value in longest]


async def test_memory_takes_every_alarm_and_of_the_rest_what_fits() -> None:
    outbox = VolatileOutbox()
    outbox.put([event(f"e{n}") for n in range(CAPACITY + 5)])
    outbox.put([event(f"a{n}", Lane.ALARM) for n in range(CAPACITY + 5)])
    assert (outbox.waiting(Lane.EVENT), outbox.refused) == (CAPACITY, 5)
    assert outbox.waiting(Lane.ALARM) == CAPACITY + 5
    rows = await outbox.next_rows({Lane.ALARM: 0}, 10_000)
    assert [row.seq for row in rows] == list(range(1, CAPACITY + 6))


async def test_memory_settles_as_the_store_does() -> None:
    outbox = VolatileOutbox()
    outbox.put([event("a"), event("b"), event("a"), event("c")])
    assert await outbox.settle("another", Lane.EVENT, 2, 3) == []
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 2, 1) == []
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 2, 3) == ["a", "b"]
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 1, 3) == []
    (left,) = await outbox.next_rows({Lane.EVENT: 0}, 10)
    assert (left.event.id, left.seq, left.settled) == ("c", 3, 2)


def test_what_cannot_travel_fails_before_it_is_taken() -> None:
    outbox = VolatileOutbox()
    bad = event()
    bad.data["strange"] = object()
    with pytest.raises(TypeError):
        outbox.put([bad])
    assert outbox.waiting(Lane.EVENT) == 0
