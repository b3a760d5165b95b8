"""The seconds around a fall out of what a bracelet sends: each sample at its time, whatever is lost or begins anew."""

import struct
from dataclasses import dataclass, field

import pytest

from gateway.detect import evidence
from gateway.detect.evidence import BEATS, CHUNKS, RING_BYTES, WAIT_S, Fell, State, Tick, step
from gateway.model.evidence import AFTER_S, BEFORE_S, Evidence
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import SAMPLE_BYTES, Accel, Quantity, QuantityKind, Reading
from gateway.model.time import ClockQuality, Stamp
from tests.unit.detect.stamps import at

RATE_HZ = 50.0
LATE_S = 0.3  # what a block is under way


def numbered(first: int, count: int) -> bytes:
    """Samples that tell their own number: x counts hundreds, y single ones."""
    return b"".join(struct.pack("<3h", i // 100, i % 100, 1000) for i in range(first, first + count))


def numbers(kept: Evidence) -> list[tuple[float, int]]:
    """(seconds from the impact, the sample's number) of each sample."""
    found = []
    for piece, samples in kept.samples():
        for place, (x, y, _) in enumerate(struct.iter_unpack("<3h", samples)):
            found.append((piece.first_s + place / piece.rate_hz, x * 100 + y))
    return found


@dataclass
class Bracelet:
    """Sends samples that count from 0, in blocks of half a second; `now_s` is monotonic, `began_s` that of number 0."""

    rate_hz: float = RATE_HZ
    now_s: float = 1000.0
    next: int = 0
    state: State = field(default_factory=State)
    kept: list[Evidence] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_s = self.now_s

    def wear(self, seconds: float, heart: float | None = None, lost: bool = False) -> "Bracelet":
        """Wear it so long; `lost`: what it sends does not arrive."""
        size = round(self.rate_hz / 2)
        for _ in range(round(seconds * 2)):
            self.now_s = self.began_s + (self.next + size) / self.rate_hz
            if not lost:
                self.take(Accel(self.rate_hz, 8.0, self.next, numbered(self.next, size)))
                if heart is not None:
                    self.take(Quantity(QuantityKind.HEART_RATE, heart))
            self.next += size
        return self

    def again(self, away_s: float, rate_hz: float | None = None) -> "Bracelet":
        """Begin a new session after so long."""
        self.now_s += away_s
        self.next, self.began_s, self.rate_hz = 0, self.now_s, rate_hz or self.rate_hz
        return self

    def take(self, value: Accel | Quantity) -> None:
        self.do(Reading("bracelet", at(self.now_s + LATE_S), value))

    def fell(self, ago_s: float, alarm: str = "a1", id_: str = "f1") -> "Bracelet":
        """Find a fall whose impact is `ago_s` behind the newest sample."""
        told = {"impact_ago_s": ago_s, "peak_g": 4.5}
        found = Finding(FindingKind.FALL, "bracelet", at(self.now_s + LATE_S), 0.9, "a blow", told)
        self.do(Fell(found, alarm, id_))
        return self

    def tick(self, seconds: float) -> "Bracelet":
        for _ in range(round(seconds)):
            self.now_s += 1.0
            self.do(Tick(at(self.now_s + LATE_S)))
        return self

    def do(self, happened: evidence.Input) -> None:
        self.state, complete = step(self.state, happened)
        self.kept += complete


# -- one whole fall --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ago_s", [0.5, 4.0, 19.0, 25.0])
def test_what_is_kept_reaches_from_ten_seconds_before_the_impact_to_twenty_after_it(ago_s: float) -> None:
    bracelet = Bracelet().wear(60).fell(ago_s)
    assert bracelet.kept == []
    bracelet.wear(max(0.5, AFTER_S - ago_s))
    (kept,) = bracelet.kept
    impact = round((60 - ago_s) * RATE_HZ)
    told = numbers(kept)
    assert [number for _, number in told] == list(range(impact - 500, impact + 1000))
    assert all(when_s == pytest.approx((number - impact) / RATE_HZ, abs=1e-5) for when_s, number in told)
    assert kept.holes() == []
    assert kept.at.mono_s == pytest.approx(1060 + LATE_S - ago_s)
    assert (kept.id, kept.alarm, kept.device, kept.words) == ("f1", "a1", "bracelet", "a blow")


def test_it_is_complete_with_the_sample_at_its_end_and_not_one_before() -> None:
    bracelet = Bracelet().wear(60).fell(4.0).wear(15.5)
    assert bracelet.kept == []
    assert len(bracelet.wear(0.5).kept) == 1
    assert len(bracelet.wear(60).kept) == 1


def test_a_finding_told_later_than_the_newest_sample_still_marks_the_same_sample() -> None:
    bracelet = Bracelet().wear(60)
    late = Finding(FindingKind.FALL, "bracelet", at(1060 + LATE_S + 3.0), 0.9, "a blow", {"impact_ago_s": 7.0})
    bracelet.do(Fell(late, "a1", "f1"))
    (kept,) = bracelet.wear(20).kept
    assert (0.0, 56 * 50) in [(round(when_s, 4), number) for when_s, number in numbers(kept)]


def test_a_finding_that_does_not_tell_the_impact_is_the_impact() -> None:
    bracelet = Bracelet().wear(60)
    flag = Finding(FindingKind.FALL, "bracelet", at(1060 + LATE_S), 0.9, "its own word")
    bracelet.do(Fell(flag, "a1", "f1"))
    (kept,) = bracelet.wear(25).kept
    assert numbers(kept)[0][1] == 2500
    assert kept.at == at(1060 + LATE_S)


def test_heart_rates_lie_at_their_arrival_and_keep_their_mark() -> None:
    bracelet = Bracelet().wear(60, heart=70.0).fell(4.0)
    bracelet.take(Quantity(QuantityKind.HEART_RATE, 0.0, plausible=False))
    bracelet.take(Quantity(QuantityKind.BATTERY, 80.0))
    (kept,) = bracelet.wear(20, heart=90.0).kept
    assert all(-BEFORE_S <= beat.at_s <= AFTER_S for beat in kept.heart)
    assert {beat.per_min for beat in kept.heart if beat.at_s < 4.0} == {70.0}
    assert [beat.at_s for beat in kept.heart if not beat.plausible] == [pytest.approx(4.0)]
    assert {beat.per_min for beat in kept.heart} == {70.0, 90.0, 0.0}


def test_the_peak_is_the_largest_sample_and_until_there_is_one_what_the_finding_told() -> None:
    bracelet = Bracelet().wear(60).fell(4.0)
    assert bracelet.state.open[0].evidence.peak_g == 4.5
    assert bracelet.state.open[0].evidence.awaited
    bracelet.take(Accel(RATE_HZ, 8.0, bracelet.next, struct.pack("<3h", 3000, 4000, 0)))
    bracelet.next += 1
    (kept,) = bracelet.wear(20).kept
    assert kept.peak_g == 5.0
    assert not kept.awaited


def test_the_impact_has_the_wall_time_of_its_own_moment() -> None:
    bracelet = Bracelet().wear(60)
    now = Stamp("boot-1", 1060.3, 1.7e9, ClockQuality.SYNCED)
    bracelet.do(Fell(Finding(FindingKind.FALL, "bracelet", now, 0.9, "", {"impact_ago_s": 4.0}), "a1", "f1"))
    assert bracelet.state.open[0].evidence.at == Stamp("boot-1", 1056.3, 1.7e9 - 4.0, ClockQuality.SYNCED)


# -- what is lost ----------------------------------------------------------------------------------------------------


def test_lost_samples_are_a_hole_and_every_other_sample_stays_at_its_time() -> None:
    bracelet = Bracelet().wear(52).wear(1.5, lost=True).wear(6.5).fell(4.0)
    (kept,) = bracelet.wear(20).kept
    assert kept.holes() == [(-4.0, -2.5)]
    assert all(when_s == pytest.approx((number - 2800) / RATE_HZ, abs=1e-5) for when_s, number in numbers(kept))
    assert len(kept.pieces) == 2


def test_one_lost_sample_is_a_hole() -> None:
    bracelet = Bracelet().wear(55)
    bracelet.next += 1
    bracelet.wear(5).fell(4.0)
    (kept,) = bracelet.wear(20).kept
    assert [round(end_s - begin_s, 3) for begin_s, end_s in kept.holes()] == [0.02]


def test_a_lost_bracelet_is_waited_for_and_what_there_is_is_kept_with_its_hole() -> None:
    bracelet = Bracelet().wear(60).fell(4.0).wear(2)
    bracelet.now_s = 1060.0
    assert bracelet.tick(WAIT_S - 1).kept == []
    (kept,) = bracelet.tick(1).kept
    assert numbers(kept)[-1][1] == 3099
    assert kept.holes() == [(6.0, AFTER_S)]


def test_a_bracelet_put_on_just_before_the_fall_has_a_hole_at_the_beginning() -> None:
    (kept,) = Bracelet().wear(7).fell(4.0).wear(20).kept
    assert kept.holes() == [(-BEFORE_S, -3.0)]


def test_when_nothing_of_those_seconds_arrived_it_is_missing_and_says_why() -> None:
    bracelet = Bracelet().wear(20)
    bracelet.now_s += 200
    bracelet.fell(0.0).tick(WAIT_S)
    (kept,) = bracelet.kept
    assert (kept.pieces, kept.samples_mg, kept.awaited) == ((), b"", False)
    assert "no samples" in kept.missing
    assert kept.holes() == [(-BEFORE_S, AFTER_S)]


# -- new sessions and rates --------------------------------------------------------------------------------------------


def test_a_new_session_lies_after_the_old_one_as_long_as_it_was_away() -> None:
    bracelet = Bracelet().wear(57).again(3.0).wear(1).fell(2.5)  # the impact is where nothing was sent
    (kept,) = bracelet.wear(20).kept
    old, new = kept.pieces
    assert (old.end_s, new.first_s) == (pytest.approx(-1.5), pytest.approx(1.5))
    assert [number for when_s, number in numbers(kept) if when_s > 0][:2] == [0, 1]


def test_a_session_that_begins_at_once_leaves_no_hole_worth_telling() -> None:
    bracelet = Bracelet().wear(57).again(0.0).wear(4).fell(3.0)
    (kept,) = bracelet.wear(20).kept
    assert kept.holes() == []
    assert [piece.n for piece in kept.pieces] == [450, 1050]


@pytest.mark.parametrize(("before_hz", "after_hz"), [(26.0, 52.0), (100.0, 50.0)])
def test_two_rates_stand_side_by_side_each_in_its_own(before_hz: float, after_hz: float) -> None:
    bracelet = Bracelet(before_hz).wear(57).again(1.0, after_hz).wear(6).fell(4.0)
    (kept,) = bracelet.wear(20).kept
    old, new = kept.pieces
    assert (old.rate_hz, new.rate_hz) == (before_hz, after_hz)
    assert (old.first_s, old.end_s) == (pytest.approx(-10.0), pytest.approx(-3.0))
    assert (new.first_s, new.end_s) == (pytest.approx(-2.0), pytest.approx(20.0))
    assert old.n == 7 * before_hz
    assert new.n == 22 * after_hz
    assert kept.holes() == [(-3.0, -2.0)]


def test_a_block_that_comes_twice_counts_once() -> None:
    bracelet = Bracelet().wear(60)
    bracelet.take(Accel(RATE_HZ, 8.0, bracelet.next - 25, numbered(bracelet.next - 25, 25)))
    (kept,) = bracelet.fell(4.0).wear(20).kept
    assert len(kept.pieces) == 1
    assert [number for _, number in numbers(kept)] == list(range(2300, 3800))


def test_another_rate_is_another_session_though_the_number_goes_on() -> None:
    bracelet = Bracelet(26.0).wear(57)
    bracelet.again(1.0, 52.0).next = 57 * 26
    bracelet.began_s -= bracelet.next / 52.0
    (kept,) = bracelet.wear(6).fell(4.0).wear(20).kept
    assert kept.holes() == [(-3.0, -2.0)]


def test_a_rate_that_only_looks_nominal_moves_no_sample_within_a_session() -> None:
    """A bracelet that counts 3 % slow for an hour is 108 s behind by arrival; its samples are counted all the same."""
    bracelet = Bracelet().wear(30)
    for _ in range(60):
        bracelet.began_s += 0.05
        bracelet.wear(2)
    bracelet.fell(4.0)
    (kept,) = bracelet.wear(20).kept
    told = numbers(kept)
    assert [round(when_s * RATE_HZ) for when_s, _ in told] == list(range(-500, 1000))
    assert told[500] == (pytest.approx(0.0), bracelet.next - 1000 - 200)


# -- one alarm, one capture --------------------------------------------------------------------------------------------


def test_repeats_of_one_alarm_within_a_capture_make_no_second_one() -> None:
    bracelet = Bracelet().wear(60).fell(4.0).wear(3).fell(7.0, id_="f2").wear(5).fell(2.0, id_="f3").wear(30)
    assert [kept.id for kept in bracelet.kept] == ["f1"]


def test_the_same_impact_told_again_after_its_capture_ended_makes_no_second_one() -> None:
    bracelet = Bracelet().wear(60).fell(1.0).wear(19.5)
    assert len(bracelet.kept) == 1
    bracelet.fell(20.5, id_="f2").wear(30)
    assert [kept.id for kept in bracelet.kept] == ["f1"]


def test_another_impact_beyond_the_capture_is_another_evidence_of_the_same_alarm() -> None:
    bracelet = Bracelet().wear(60).fell(4.0).wear(24).fell(4.0, id_="f2").wear(30)
    assert [(kept.id, kept.alarm) for kept in bracelet.kept] == [("f1", "a1"), ("f2", "a1")]


def test_another_alarm_within_the_capture_has_its_own() -> None:
    bracelet = Bracelet().wear(60).fell(4.0).wear(10).fell(4.0, alarm="a2", id_="f2").wear(30)
    assert [(kept.id, kept.alarm) for kept in bracelet.kept] == [("f1", "a1"), ("f2", "a2")]


def test_of_a_wearer_without_samples_no_evidence_is_promised() -> None:
    bracelet = Bracelet().fell(4.0)
    assert bracelet.state == State()


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_what_an_open_capture_needs_is_not_let_go_for_what_comes_after_a_long_absence() -> None:
    bracelet = Bracelet(250.0).wear(60)
    late = Finding(FindingKind.FALL, "bracelet", at(1075 + LATE_S), 0.9, "a blow", {"impact_ago_s": 25.0})
    bracelet.do(Fell(late, "a1", "f1"))
    (kept,) = bracelet.again(34.0).wear(0.5).kept
    assert kept.pieces[0] == evidence.Piece(-BEFORE_S, 250.0, 8.0, 20 * 250)
    assert kept.holes() == [(10.0, AFTER_S)]


def test_blocks_that_arrive_all_at_once_are_bounded_in_bytes() -> None:
    state = State()
    for number in range(60):
        block = Accel(250.0, 8.0, number * 5000, numbered(0, 5000))
        state, _ = step(state, Reading("bracelet", at(1000 + number / 100), block))
    assert RING_BYTES - 5000 * SAMPLE_BYTES <= sum(len(chunk.samples_mg) for chunk in state.chunks) <= RING_BYTES
    assert state.chunks[-1].first_index == 59 * 5000


@pytest.mark.parametrize("block", [
    Accel(250.0, 8.0, 0, numbered(0, 1)), Accel(250.0, 8.0, 0, numbered(0, 7)),
    Accel(250.0, 8.0, 0, numbered(0, 20_000)), Accel(20.0, 8.0, 0, numbered(0, 40))],
    ids=["one by one", "seven", "far too many", "slow"])
@pytest.mark.parametrize("hop", [0, 1], ids=["whole", "every other sample lost"])
def test_the_ring_is_bounded_whatever_is_sent(block: Accel, hop: int) -> None:
    state, first, size = State(), 0, len(block.samples_mg) // SAMPLE_BYTES
    for count in range(1500):
        now = at(1000 + (first + size) / block.rate_hz)
        value = Accel(block.rate_hz, 8.0, first, block.samples_mg)
        state, _ = step(state, Reading("bracelet", now, value))
        state, _ = step(state, Reading("bracelet", now, Quantity(QuantityKind.HEART_RATE, 70.0)))
        first += size + hop
        if count % 100 == 99:
            assert sum(len(chunk.samples_mg) for chunk in state.chunks) <= RING_BYTES
            assert 0 < len(state.chunks) <= CHUNKS
            assert len(state.beats) <= BEATS


@pytest.mark.parametrize("rate_hz", [0.0, -5.0, float("nan"), 250.1, float("inf")])
def test_a_rate_that_makes_no_sense_is_left_out(rate_hz: float) -> None:
    bracelet = Bracelet().wear(60)
    before = bracelet.state
    bracelet.take(Accel(rate_hz, 8.0, bracelet.next, numbered(0, 10)))
    assert bracelet.state == before
