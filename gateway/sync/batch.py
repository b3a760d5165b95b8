"""Batch: events that wait together travel together. Pure.

A batch is a JSON array of envelopes (CloudEvents 1.0, JSON format, "batch"), deflated (zlib, RFC 1950) where that makes
it shorter; one event by itself stays what it is. The first byte tells them apart, in every version of MQTT. What level
of zlib, and why no other way: docs/decisions/0011-batches.md.
"""

import zlib
from collections.abc import Iterator, Sequence

import msgspec

BATCH_BYTES = 48 * 1024
"""Of JSON, before it is deflated: what is lost with one packet on a bad link, and what a city must be able to take."""

LEVEL = 6
DEFLATED = b"\x78"
"""RFC 1950, 2.2: deflate with a window of 32 KiB, which is zlib's own."""

SINGLE_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"
DEFLATE = "deflate"
"""The name of this coding in RFC 9110, 8.4.1.2."""


class TooLarge(Exception):
    """An event does not fit even without its data."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"an event without its data takes {size_bytes} bytes")
        self.size_bytes = size_bytes


OPTIONAL = ("stampedtime", "stampedclock", "timeuncertaintyms", "timebound")
"""Attributes that go before any data where an event is too large: what happened matters more than how exactly when."""


def pack(envelopes: Sequence[bytes], room_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield publications (how many of the envelopes, payload) in order, none above `room_bytes`.

    Raises TooLarge in the turn of the envelope that is; what stands before it was yielded.
    """
    payload = _deflated(envelopes) if len(envelopes) > 1 else shortened(envelopes[0], room_bytes)
    if payload is not None and len(payload) <= room_bytes:
        yield len(envelopes), payload
    else:
        half = len(envelopes) // 2
        yield from pack(envelopes[:half], room_bytes)
        yield from pack(envelopes[half:], room_bytes)


def shortened(envelope: bytes, room_bytes: int) -> bytes:
    """Return the envelope, where it is too large without OPTIONAL and the largest values of its data, and saying so.

    An event that no broker takes would hold up its lane for ever. Raises TooLarge.
    """
    if len(envelope) <= room_bytes:
        return envelope
    fields = msgspec.json.decode(envelope)
    for name in OPTIONAL:
        if fields.pop(name, None) is not None and len(envelope := msgspec.json.encode(fields)) <= room_bytes:
            return envelope
    data: dict[str, object] = fields["data"]
    full_bytes = len(msgspec.json.encode(data))
    for key in sorted(data, key=lambda key: len(msgspec.json.encode(data[key])), reverse=True):
        del data[key]
        fields["dataomittedbytes"] = str(full_bytes - len(msgspec.json.encode(data)))
        envelope = msgspec.json.encode(fields)
        if len(envelope) <= room_bytes:
            return envelope
    raise TooLarge(len(envelope))


def content_type(payload: bytes) -> tuple[str, str]:
    """Return a payload's media type and its content coding, "" for none."""
    if payload[:1] == DEFLATED:
        return BATCH_TYPE, DEFLATE
    return (BATCH_TYPE if payload[:1] == b"[" else SINGLE_TYPE), ""


def _deflated(envelopes: Sequence[bytes]) -> bytes | None:
    """Return a batch in its shorter form; None above BATCH_BYTES."""
    payload = b"[%b]" % b",".join(envelopes)
    return min(payload, zlib.compress(payload, LEVEL), key=len) if len(payload) <= BATCH_BYTES else None
