"""What is known of a boot grows with what is seen of it; what decides at home never asks what time it is."""

import ast
from pathlib import Path

import gateway
from gateway.model.time import Boot, ClockQuality, Stamp, seen

BEGAN_S = 1_780_000_000.0
SYNCED, RESTORED, UNSET = ClockQuality.SYNCED, ClockQuality.RESTORED, ClockQuality.UNSET


def at(mono_s: float, began_s: float | None = BEGAN_S, quality: ClockQuality = SYNCED) -> Stamp:
    return Stamp("boot", mono_s, None if began_s is None else began_s + mono_s, quality)


def test_a_boot_is_known_from_its_first_synced_moment_to_its_last() -> None:
    boot = Boot("boot", 0.0)
    for mono_s in (50.0, 30.0, 90.0):
        boot = seen(boot, at(mono_s))
    assert boot == Boot("boot", 90.0, BEGAN_S, 30.0, 90.0)


def test_a_synced_clock_that_moved_is_believed_anew_and_one_that_slewed_is_not() -> None:
    boot = seen(seen(Boot("boot", 0.0), at(10.0)), at(20.0, BEGAN_S + 0.9))
    assert boot == Boot("boot", 20.0, BEGAN_S, 10.0, 20.0)
    assert seen(boot, at(30.0, BEGAN_S - 7200.0)) == Boot("boot", 30.0, BEGAN_S - 7200.0, 30.0, 30.0)


def test_a_clock_that_is_not_synced_says_nothing_of_when_the_boot_began_but_restored_a_lower_bound() -> None:
    boot = seen(seen(Boot("boot", 0.0), at(5.0, 0.0, UNSET)), at(6.0, None))
    assert boot == Boot("boot", 6.0)
    boot = seen(seen(boot, at(7.0, BEGAN_S - 500.0, RESTORED)), at(8.0, BEGAN_S + 500.0, RESTORED))
    assert boot == Boot("boot", 8.0, restored_wall_s=BEGAN_S - 500.0)  # the first: later ones were set by somebody


def test_a_boot_never_gets_shorter() -> None:
    assert seen(Boot("boot", 90.0), at(20.0)).lasted_s == 90.0


def test_no_detector_and_no_alarm_reads_the_wall_clock() -> None:
    readers = [
        f"{path.name}:{node.lineno}" for floor in ("detect", "alarm")
        for path in (Path(gateway.__file__).parent / floor).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "wall_s"]
    assert readers == []
