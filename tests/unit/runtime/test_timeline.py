"""The seconds that routine counts: no step in them, whatever clocks and power do."""

from zoneinfo import ZoneInfo

import pytest

from gateway.model.time import ClockQuality, Stamp
from gateway.runtime.timeline import Kept, Moment, Timeline

MARCH_S = 1_772_000_000.0  # 2026-02-25 06:13:20 UTC
ZONE = ZoneInfo("Asia/Shanghai")


def stamp(mono_s: float, wall_s: float | None = None, boot: str = "a",
          quality: ClockQuality = ClockQuality.SYNCED) -> Stamp:
    return Stamp(boot, mono_s, wall_s, ClockQuality.UNSET if wall_s is None else quality)


def kept(wall_s: float | None = MARCH_S) -> Kept:
    return Kept(5000.0, "a", 100.0, wall_s)


def test_within_a_boot_the_monotonic_clock_alone_counts() -> None:
    line = Timeline(ZONE)
    seen = [line.moment(stamp(mono_s, wall_s)) for mono_s, wall_s in (
        (50.0, MARCH_S), (60.0, MARCH_S + 7200), (55.0, MARCH_S - 9e8), (70.0, None))]
    assert [one.at_s for one in seen] == [0.0, 10.0, 10.0, 20.0]
    assert [one.unseen_s for one in seen] == [0.0] * 4


def test_the_service_restarted_quickly_goes_on_as_if_nothing_had_been() -> None:
    assert Timeline(ZONE, kept()).moment(stamp(130.0)) == Moment(5030.0, None)


def test_the_service_was_down_for_long_in_the_same_boot() -> None:
    assert Timeline(ZONE, kept()).moment(stamp(1100.0)) == Moment(6000.0, None, 1000.0)


def test_without_power_the_synced_wall_clock_tells_how_long() -> None:
    line = Timeline(ZONE, kept())
    first = line.moment(stamp(30.0, MARCH_S + 8000, "b"))
    assert (first.at_s, first.unseen_s) == (13000.0, 8000.0)
    assert line.moment(stamp(40.0, MARCH_S + 8010, "b")).at_s == 13010.0


def test_where_a_server_answers_later_the_rest_is_added_then_and_once() -> None:
    line = Timeline(ZONE, kept())
    seen = [line.moment(stamp(30.0, None, "b")), line.moment(stamp(90.0, MARCH_S + 70, "b", ClockQuality.RESTORED)),
            line.moment(stamp(130.0, MARCH_S + 8000, "b")), line.moment(stamp(140.0, MARCH_S + 9999, "b"))]
    assert [one.at_s for one in seen] == [5030.0, 5090.0, 13000.0, 13010.0]
    assert [one.unseen_s for one in seen] == [0.0, 0.0, 7870.0, 0.0]


@pytest.mark.parametrize("before_s", [None, MARCH_S + 99999])
def test_where_no_clock_can_tell_nothing_is_made_up_and_time_never_goes_back(before_s: float | None) -> None:
    first = Timeline(ZONE, kept(before_s)).moment(stamp(400.0, MARCH_S, "b"))
    assert (first.at_s, first.unseen_s) == (5400.0, 400.0)


def test_the_wall_of_the_flat_has_its_own_zone_and_summer() -> None:
    assert Timeline(ZONE).moment(stamp(1.0, MARCH_S)).local_s == MARCH_S + 8 * 3600
    berlin = Timeline(ZoneInfo("Europe/Berlin"))
    assert berlin.moment(stamp(1.0, MARCH_S)).local_s == MARCH_S + 3600
    assert berlin.moment(stamp(1.0, MARCH_S + 120 * 86400)).local_s == MARCH_S + 120 * 86400 + 7200


@pytest.mark.parametrize("wall_s", [None, 1e18, -1e18])
def test_a_clock_that_nobody_set_or_that_is_absurd_is_none(wall_s: float | None) -> None:
    assert Timeline(ZONE).moment(stamp(1.0, wall_s)).local_s is None
