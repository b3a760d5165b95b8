"""The rules of the fall detector, each by a wrist that keeps or breaks it."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect import falls
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel
from tests.unit.detect.stamps import at
from tests.unit.detect.wrist import HANGING, LYING, Wrist


def found(blocks: Iterable[Accel]) -> list[Finding]:
    state = falls.State()
    findings: list[Finding] = []
    for block in blocks:
        state, more = falls.step(state, "bracelet", at(0), block)
        findings += more
    return findings


@pytest.mark.parametrize("rate_hz", [20.0, 26.0, 52.0, 100.0])
@pytest.mark.parametrize("full_scale_g", [2.0, 4.0, 16.0])
def test_a_fall_is_found_at_every_rate_and_range_within_three_and_a_half_seconds(rate_hz: float, full_scale_g: float):
    (finding,) = found(Wrist(rate_hz).fall().blocks(full_scale_g=full_scale_g))
    assert finding.kind is FindingKind.FALL
    assert finding.device == "bracelet"
    assert 0.5 <= finding.score <= 1.0
    assert finding.evidence["impact_ago_s"] <= 3.5
    assert 60 < finding.evidence["posture_change_deg"] < 110
    assert finding.evidence["still_g"] < 0.05
    assert finding.evidence["peak_g"] >= 2.4


def test_the_evidence_tells_the_peak_as_measured_and_the_judgement_is_the_same_on_a_clipping_watch():
    (wide,) = found(Wrist(50).fall().blocks(full_scale_g=16))
    (narrow,) = found(Wrist(50).fall().blocks(full_scale_g=2))
    assert wide.evidence["peak_g"] == pytest.approx(4.5, abs=0.1)
    assert narrow.evidence["peak_g"] < 3.5
    assert wide.score == narrow.score


def test_the_finding_is_stamped_when_its_last_block_arrived():
    arrived = {block.first_index: at(1000 + block.first_index) for block in Wrist(20).fall().blocks()}
    state = falls.State()
    for block in Wrist(20).fall().blocks():
        state, findings = falls.step(state, "bracelet", arrived[block.first_index], block)
        if findings:
            assert findings[0].at == arrived[block.first_index]
            return
    pytest.fail("no fall")


def test_a_blow_without_another_posture_is_no_fall():
    assert found(Wrist(50).rest(4, HANGING).blow(0.6, 4.5).rest(6, HANGING).blocks()) == []


def test_another_posture_without_a_blow_is_no_fall():
    assert found(Wrist(50).rest(4, HANGING).rest(8, LYING).blocks()) == []


def test_a_blow_after_which_the_wrist_goes_on_moving_is_no_fall():
    assert found(Wrist(50).rest(4, LYING).blow(0.6, 4.5).walk(10).blocks()) == []


def test_a_knock_on_the_table_is_no_fall():
    assert found(Wrist(50).rest(4, HANGING).blow(0.06, 4.0).rest(6, LYING).blocks()) == []


def test_effort_that_lasts_is_no_fall():
    wrist = Wrist(50).rest(4, HANGING)
    for _ in range(8):
        wrist.blow(0.5, 4.0)
    assert found(wrist.rest(6, LYING).blocks()) == []


def test_a_fall_after_which_the_hand_moves_for_two_seconds_is_still_found():
    wrist = Wrist(50).rest(4, HANGING).blow(0.6, 4.5).rest(2, LYING, noise_g=0.2).rest(4, LYING)
    (finding,) = found(wrist.blocks())
    assert 3.5 < finding.evidence["impact_ago_s"] < 6.5


def test_a_bump_after_the_fall_does_not_hide_it():
    wrist = Wrist(50).rest(4, HANGING).blow(0.6, 4.5).rest(1.4, LYING).blow(0.1, 2.2).rest(4, LYING)
    assert len(found(wrist.blocks())) == 1


def test_one_fall_is_one_finding_and_a_second_one_later_another():
    wrist = Wrist(50).fall()
    assert len(found(wrist.blocks())) == 1
    wrist.rest(8, HANGING).fall()
    assert len(found(wrist.blocks())) == 2


@pytest.mark.parametrize("lost", [3, 40, 100])
def test_lost_samples_are_no_blow(lost: int):
    standing = list(Wrist(20).rest(6, HANGING).blocks())
    lying = Wrist(20).rest(8, LYING).blocks()
    shift = standing[-1].first_index + 10 + lost
    assert found([*standing, *(msgspec.structs.replace(b, first_index=b.first_index + shift) for b in lying)]) == []


def test_lost_samples_are_no_stillness():
    wrist = Wrist(20).rest(4, HANGING).blow(0.6, 4.5).rest(6, LYING, noise_g=0.3)
    blocks = [b for b in wrist.blocks(size=4) if not 5.0 <= b.first_index / 20 < 9.2]
    assert found(blocks) == []


def test_a_short_loss_after_the_blow_does_not_hide_the_fall():
    blocks = [b for b in Wrist(20).fall().blocks(size=4) if not 5.4 <= b.first_index / 20 < 6.2]
    assert len(found(blocks)) == 1


def test_a_step_back_is_a_new_session_and_no_blow():
    standing = list(Wrist(20).rest(6, HANGING).blocks())
    assert found([*standing, *Wrist(20).rest(8, LYING).blocks()]) == []


def test_a_blow_of_the_session_before_is_not_mixed_with_the_new_one():
    fallen = list(Wrist(20).rest(4, HANGING).blow(0.6, 4.5).blocks())
    assert found([*fallen, *Wrist(20).rest(8, LYING).blocks()]) == []


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 5.0, 1000.0, float("nan")])
def test_a_rate_that_makes_no_sense_is_not_judged(rate_hz: float):
    blocks = [msgspec.structs.replace(b, rate_hz=rate_hz) for b in Wrist(20).fall().blocks()]
    assert found(blocks) == []


def test_half_a_sample_at_the_end_of_a_block_is_left_out():
    blocks = [msgspec.structs.replace(b, samples_mg=b.samples_mg + b"\x01\x02") for b in Wrist(20).fall().blocks()]
    assert len(found(blocks)) == 1


def test_the_state_survives_being_saved():
    state, findings = falls.State(), []
    for block in Wrist(20).fall().blocks():
        state = msgspec.json.decode(msgspec.json.encode(state), type=falls.State)
        state, more = falls.step(state, "bracelet", at(0), block)
        findings += more
    assert len(findings) == 1


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_how_the_samples_are_cut_into_blocks_does_not_matter(sizes: list[int]):
    wrist = Wrist(50).walk(3).fall()
    whole = b"".join(b.samples_mg for b in wrist.blocks())
    state, first, findings = falls.State(), 0, []
    while first * 6 < len(whole):
        size = sizes[first % len(sizes)]
        block = Accel(50, 16, first, whole[first * 6 : (first + size) * 6])
        state, more = falls.step(state, "bracelet", at(0), block)
        findings += [(first + len(block.samples_mg) // 6) / 50 - f.evidence["impact_ago_s"] for f in more]
        first += size
    assert len(findings) == 1
    assert findings[0] == pytest.approx(7.6, abs=0.2)  # the middle of the blow, whatever the blocks


@given(st.lists(st.tuples(st.integers(-5, 4000), st.binary(max_size=600), st.sampled_from([20.0, 50.0, 100.0]))))
@settings(max_examples=200, deadline=None)
def test_nothing_that_arrives_breaks_it_and_its_memory_is_bounded(blocks: list[tuple[int, bytes, float]]):
    state = falls.State()
    for first, samples, rate_hz in blocks:
        state, _ = falls.step(state, "bracelet", at(0), Accel(rate_hz, 16, first, samples))
        assert len(state.recent) <= 12 * rate_hz * 6 + len(samples)
        assert len(state.bursts) < 20
