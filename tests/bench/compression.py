"""Bytes an event costs on the line, and what packing it costs: `python -m tests.bench.compression`.

An ordinary day's telemetry: four bracelets, each telling heart rate, temperature and battery of every minute; what
gathers in the store's 30 s travels together. "wire" adds what MQTT 5 puts around a payload.
"""

import contextlib
import importlib
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from gateway.model.event import Event, EventType, Lane
from gateway.model.reading import UNIT_OF, QuantityKind
from gateway.model.time import ClockQuality, Stamp
from gateway.runtime.ids import new_id
from gateway.store import Row
from gateway.sync import batch, wire

GATEWAY = "flat-12"
BRACELETS = [f"bracelet-{room}" for room in ("bedroom", "bath", "kitchen", "living")]
VITALS = [(QuantityKind.HEART_RATE, "8867-4", 62, 84), (QuantityKind.TEMPERATURE, "8310-5", 32, 35),
          (QuantityKind.BATTERY, None, 40, 90)]
DAY_MIN, GATHER_S, MINUTE_S = 1440, 30, 60
START = Stamp("0b0e7a52-6b7f-4f0e-9d3e-6f3f8f1f2a10", 81234.0, 1_770_000_000.0, ClockQuality.SYNCED)
ROUNDS = 5


def day() -> Iterator[list[bytes]]:
    """Yield the envelopes of each half minute, as the uplink would encode them."""
    chance = random.Random(11)
    seq = 0
    for minute in range(DAY_MIN):
        due_s = {name: place * MINUTE_S / len(BRACELETS) for place, name in enumerate(BRACELETS)}
        for half in range(MINUTE_S // GATHER_S):
            envelopes = []
            for name, at_s in due_s.items():
                if int(at_s // GATHER_S) != half:
                    continue
                past_s = minute * MINUTE_S + at_s + chance.random()
                at = Stamp(START.boot_id, START.mono_s + past_s, (START.wall_s or 0) + past_s, START.quality)
                for kind, loinc, low, high in VITALS:
                    seq += 1
                    middle = chance.uniform(low, high)
                    least, most = middle - chance.random() * 4, middle + chance.random() * 4
                    data = {"kind": kind, "unit": UNIT_OF[kind], "loinc": loinc, "span_s": 60.0,
                            "n": chance.randint(40, 60), "implausible": 0, "min": round(least, 1),
                            "median": round(middle, 1), "max": round(most, 1)}
                    event = Event(new_id(at.wall_s or 0.0), EventType.VITALS_SUMMARY, Lane.TELEMETRY, name, at, data)
                    row = Row("9c1f0a6be2d34c55", Lane.TELEMETRY, seq, seq - 1, event)
                    envelopes.append(wire.encode(row, gateway=GATEWAY, now=at, online_since_s=0.0))
            yield envelopes


def full(envelopes: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield batches of a backlog, as they drain after an outage."""
    while chunk := list(islice(envelopes, 32)):
        yield chunk


def around(payload: bytes) -> int:
    """Bytes of a PUBLISH besides its payload: MQTT 5, 3.3."""
    topic = wire.up_topic(GATEWAY, Lane.TELEMETRY)
    media, coding = batch.content_type(payload)
    properties = 3 + len(media) + (5 + len("content-encoding") + len(coding) if coding else 0)
    length = 2 + len(topic) + 2 + 1 + properties + len(payload)
    return length - len(payload) + 1 + (1 if length < 128 else 2 if length < 16_384 else 3)


def measured(batches: list[list[bytes]], pack: Callable[[list[bytes]], list[bytes]]) -> dict[str, float]:
    """Bytes and microseconds an event, packing all of it ROUNDS times and keeping the quickest."""
    events = sum(len(envelopes) for envelopes in batches)
    quickest_s = float("inf")
    for _ in range(ROUNDS):
        begun_s = time.process_time()
        payloads = [payload for envelopes in batches for payload in pack(envelopes)]
        quickest_s = min(quickest_s, time.process_time() - begun_s)
    return {"bytes": round(sum(map(len, payloads)) / events, 1),
            "wire_bytes": round(sum(len(p) + around(p) for p in payloads) / events, 1),
            "cpu_us": round(quickest_s / events * 1e6, 2)}


def array(envelopes: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(envelopes)


def ways() -> dict[str, Callable[[list[bytes]], list[bytes]]]:
    """The ways to send, by name."""
    found: dict[str, Callable[[list[bytes]], list[bytes]]] = {"plain": lambda envelopes: envelopes,
                                                              "batched": lambda envelopes: [array(envelopes)]}
    for level in (1, 6, 9):
        found[f"zlib {level}"] = _each(partial(zlib.compress, level=level))
    for name in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            found["zstd 3"] = _each(partial(importlib.import_module(name).compress, level=3))
    return found


def _each(compress: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda envelopes: [compress(array(envelopes))]


def main() -> None:
    halves = list(day())
    backlog = list(full(envelope for envelopes in halves for envelope in envelopes))
    found: dict[str, object] = {"events": sum(map(len, halves)), "events_in_30_s": len(halves[0])}
    for name, batches in (("what gathers in 30 s", halves), ("a backlog, 32 at a time", backlog)):
        found[name] = {way: measured(batches, pack) for way, pack in ways().items()}
    if "zstd 3" not in ways():
        found["zstd"] = "not importable here: it came to Python's own library with 3.14"
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
