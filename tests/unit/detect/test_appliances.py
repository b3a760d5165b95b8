"""Power at the plug becomes use; what an appliance does by itself does not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect import appliances
from gateway.detect.appliances import SEEN_S, TRAITS, Appliance

Reported = list[tuple[float, float]]
FOR_EVER_S = 1e6


def told(appliance: Appliance, *reported: tuple[float, float]) -> list[tuple[float, bool]]:
    """When each beginning and end of use is told, for (seconds, watts) as the plug reports; time ticks each second."""
    traits, state, said = TRAITS[appliance], appliances.State(), []
    for (at_s, watts), (next_s, _) in itertools.pairwise([*reported, (reported[-1][0] + 600, 0.0)]):
        state, used = appliances.step(state, watts, at_s, traits)
        said += [(at_s, on) for on in used]
        for now_s in range(int(at_s), int(next_s)):
            state, used = appliances.tick(state, now_s, traits)
            said += [(now_s, on) for on in used]
    return said


def test_a_kettle_that_boils_is_used_once_it_has_heated_for_longer_than_keeping_warm_takes():
    assert told(Appliance.KETTLE, (0, 0), (10, 1850), (20, 1840), (40, 1845), (130, 0)) == [
        (0, False), (40, True), (135, False)]


def test_a_kettle_that_only_reports_changes_is_told_at_the_end_of_its_boil():
    assert told(Appliance.KETTLE, (0, 0), (10, 1850), (160, 0)) == [(0, False), (160, True), (165, False)]


def test_a_kettle_that_keeps_warm_by_itself_is_used_by_nobody():
    warming = [(600.0 * lap + at_s, watts) for lap in range(12) for at_s, watts in ((0, 1850), (15, 0))]
    assert told(Appliance.KETTLE, (-10, 0), *warming) == [(-10, False)]


def test_two_readings_far_apart_do_not_show_that_a_kettle_boiled_in_between():
    gap_s = SEEN_S + 1
    assert told(Appliance.KETTLE, (0, 0), (10, 1850), (10 + gap_s, 0)) == [(0, False)]
    assert told(Appliance.KETTLE, (0, 0), (10, 1850), (10 + gap_s, 1850), (20 + gap_s, 0)) == [(0, False)]


def test_a_stove_that_simmers_in_bursts_is_on_without_a_break():
    bursts = [(at_s, watts) for lap in range(20) for at_s, watts in ((lap * 120.0, 1800), (lap * 120.0 + 20, 2))]
    assert told(Appliance.STOVE, *bursts) == [(0, True), (19 * 120 + 20 + 180, False)]


def test_an_iron_left_alone_stays_on_between_the_bursts_of_its_thermostat():
    bursts = [(at_s, watts) for lap in range(10) for at_s, watts in ((lap * 200.0, 2200), (lap * 200.0 + 12, 0))]
    assert told(Appliance.IRON, *bursts) == [(0, True), (9 * 200 + 12 + 300, False)]


def test_a_television_in_standby_is_off_and_a_dark_scene_does_not_end_it():
    assert told(Appliance.TELEVISION, (0, 0.4), (100, 60), (130, 11), (160, 55), (7000, 0.4)) == [
        (0, False), (100, True), (7060, False)]


def test_a_microwave_at_half_power_is_one_use():
    pulses = [(at_s, watts) for lap in range(5) for at_s, watts in ((lap * 30.0, 1200), (lap * 30.0 + 15, 60))]
    assert told(Appliance.MICROWAVE, (-5, 3), *pulses) == [(-5, False), (0, True), (4 * 30 + 15 + 40, False)]


@pytest.mark.parametrize("appliance", Appliance)
def test_power_that_swings_between_the_two_thresholds_changes_nothing(appliance: Appliance):
    traits = TRAITS[appliance]
    between = [(float(at_s), traits.off_w + 1 if at_s % 2 else traits.on_w - 1) for at_s in range(100, 200)]
    assert told(appliance, (0, 0), *between) == [(0, False)]


@pytest.mark.parametrize("appliance", Appliance)
@given(reported=st.lists(st.tuples(st.floats(-1e4, 1e6), st.floats(allow_nan=False)), min_size=1, max_size=60))
def test_whatever_a_plug_says_and_when_beginning_and_end_of_use_alternate(appliance: Appliance, reported: Reported):
    traits, state, said = TRAITS[appliance], appliances.State(), []
    for at_s, watts in reported:
        state, ticked = appliances.tick(state, at_s, traits)
        state, used = appliances.step(state, watts, at_s, traits)
        said += [*ticked, *used]
    state, ended = appliances.tick(state, FOR_EVER_S * 2, traits)
    said += ended
    assert all(one is not other for one, other in itertools.pairwise(said))
