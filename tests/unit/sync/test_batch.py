"""Batches: what waits together travels together, in order, and never in a packet that the broker would refuse."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.event import Event, Lane
from gateway.sync import wire
from gateway.sync.batch import BATCH_BYTES, TooLarge, content_type, pack, shortened
from gateway.sync.session import PACKET_BYTES
from tests.unit.sync.kit import NOW, event, row


def envelope(seq: int, taken: Event | None = None) -> bytes:
    return wire.encode(row(taken or event(f"e{seq}"), seq), gateway="flat-12", now=NOW, online_since_s=0.0)


def loud(seq: int, size_bytes: int) -> bytes:
    """An envelope that no coding makes much shorter."""
    numbers = range(seq * 10_000, seq * 10_000 + size_bytes // 8)
    noise = "".join(f"{number * 2_654_435_761 % 2**32:08x}" for number in numbers)
    return envelope(seq, Event(f"e{seq}", "t", Lane.EVENT, "door", NOW, {"noise": noise, "kind": "contact"}))


def told(payload: bytes) -> list[dict[str, Any]]:
    plain = zlib.decompress(payload) if payload[:1] == b"\x78" else payload
    found = json.loads(plain)
    return found if plain[:1] == b"[" else [found]


def test_one_event_by_itself_stays_what_it_is() -> None:
    assert list(pack([envelope(1)], PACKET_BYTES)) == [(1, envelope(1))]


def test_what_waits_together_is_one_deflated_array_in_order() -> None:
    envelopes = [envelope(seq) for seq in range(1, 33)]
    ((count, payload),) = pack(envelopes, PACKET_BYTES)
    assert count == 32
    assert payload[:1] == b"\x78"
    assert told(payload) == [json.loads(one) for one in envelopes]
    assert len(payload) < sum(map(len, envelopes)) / 4


def test_a_batch_that_deflating_would_lengthen_stays_plain() -> None:
    assert list(pack([b"1", b"2"], PACKET_BYTES)) == [(2, b"[1,2]")]


def test_no_batch_holds_more_json_than_a_city_must_take() -> None:
    envelopes = [loud(seq, 5000) for seq in range(32)]
    packed = list(pack(envelopes, PACKET_BYTES))
    assert len(packed) > 1
    assert [found["id"] for _, payload in packed for found in told(payload)] == [f"e{seq}" for seq in range(32)]
    assert all(len(json.dumps(told(payload))) <= BATCH_BYTES * 1.1 for _, payload in packed)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=32), st.integers(700, 6000))
def test_no_packet_is_larger_than_the_broker_takes_and_none_is_left_out(sizes: list[int], room_bytes: int) -> None:
    envelopes = [loud(seq, size) for seq, size in enumerate(sizes)]
    packed = list(pack(envelopes, room_bytes))
    assert all(len(payload) <= room_bytes for _, payload in packed)
    assert [found["id"] for _, payload in packed for found in told(payload)] == [f"e{seq}" for seq in range(len(sizes))]
    assert [count for count, _ in packed] == [len(told(payload)) for _, payload in packed]


def test_an_event_too_large_even_alone_goes_without_its_largest_data_and_says_so() -> None:
    ((count, payload),) = pack([loud(1, 4000)], 1000)
    (found,) = told(payload)
    whole = json.loads(loud(1, 4000))
    assert count == 1
    assert found["data"] == {"kind": "contact"}
    assert int(found["dataomittedbytes"]) >= 4000
    assert {key: value for key, value in found.items() if key not in ("data", "dataomittedbytes")} == {
        key: value for key, value in whole.items() if key != "data"}


def test_an_event_that_fits_is_not_touched() -> None:
    whole = loud(1, 4000)
    assert shortened(whole, len(whole)) is whole


def test_a_packet_too_small_for_any_event_is_told() -> None:
    with pytest.raises(TooLarge) as refused:
        list(pack([envelope(1), envelope(2)], 100))
    assert refused.value.size_bytes > 100


def test_what_stands_in_front_of_an_event_too_large_is_packed() -> None:
    hopeless = envelope(3, event("".join(f"{number * 2_654_435_761 % 2**32:08x}" for number in range(500))))
    packing = pack([envelope(1), envelope(2), hopeless], 700)
    assert [found["id"] for _, payload in (next(packing), next(packing)) for found in told(payload)] == ["e1", "e2"]
    with pytest.raises(TooLarge):
        next(packing)


def test_how_exactly_it_happened_goes_before_what_happened() -> None:
    whole = json.loads(envelope(1)) | {
        "stampedtime": "2026-01-01T00:00:00.000Z", "stampedclock": "unset", "timebound": "latest",
        "timeuncertaintyms": "5000"}
    large = json.dumps(whole, separators=(",", ":")).encode()
    shorter = json.loads(shortened(large, len(large) - 60))
    assert (shorter["data"], "dataomittedbytes" in shorter) == (whole["data"], False)
    assert set(whole) - set(shorter) >= {"stampedtime", "stampedclock"}


def test_the_first_byte_tells_how_a_payload_travels() -> None:
    many = [envelope(seq) for seq in range(3)]
    assert content_type(envelope(1)) == ("application/cloudevents+json", "")
    assert content_type(b"[%b]" % b",".join(many)) == ("application/cloudevents-batch+json", "")
    assert content_type(next(pack(many, PACKET_BYTES))[1]) == ("application/cloudevents-batch+json", "deflate")
    assert all(zlib.compress(b"x" * 100, level)[:1] == b"\x78" for level in range(10))
