"""A date tells the truth about itself: the moment lies where it says, or it says that nobody knows.

True histories are made up: boots of any length with pauses between them, clocks that are synced, restored, never set or
plainly wrong, crystals that drift, notes that come short because the power went. The gateway sees of them what it
would.
"""

from dataclasses import dataclass
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.time import Boot, ClockQuality, Stamp, seen
from gateway.sync.dating import DRIFT, SYNC_S, Bound, Dating, dated, rfc3339

EPOCH_S = 1_780_000_000.0
YEAR_S = 31_557_600.0


@dataclass(frozen=True)
class Truth:
    """One boot as it really was. `synced`: from when to when (None: never), by a server `off_s` from the truth."""

    id: str
    began_s: float
    lasted_s: float
    noted_s: float
    drift: float
    synced: tuple[float, float] | None
    off_s: float
    slewed_s: float
    restored_s: float | None  # what the clock said at monotonic zero
    honest: bool  # ... which was late, as a restored clock is

    def true_s(self, mono_s: float) -> float:
        from_s, upto_s = self.synced or (0.0, 0.0)
        held_s = min(max(mono_s, from_s), upto_s)
        slewed_s = self.slewed_s * (held_s - from_s) / (upto_s - from_s) if upto_s > from_s else 0.0
        return self.began_s + mono_s + self.drift * (mono_s - held_s + from_s) + slewed_s

    def stamp(self, mono_s: float) -> Stamp:
        """What the gateway reads at this moment."""
        if self.synced and self.synced[0] <= mono_s:
            return Stamp(self.id, mono_s, mono_s + self._began_by_clock_s(), ClockQuality.SYNCED)
        if self.restored_s is not None:
            return Stamp(self.id, mono_s, self.restored_s + mono_s, ClockQuality.RESTORED)
        return Stamp(self.id, mono_s, mono_s, ClockQuality.UNSET)

    def noted(self) -> Boot:
        """What stands on the disk of it: every look up to the last note that came to be."""
        boot = seen(Boot(self.id, self.noted_s), self.stamp(0.0))
        for mono_s in self.synced or ():
            boot = seen(boot, self.stamp(mono_s))
        return boot

    def _began_by_clock_s(self) -> float:
        assert self.synced
        return self.true_s(self.synced[0]) + self.off_s - self.synced[0]


seconds = st.floats(1.0, 5_000_000.0)
part = st.floats(0.0, 1.0)


@st.composite
def histories(draw: st.DrawFn, exact: bool = False) -> list[Truth]:
    """Boots in their order; `exact`: no crystal drifts, no server is off, no note comes short."""
    truths: list[Truth] = []
    at_s = EPOCH_S
    for number in range(draw(st.integers(1, 6))):
        at_s += draw(st.floats(0.0, 3_000_000.0))
        lasted_s = draw(seconds)
        first, second = sorted((draw(part), draw(part)))
        synced = draw(st.sampled_from([None, (first * lasted_s, second * lasted_s)]))
        clock = draw(st.sampled_from(["unset", "restored", "wrong"]))
        restored_s = {"unset": None, "restored": at_s - draw(st.floats(0.0, YEAR_S)),
                      "wrong": at_s + draw(st.floats(-YEAR_S, 10 * YEAR_S))}[clock]
        noted_s = max(lasted_s - (0.0 if exact else draw(st.floats(0.0, 300.0))), *(synced or (0.0,)), 0.0)
        truths.append(Truth(f"boot-{number}", at_s, lasted_s, noted_s,
                            0.0 if exact else draw(st.floats(-DRIFT, DRIFT)) * 0.99, synced,
                            0.0 if exact else draw(st.floats(-0.5, 0.5)), 0.0 if exact else draw(st.floats(-1.0, 1.0)),
                            restored_s, clock != "wrong"))
        at_s = truths[-1].true_s(lasted_s)
    return truths


def dates(history: list[Truth], boot: Truth, *mono_s: float) -> list[Dating]:
    """Date moments of a boot as the last boot of the history would at its end."""
    now = history[-1].stamp(history[-1].lasted_s)
    boots = [truth.noted() for truth in history]
    return [dated(boot.stamp(at_s), now, boots) for at_s in mono_s]


@given(histories(), st.data())
def test_the_truth_lies_where_the_date_says(history: list[Truth], data: st.DataObject) -> None:
    boot = data.draw(st.sampled_from(history))
    mono_s = data.draw(part) * boot.lasted_s
    true_s, (date,) = boot.true_s(mono_s), dates(history, boot, mono_s)
    grain_s = 1e-5  # of a float at such a time
    if date.quality is ClockQuality.RESTORED and not boot.honest:
        assert boot.restored_s is not None  # as good as what was restored, no better: and that was wrong
        return
    if date.wall_s is None:
        assert (date.quality, date.uncertainty_s, date.bound) == (ClockQuality.UNSET, None, None)
    elif date.uncertainty_s is not None:
        assert date.bound is None
        assert abs(true_s - date.wall_s) <= date.uncertainty_s + grain_s
    elif date.bound is Bound.EARLIEST:
        slack_s = DRIFT * mono_s if date.quality is ClockQuality.RESTORED else 0.0
        assert true_s >= date.wall_s - slack_s - grain_s
    else:
        assert date.bound is Bound.LATEST
        assert true_s <= date.wall_s + grain_s


@given(histories(), st.data())
def test_all_that_can_be_known_is_told(history: list[Truth], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(history) - 1))
    boot, (date,) = history[place], dates(history, history[place], 0.0)
    before = any(truth.synced for truth in history[:place])
    after = any(truth.synced for truth in history[place + 1:])
    if boot.synced:
        assert date.quality is ClockQuality.SYNCED
        assert date.uncertainty_s is not None
        assert date.uncertainty_s <= SYNC_S + DRIFT * boot.lasted_s
    elif before and after:
        assert date.quality is ClockQuality.ESTIMATED
        assert date.uncertainty_s is not None
    elif before or after:
        assert date.wall_s is not None
    else:
        assert date.quality is (ClockQuality.UNSET if boot.restored_s is None else ClockQuality.RESTORED)


@given(histories(), st.data())
def test_the_order_within_a_boot_never_turns(history: list[Truth], data: st.DataObject) -> None:
    boot = data.draw(st.sampled_from(history))
    moments_s = sorted(data.draw(st.lists(part, min_size=2, max_size=6)))
    told = [date.wall_s for date in dates(history, boot, *(at * boot.lasted_s for at in moments_s))]
    if None not in told:
        assert told == sorted(told, key=lambda wall_s: wall_s or 0.0)


@given(histories(exact=True))
def test_boots_never_overlap_where_both_sides_are_known(history: list[Truth]) -> None:
    spans = [dates(history, boot, 0.0, boot.lasted_s) for boot in history]
    known = [(first.wall_s, last.wall_s) for first, last in spans if last.uncertainty_s is not None
             and ClockQuality.RESTORED not in (first.quality, last.quality)]
    for (_, ended_s), (began_s, _) in pairwise(known):
        assert ended_s is not None
        assert began_s is not None
        assert ended_s <= began_s + 1e-5


@given(histories())
def test_boots_overlap_by_no_more_than_the_dates_say_of_themselves(history: list[Truth]) -> None:
    for before, after in pairwise(history):
        (ended,), (began,) = dates(history, before, before.noted_s), dates(history, after, 0.0)
        if ended.uncertainty_s is None or began.uncertainty_s is None or ClockQuality.RESTORED in (
                ended.quality, began.quality):
            continue
        assert ended.wall_s is not None
        assert began.wall_s is not None
        assert ended.wall_s - ended.uncertainty_s <= began.wall_s + began.uncertainty_s + 1e-5


KNOWN = Boot("a", 1000.0, EPOCH_S, 0.0, 1000.0)
AFTER = Boot("d", 50.0, EPOCH_S + 5000.0, 0.0, 50.0)
NOW = Stamp("d", 50.0, EPOCH_S + 5050.0, ClockQuality.SYNCED)
UNSET_NOW = Stamp("d", 50.0, 50.0, ClockQuality.UNSET)


def unset(boot_id: str, mono_s: float) -> Stamp:
    return Stamp(boot_id, mono_s, mono_s, ClockQuality.UNSET)


def test_two_unsynced_boots_between_known_ones_share_the_span_that_nobody_saw() -> None:
    boots = [KNOWN, Boot("b", 1500.0), Boot("c", 500.0), AFTER]
    told = [dated(at, NOW, boots) for at in (unset("b", 0.0), unset("b", 1500.0), unset("c", 0.0), unset("c", 500.0))]
    # 4000 s lie between the end of a and the beginning of d, 2000 of them were run: 2000 s are free
    assert [date.wall_s for date in told] == [EPOCH_S + s for s in (2000.0, 3500.0, 3500.0, 4000.0)]
    assert all(date.quality is ClockQuality.ESTIMATED for date in told)
    assert [date.uncertainty_s for date in told] == [pytest.approx(1000.0, abs=2.0)] * 4


def test_what_came_after_the_last_note_is_dated_within_what_it_leaves_of_the_span() -> None:
    boots = [KNOWN, Boot("b", 100.0), AFTER]
    date = dated(unset("b", 3800.0), NOW, boots)
    assert date.wall_s == EPOCH_S + 4900.0
    assert date.uncertainty_s == pytest.approx(100.0, abs=3.0)


def test_with_one_known_neighbour_the_date_is_a_bound_and_says_so() -> None:
    first = dated(unset("b", 10.0), UNSET_NOW, [KNOWN, Boot("b", 100.0), Boot("d", 1.0)])
    assert (first.quality, first.bound, first.uncertainty_s) == (ClockQuality.ESTIMATED, Bound.EARLIEST, None)
    assert first.wall_s == pytest.approx(EPOCH_S + 1010.0, abs=2.0)
    last = dated(unset("b", 10.0), NOW, [Boot("b", 100.0), Boot("d", 1.0)])
    assert (last.quality, last.bound, last.uncertainty_s) == (ClockQuality.ESTIMATED, Bound.LATEST, None)
    assert last.wall_s == pytest.approx(EPOCH_S + 4910.0, abs=2.0)


def test_a_restored_clock_stands_for_the_boot_before_that_nobody_knows() -> None:
    restored = Boot("b", 100.0, restored_wall_s=EPOCH_S)
    date = dated(Stamp("b", 10.0, EPOCH_S + 10.0, ClockQuality.RESTORED), NOW, [restored, AFTER])
    assert (date.wall_s, date.quality) == (EPOCH_S + 2460.0, ClockQuality.RESTORED)
    assert date.uncertainty_s == pytest.approx(2450.0, abs=2.0)


def test_a_restored_clock_ahead_of_what_must_be_the_latest_is_not_believed() -> None:
    wrong = Boot("b", 100.0, restored_wall_s=EPOCH_S + 10 * YEAR_S)
    date = dated(Stamp("b", 10.0, EPOCH_S + 10 * YEAR_S, ClockQuality.RESTORED), NOW, [wrong, AFTER])
    assert (date.quality, date.bound) == (ClockQuality.ESTIMATED, Bound.LATEST)


def test_a_clock_set_wrong_after_it_was_synced_dates_nothing() -> None:
    boots = [Boot("d", 2000.0, EPOCH_S, 5.0, 1000.0)]
    stepped = Stamp("d", 2000.0, EPOCH_S + 10 * YEAR_S, ClockQuality.RESTORED)
    assert dated(stepped, stepped, boots).wall_s == EPOCH_S + 2000.0
    assert dated(stepped, stepped, boots).uncertainty_s == pytest.approx(1.5 + DRIFT * 1000.0)


def test_a_later_sync_that_moves_the_clock_is_believed_for_the_whole_boot() -> None:
    boot = seen(seen(Boot("d", 0.0), Stamp("d", 10.0, EPOCH_S + 10.0, ClockQuality.SYNCED)),
                Stamp("d", 20.0, EPOCH_S + 7220.0, ClockQuality.SYNCED))
    now = Stamp("d", 30.0, EPOCH_S + 7230.0, ClockQuality.SYNCED)
    early = dated(Stamp("d", 10.0, EPOCH_S + 10.0, ClockQuality.SYNCED), now, [boot])
    assert early.wall_s == EPOCH_S + 7210.0


def test_a_boot_that_the_chronicle_does_not_have_is_dated_by_its_own_stamp() -> None:
    assert dated(Stamp("x", 5.0, EPOCH_S, ClockQuality.SYNCED), NOW).quality is ClockQuality.SYNCED
    assert dated(Stamp("x", 5.0, EPOCH_S, ClockQuality.RESTORED), NOW) == Dating(
        EPOCH_S, ClockQuality.RESTORED, None, Bound.EARLIEST)
    assert dated(unset("x", 5.0), NOW) == Dating(None, ClockQuality.UNSET)


@pytest.mark.parametrize("wall_s", [None, float("nan"), float("inf"), 1e300, -1e300])
def test_a_moment_that_no_calendar_has_has_no_text(wall_s: float | None) -> None:
    assert rfc3339(wall_s) is msgspec.UNSET


def test_a_crystal_that_ran_long_without_a_server_makes_its_neighbours_uncertain() -> None:
    drifted = Boot("a", 1_000_000.0, EPOCH_S - 999_000.0, 0.0, 0.0)  # synced at its beginning only: 100 s at its end
    date = dated(unset("b", 0.0), NOW, [drifted, Boot("b", 4000.0), AFTER])
    assert (date.wall_s, date.uncertainty_s) == (EPOCH_S + 1000.0, pytest.approx(101.5, abs=0.1))
    earliest = dated(unset("b", 0.0), UNSET_NOW, [drifted, Boot("b", 4000.0)])
    assert (earliest.wall_s, earliest.bound) == (pytest.approx(EPOCH_S + 1000.0 - 101.5, abs=0.1), Bound.EARLIEST)
    late = [Boot("b", 100.0), Boot("d", 1_000_000.0, EPOCH_S, 1_000_000.0, 1_000_000.0)]
    latest = dated(unset("b", 0.0), Stamp("d", 1_000_000.0, EPOCH_S + 1e6, ClockQuality.SYNCED), late)
    assert (latest.wall_s, latest.bound) == (pytest.approx(EPOCH_S - 100.0 + 101.5, abs=0.1), Bound.LATEST)


def test_between_known_boots_no_restored_clock_is_needed_nor_believed() -> None:
    restored = Boot("b", 100.0, restored_wall_s=EPOCH_S + 4800.0)
    stamp = Stamp("b", 10.0, EPOCH_S + 4810.0, ClockQuality.RESTORED)
    assert dated(stamp, NOW, [KNOWN, restored, AFTER]) == dated(unset("b", 10.0), NOW, [KNOWN, Boot("b", 100.0), AFTER])
