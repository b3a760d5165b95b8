"""The wire format: what goes up says what it knows about time; what comes down is believed only if it is right."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.command import Command, Verb
from gateway.model.event import Event, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Row
from gateway.sync import wire
from tests.unit.sync.kit import BOOT, NOW, event, row

finite = st.floats(allow_nan=False, allow_infinity=False)
stamps = st.builds(Stamp, st.sampled_from([BOOT, "boot-0"]), finite, st.none() | finite, st.sampled_from(ClockQuality))
data = st.dictionaries(st.text(), st.none() | st.booleans() | finite | st.text(), max_size=4)
events = st.builds(Event, st.text(min_size=1), st.text(min_size=1), st.sampled_from(Lane), st.text(), stamps, data)


def sent(taken: Event, now: Stamp = NOW, online_since_s: float = 0.0, **numbers: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        wire.encode(row(taken, **numbers), gateway="flat-12", now=now, online_since_s=online_since_s)
    )
    return told


def test_an_event_becomes_a_cloudevent() -> None:
    assert sent(event()) == {
        "specversion": "1.0", "id": "e1", "source": "anju/flat-12", "type": "anju.sensor.changed", "subject": "door",
        "datacontenttype": "application/json", "time": "2026-02-02T02:40:00.000Z", "lane": "event",
        "sequence": "0000000000000007", "settledupto": "0000000000000006", "epoch": "epoch-1", "boot": BOOT,
        "monotonicms": "1000000", "clock": "synced", "historical": False, "data": {"kind": "contact", "active": True},
    }


def test_a_gap_record_says_which_numbers_it_stands_for() -> None:
    gap = Row("epoch-1", Lane.EVENT, 260, 4, event(), first=5)
    told = json.loads(wire.encode(gap, gateway="flat-12", now=NOW, online_since_s=0.0))
    assert (told["sequencefrom"], told["sequence"]) == ("0000000000000005", "0000000000000260")
    assert "sequencefrom" not in sent(event())


@given(events, st.integers(1, 10**15), st.integers(0, 10**15))
def test_every_event_survives_the_wire(taken: Event, seq: int, settled: int) -> None:
    payload = wire.encode(row(taken, seq, settled), gateway="g", now=NOW, online_since_s=0.0)
    envelope = msgspec.json.decode(payload, type=wire.Envelope)
    assert (envelope.id, envelope.type, envelope.subject, envelope.data) == (
        taken.id, taken.type, taken.subject, taken.data)
    assert (int(envelope.sequence), int(envelope.settledupto)) == (seq, settled)
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in json.loads(payload))


def test_the_clock_unset_and_never_set_since_gives_no_time() -> None:
    undated = Stamp(BOOT, 5.0, 12.0, ClockQuality.UNSET)
    told = sent(event(at=undated), now=Stamp(BOOT, 9.0, 16.0, ClockQuality.UNSET))
    assert "time" not in told
    assert told["clock"] == "unset"


@pytest.mark.parametrize("quality", [ClockQuality.UNSET, ClockQuality.RESTORED])
def test_a_time_taken_before_the_clock_was_synced_is_computed_and_the_original_kept(quality: ClockQuality) -> None:
    told = sent(event(at=Stamp(BOOT, 400.0, 1_600_000_000.0, quality)))
    assert told["time"] == "2026-02-02T02:30:00.000Z"
    assert told["clock"] == "synced"
    assert told["stampedtime"] == "2020-09-13T12:26:40.000Z"
    assert told["stampedclock"] == quality.value


def test_a_time_of_an_earlier_boot_stays_as_it_was() -> None:
    told = sent(event(at=Stamp("boot-0", 400.0, 1_600_000_000.0, ClockQuality.RESTORED)))
    assert (told["time"], told["clock"]) == ("2020-09-13T12:26:40.000Z", "restored")
    assert "stampedtime" not in told


@pytest.mark.parametrize(("at_s", "boot", "historical"), [
    (499.0, BOOT, True), (501.0, BOOT, False), (501.0, "boot-0", True),
])
def test_what_was_taken_before_the_present_connection_is_historical(at_s: float, boot: str, historical: bool) -> None:
    taken = event(at=Stamp(boot, at_s, None, ClockQuality.UNSET))
    assert sent(taken, online_since_s=500.0)["historical"] is historical


@pytest.mark.parametrize("wall_s", [float("nan"), float("inf"), 1e300, -1e300])
def test_a_moment_that_no_calendar_has_is_left_out(wall_s: float) -> None:
    assert "time" not in sent(event(at=Stamp("boot-0", 1.0, wall_s, ClockQuality.SYNCED)))


def test_an_acknowledgement_is_read() -> None:
    ack = wire.decode_ack(b'{"epoch": "x", "lane": "telemetry", "upto": 9, "id": "e9", "later": [1]}')
    assert (ack.epoch, ack.of_lane, ack.upto, ack.id) == ("x", Lane.TELEMETRY, 9, "e9")


@pytest.mark.parametrize("payload", [
    b"", b"{}", b"[]", b"null", b"\xff", b'{"epoch":"x","lane":"alarm"}', b'{"epoch":"","lane":"alarm","upto":1}',
    b'{"epoch":"x","lane":"alarm","upto":0}', b'{"epoch":"x","lane":"alarm","upto":"1"}',
    b'{"epoch":"x","lane":"alarm","upto":1.5}', b'{"epoch":"x","lane":"ALARM","upto":1}',
    b'{"epoch":"x","lane":"alarm","upto":99999999999999999999}',
    b'{"epoch":"x","lane":"alarm","upto":1,"pad":"' + b"x" * 1024 + b'"}',
])
def test_a_wrong_acknowledgement_is_refused(payload: bytes) -> None:
    with pytest.raises(wire.WireError, match=r"docs/protocol\.md$"):
        wire.decode_ack(payload)


def test_a_command_is_read() -> None:
    payload = b'{"id": "c1", "verb": "close_alarm", "target": "a/1", "expires_s": 1770000060}'
    assert wire.decode_command(payload) == Command("c1", Verb.CLOSE_ALARM, "a/1", 1_770_000_060.0)


@pytest.mark.parametrize("change", [
    {"verb": "explode"}, {"id": ""}, {"id": "x" * 129}, {"target": ""}, {"expires_s": "soon"}, {"more": 1},
    {"target": "x" * 20_000}, {"id": None},
])
def test_a_wrong_command_is_refused(change: dict[str, Any]) -> None:
    good = {"id": "c1", "verb": "close_alarm", "target": "a", "expires_s": 1}
    with pytest.raises(wire.WireError):
        wire.decode_command(json.dumps(good | change).encode())


@given(st.binary(max_size=2000) | st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["epoch", "lane", "upto", "id", "verb", "target", "expires_s"]), inner), max_leaves=8,
).map(lambda value: json.dumps(value).encode()))
def test_no_bytes_raise_anything_but_a_wire_error(payload: bytes) -> None:
    for decode in (wire.decode_ack, wire.decode_command):
        with contextlib.suppress(wire.WireError):
            decode(payload)
