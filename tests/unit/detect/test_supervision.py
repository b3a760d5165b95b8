"""Supervision: a loss of cover is told once it lasts, a return at once, a flutter never."""

from gateway.detect import supervision
from gateway.model.device import DeviceState, DeviceStatus


def follow(course: list[tuple[float, DeviceState]], until_s: float) -> list[tuple[float, str]]:
    """Tick every second through a course of (from second, state); return what was told when."""
    state: supervision.State = {}
    told = []
    for second in range(int(until_s)):
        present = [at for at in course if at[0] <= second][-1]
        state, tell = supervision.step(state, [DeviceStatus("d", present[1], present[0])], float(second))
        told += [(second, status.state.value) for status in tell]
    return told


def test_a_device_that_comes_up_is_told_at_once() -> None:
    assert follow([(0, DeviceState.SEARCHING), (3, DeviceState.UP)], 60) == [(3, "up")]


def test_a_device_that_never_comes_is_told_after_the_grace() -> None:
    assert follow([(0, DeviceState.SEARCHING)], 60) == [(10, "searching")]


def test_a_short_loss_is_not_worth_telling() -> None:
    assert follow([(0, DeviceState.UP), (20, DeviceState.LOST), (25, DeviceState.UP)], 60) == [(0, "up")]


def test_a_loss_that_lasts_is_told_once_though_its_states_flutter() -> None:
    flutter = [(20 + n, (DeviceState.LOST, DeviceState.SEARCHING)[n % 2]) for n in range(30)]
    assert follow([(0, DeviceState.UP), *flutter, (55, DeviceState.UP)], 70) == [(0, "up"), (30, "lost"), (55, "up")]


def test_a_host_that_dies_again_and_again_before_its_devices_are_up_is_told_and_once() -> None:
    dying = [(20 + 4 * n, (DeviceState.BLIND, DeviceState.SEARCHING)[n % 2]) for n in range(50)]
    assert follow([(0, DeviceState.UP), *dying], 200) == [(0, "up"), (30, "blind")]


def test_silent_blind_and_rejected_are_kinds_of_their_own() -> None:
    course = [(0, DeviceState.UP), (10, DeviceState.SILENT), (30, DeviceState.BLIND), (50, DeviceState.REJECTED)]
    assert follow(course, 70) == [(0, "up"), (20, "silent"), (40, "blind"), (60, "rejected")]


def test_a_portable_monitor_that_sleeps_and_wakes_is_told_once_and_is_never_a_loss() -> None:
    naps = [(10 * n, (DeviceState.ASLEEP, DeviceState.UP)[n % 2]) for n in range(30)]
    assert follow(naps, 300) == [(0, "asleep")]


def test_a_portable_monitor_that_refuses_is_told_and_its_return_to_sleep_too() -> None:
    course = [(0, DeviceState.ASLEEP), (20, DeviceState.REJECTED), (60, DeviceState.ASLEEP)]
    assert follow(course, 90) == [(0, "asleep"), (30, "rejected"), (60, "asleep")]


def test_a_removed_device_is_forgotten() -> None:
    state, _ = supervision.step({}, [DeviceStatus("d", DeviceState.UP, 0.0)], 0.0)
    state, tell = supervision.step(state, [], 1.0)
    assert (state, tell) == ({}, [])
