"""The event that tells a fall's evidence: whole, within a batch, and about an alarm without being one of its events."""

import random
import struct
import zlib
from base64 import b64decode

import msgspec
import pytest

from gateway.alarm import life
from gateway.alarm.evidence import told
from gateway.model.event import EventType, Lane
from gateway.model.evidence import Evidence, HeartRate, Piece, lacking, largest_g
from gateway.model.time import ClockQuality, Stamp
from gateway.sync import wire
from gateway.sync.batch import BATCH_BYTES
from tests.unit.sync.kit import NOW, row

AT = Stamp("b" * 36, 1e6, 1.7e9, ClockQuality.SYNCED)


def evidence(rate_hz: float, noise_mg: int = 20, cuts: int = 1) -> Evidence:
    """30 s with the impact's sample as the one of 7 g; noise that no zlib makes small for a large `noise_mg`."""
    rng = random.Random(7)
    count = round(30 * rate_hz)
    values = [[rng.randint(-noise_mg, noise_mg) for _ in range(3)] for _ in range(count)]
    values[round(10 * rate_hz)] = [7000, 0, 0]
    samples = b"".join(struct.pack("<3h", *value) for value in values)
    each = count // cuts
    pieces = tuple(Piece(-10.0 + n * each / rate_hz, rate_hz, 16.0, each) for n in range(cuts))
    return Evidence("f" * 24, "a" * 24, "bracelet", AT, "a blow", largest_g(samples), pieces,
                    samples[: each * cuts * 6], tuple(HeartRate(n - 10.0, 70.0, True) for n in range(30)))


def test_the_samples_come_out_as_they_went_in() -> None:
    whole = evidence(52.0)
    data = told(whole).data
    assert zlib.decompress(b64decode(data["samples"])) == whole.samples_mg
    assert data["pieces"] == [{"first_s": -10.0, "rate_hz": 52.0, "full_scale_g": 16.0, "n": 1560}]
    assert (data["alarm"], data["device"], data["peak_g"], data["thinned"]) == ("a" * 24, "bracelet", 7.0, 1)
    assert data["heart_rate"][0] == {"at_s": -10.0, "per_min": 70.0, "plausible": True}
    assert (data["holes"], data["missing"]) == ([], "")


@pytest.mark.parametrize(("rate_hz", "noise_mg"), [(52.0, 20), (250.0, 20), (250.0, 16_000)])
def test_it_is_below_a_batch_whatever_was_measured_and_the_impact_is_in_it(rate_hz: float, noise_mg: int) -> None:
    event = told(evidence(rate_hz, noise_mg))
    sent = wire.encode(row(event), gateway="g" * 32, now=NOW, online_since_s=0.0)
    assert len(sent) < BATCH_BYTES
    assert event.data["thinned"] == (2 if noise_mg > 1000 else 1)
    assert event.data["peak_g"] == largest_g(evidence(rate_hz, noise_mg).samples_mg)
    (piece,) = event.data["pieces"]
    at_impact = round(-piece["first_s"] * piece["rate_hz"])
    values = zlib.decompress(b64decode(event.data["samples"]))
    assert struct.unpack_from("<3h", values, at_impact * 6) == (7000, 0, 0)
    assert piece["rate_hz"] == rate_hz / event.data["thinned"]
    assert piece["n"] == len(values) // 6
    assert event.data["holes"] == []


def test_of_many_pieces_each_is_thinned_at_its_own_beginning() -> None:
    whole = evidence(250.0, 16_000, cuts=100)
    data = told(whole).data
    every = data["thinned"]
    assert every > 1
    starts = [piece["first_s"] for piece in data["pieces"]]
    assert all(start == pytest.approx(piece.first_s, abs=every / 250) for start, piece in
               zip(starts, whole.pieces, strict=True))
    assert sum(piece["n"] for piece in data["pieces"]) * 6 == len(zlib.decompress(b64decode(data["samples"])))
    assert len(msgspec.json.encode(data)) < BATCH_BYTES


def test_what_is_missing_says_why_and_has_one_hole() -> None:
    data = told(lacking(evidence(52.0), "the disk was full")).data
    assert (data["missing"], data["samples"], data["pieces"], data["heart_rate"]) == ("the disk was full", "", [], [])
    assert data["holes"] == [[-10.0, 20.0]]
    assert data["peak_g"] == 7.0


def test_it_departs_after_every_alarm_and_moves_none() -> None:
    event = told(evidence(52.0))
    assert (event.type, event.lane, event.subject, event.at) == (EventType.FALL_EVIDENCE, Lane.EVENT, "bracelet", AT)
    assert life.of(event.id) != "a" * 24


def test_kept_or_missing_it_is_one_event() -> None:
    assert told(evidence(52.0)).id == told(lacking(evidence(52.0), "stopped")).id
