"""Summaries of measured quantities."""

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.vitals import summary as vitals
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at


def beat(
    mono_s: float, value: float, device: str = "band", *, plausible: bool = True, boot_id: str = "boot-1"
) -> Reading:
    return Reading(device, at(mono_s, boot_id), Quantity(QuantityKind.HEART_RATE, value, plausible))


def run(*readings: Reading, period_s: float = 60) -> tuple[vitals.State, list[vitals.Summary]]:
    state, ended = vitals.State(), []
    for reading in readings:
        state, more = vitals.step(state, reading, period_s)
        ended += more
    return state, ended


def test_a_period_ends_with_the_first_reading_past_it_and_gives_minimum_median_maximum_and_count():
    _, (summary,) = run(beat(0, 60), beat(20, 90), beat(59.9, 70), beat(60, 200))
    assert summary.data() == {"kind": "heart_rate", "unit": "/min", "loinc": "8867-4", "span_s": 59.9, "n": 3,
                              "implausible": 0, "min": 60, "median": 70, "max": 90}
    assert (summary.device, summary.at) == ("band", at(59.9))


def test_a_tick_ends_the_period_of_a_device_that_fell_silent_and_nothing_more_comes_then():
    state, _ = run(beat(0, 60), beat(1, 62))
    state, ended = vitals.tick(state, at(59), 60)
    assert ended == ()
    state, ended = vitals.tick(state, at(60), 60)
    assert [summary.n for summary in ended] == [2]
    assert vitals.tick(state, at(1000), 60)[1] == ()


def test_implausible_values_are_counted_and_not_summed_up():
    state, _ = run(beat(0, 60), beat(1, 0, plausible=False), beat(2, 64))
    _, (summary,) = vitals.tick(state, at(60), 60)
    assert (summary.n, summary.implausible, summary.minimum) == (2, 1, 60)


def test_a_period_without_a_plausible_value_says_so():
    state, _ = run(beat(0, 0, plausible=False))
    _, (summary,) = vitals.tick(state, at(60), 60)
    assert (summary.n, summary.implausible) == (0, 1)
    assert (summary.minimum, summary.median, summary.maximum) == (None, None, None)


def test_devices_and_kinds_are_summed_up_apart():
    battery = Reading("band", at(2), Quantity(QuantityKind.BATTERY, 80))
    state, _ = run(beat(0, 60), beat(1, 100, "other"), battery)
    _, ended = vitals.tick(state, at(70), 60)
    assert sorted((s.device, s.kind.value, s.median) for s in ended) == [
        ("band", "battery", 80), ("band", "heart_rate", 60), ("other", "heart_rate", 100)]
    assert {s.data()["loinc"] for s in ended} == {None, "8867-4"}


def test_another_boot_ends_the_period():
    _, (summary,) = run(beat(1000, 60), beat(1, 70, boot_id="boot-2"))
    assert (summary.n, summary.median) == (1, 60)


def test_readings_of_other_kinds_only_let_time_go_on():
    _, ended = run(beat(0, 60), Reading("door", at(100), Binary(BinaryKind.CONTACT, active=True)))
    assert len(ended) == 1


@given(st.lists(st.floats(30, 220), min_size=1, max_size=200), st.floats(0.1, 5))
def test_every_value_stands_in_exactly_one_summary(values: list[float], gap_s: float):
    state, ended = run(*(beat(i * gap_s, value) for i, value in enumerate(values)))
    _, last = vitals.tick(state, at(1e6), 60)
    summaries = [*ended, *last]
    assert sum(summary.n for summary in summaries) == len(values)
    done = 0
    for summary in summaries:
        part = values[done : done + summary.n]
        assert (summary.minimum, summary.median, summary.maximum) == (min(part), median(part), max(part))
        done += summary.n
