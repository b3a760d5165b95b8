"""The clock says what it reads and how far to trust it; a step that nobody vouched for is not called synced."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.model.time import ClockQuality
from gateway.runtime.clock import Clock, Step, kernel_synced_s

NOW_S = 1_780_000_000.0
UNSET, RESTORED, SYNCED = ClockQuality.UNSET, ClockQuality.RESTORED, ClockQuality.SYNCED


@dataclass
class Machine:
    """The sources of a clock, to be turned by hand."""

    wall_s: float = NOW_S
    mono_s: float = 1000.0
    kernel_s: float | None = None
    mark_s: float | None = None
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock("boot", wall=lambda: self.wall_s, monotonic=lambda: self.mono_s,
                           kernel=lambda: self.kernel_s, mark=lambda: self.mark_s)
        self.clock.look()

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds

    def looked(self) -> ClockQuality:
        self.clock.look()
        return self.clock.quality


@pytest.mark.parametrize(("wall_s", "kernel_s", "mark_s", "quality"), [
    (12.0, None, None, UNSET), (NOW_S, None, None, RESTORED), (NOW_S, 3.0, None, SYNCED),
    (NOW_S, None, NOW_S - 60.0, SYNCED), (12.0, 3.0, None, SYNCED),
])
def test_the_quality_is_what_kernel_and_timesyncd_vouch_for(
        wall_s: float, kernel_s: float | None, mark_s: float | None, quality: ClockQuality) -> None:
    clock = Machine(wall_s, kernel_s=kernel_s, mark_s=mark_s).clock
    assert (clock.quality, clock.stamp().quality, clock.step) == (quality, quality, None)


def test_a_stamp_of_an_earlier_moment_carries_the_wall_time_of_that_moment() -> None:
    stamp = Machine().clock.stamp(400.0)
    assert (stamp.boot_id, stamp.mono_s, stamp.wall_s) == ("boot", 400.0, NOW_S - 600.0)


@pytest.mark.parametrize("by_s", [-7200.0, 10 * 31_557_600.0])
def test_a_step_that_nobody_vouched_for_ends_the_trust_at_once(by_s: float) -> None:
    machine = Machine(kernel_s=5.0, mark_s=NOW_S - 5.0)
    machine.wall_s += by_s
    machine.kernel_s = None  # clock_settime(2) makes the kernel forget
    assert machine.clock.stamp().quality is not SYNCED
    machine.passes(5.0)
    assert machine.looked() is not SYNCED
    assert machine.clock.step == Step(1005.0, by_s)
    machine.passes(5.0)
    assert machine.looked() is not SYNCED  # the mark is still the old one
    machine.mark_s = machine.wall_s
    assert machine.looked() is SYNCED


def test_a_step_by_the_time_server_itself_is_trusted() -> None:
    for vouch in ({"kernel_s": 0.1}, {"mark_s": NOW_S}):
        machine = Machine(wall_s=12.0)
        machine.wall_s = NOW_S
        for name, value in vouch.items():
            setattr(machine, name, value)
        assert machine.clock.stamp().quality is RESTORED  # until it was looked at
        assert machine.looked() is SYNCED
        assert machine.clock.step == Step(1000.0, NOW_S - 12.0)
        assert machine.clock.stamp().quality is SYNCED


def test_slewing_is_no_step() -> None:
    machine = Machine(kernel_s=5.0)
    machine.wall_s += 0.9
    assert machine.clock.stamp().quality is SYNCED
    assert machine.looked() is SYNCED
    assert machine.clock.step is None


def test_a_clock_whose_servers_fell_silent_stays_synced_and_knows_since_when() -> None:
    machine = Machine(mark_s=NOW_S - 60.0)
    machine.passes(86_400.0)
    assert machine.looked() is SYNCED
    assert machine.clock.confirmed_mono_s == 940.0
    machine.kernel_s = 30.0
    machine.clock.look()
    assert machine.clock.confirmed_mono_s == machine.mono_s - 30.0


def test_what_vouches_from_before_the_boot_or_from_the_future_is_held_to_the_boot() -> None:
    assert Machine(kernel_s=5000.0).clock.confirmed_mono_s == 0.0
    assert Machine(mark_s=NOW_S + 500.0).clock.confirmed_mono_s == 1000.0


def test_a_process_held_up_between_the_two_clocks_sees_no_step() -> None:
    machine = Machine(kernel_s=5.0)
    held_s = iter([30.0])

    def monotonic() -> float:
        read_s = machine.mono_s
        machine.passes(next(held_s, 0.0))  # the scheduler takes the processor away right after this
        return read_s

    machine.clock.monotonic = monotonic
    assert machine.clock.stamp().quality is SYNCED


def test_the_machine_itself_is_read() -> None:
    clock = Clock.of_this_boot()
    assert clock.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    assert clock.quality in (UNSET, RESTORED, SYNCED)
    ago_s = kernel_synced_s()
    assert ago_s is None or ago_s >= 0.0
