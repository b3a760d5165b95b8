"""Pauses: spread over all that the cap allows, and no gateway ever hammers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.pause import FIRST_S, FLOOR_S, URGENT_CAP_S, pause_s


@pytest.mark.parametrize(("urgent", "cap_s"), [(True, URGENT_CAP_S), (False, 60.0)])
def test_the_longest_pause_doubles_up_to_its_cap(urgent: bool, cap_s: float) -> None:
    longest = [pause_s(attempt, urgent, 1.0) for attempt in range(40)]
    assert longest == [min(cap_s, FIRST_S * 2.0**attempt) for attempt in range(40)]


@given(st.integers(0, 10_000), st.booleans(), st.floats(0, 1))
def test_no_pause_is_shorter_than_the_floor_or_longer_than_the_cap(attempt: int, urgent: bool, rng: float) -> None:
    assert FLOOR_S <= pause_s(attempt, urgent, rng) <= (URGENT_CAP_S if urgent else 60.0)


def test_gateways_that_lost_their_broker_together_come_back_spread_over_the_whole_cap() -> None:
    back_s = sorted(pause_s(20, False, number / 1000) for number in range(1001))
    by_second = [sum(second <= at_s < second + 1 for at_s in back_s) for second in range(60)]
    assert sum(by_second) >= 995  # of 1001: all but the very longest lie below the cap
    assert min(by_second) >= 15  # evenly it is 16 or 17
    assert max(by_second) <= 18


def test_an_alarm_may_be_ten_seconds_on_its_way() -> None:
    assert pause_s(1000, True, 1.0) <= 4.0
