"""A million rows wait: the store opens, memory stays small, an alarm goes first, the counts are right."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.model.event import Event, EventType, Lane
from gateway.runtime.ids import new_id
from gateway.store import Limits, Store
from hil.resources.process import rss_mb
from tests.system.broker import FlatClock, city, event, flat, mosquitto

ROWS = 1_000_000
LIMITS = Limits(max_bytes=4e9, min_free_bytes=0, telemetry_delay_s=0.0)
RSS_MB = 60


def rows(count: int) -> Iterator[tuple[Lane, int, str, bytes]]:
    """Summaries as the pipeline makes them, with the ids of the gateway."""
    at, encode = FlatClock().now(), msgspec.json.Encoder().encode
    data = {"kind": "heart_rate", "unit": "/min", "loinc": "8867-4", "span_s": 60.0, "n": 60, "implausible": 0,
            "min": 61.0, "median": 68.0, "max": 83.0}
    for seq in range(1, count + 1):
        found = Event(new_id(1_770_000_000.0 + seq), EventType.VITALS_SUMMARY, Lane.TELEMETRY, "bracelet", at, data)
        yield Lane.TELEMETRY, seq, found.id, encode(found)


def fill(path: Path, count: int) -> None:
    """Put rows into a closed file, as many commits would have done."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany("INSERT INTO outbox (lane, seq, id, body) VALUES (?, ?, ?, ?)", rows(count))
        database.commit()


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_a_million_rows_wait_and_an_alarm_goes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    await (await Store.open(state, LIMITS)).close()
    await asyncio.to_thread(fill, state / "anju.db", ROWS)
    before_mb, began_s = rss_mb(os.getpid()), time.monotonic()
    store = await Store.open(state, LIMITS)
    opened_s = time.monotonic() - began_s
    assert store.counts()[Lane.TELEMETRY].waiting == ROWS
    await store.append([event("alarm", Lane.ALARM)])
    await store.close()
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there:
        async with flat(state, broker.port, limits=LIMITS) as home:
            await home.until(lambda: len(home.received) > 10_000, 60.0)
            grown_mb = rss_mb(os.getpid()) - before_mb
        first, *others = await there.ids()
    assert first == "alarm"
    store = await Store.open(state, LIMITS)
    settled = ROWS - store.counts()[Lane.TELEMETRY].waiting
    assert store.counts()[Lane.ALARM].waiting == 0
    assert set(home.received) <= {"alarm", *others}
    assert len(home.received) - 1 <= settled <= len(others)
    (row,) = await store.next_rows({Lane.TELEMETRY: 0}, 1)
    assert row.seq == row.settled + 1 == settled + 1
    assert store.faults() == ()
    await store.close()
    assert grown_mb < RSS_MB
    size_mb = (state / "anju.db").stat().st_size / 1e6
    with capsys.disabled():
        print(f"\n{ROWS} rows, {size_mb:.0f} MB: opened in {opened_s:.2f} s, {grown_mb:.0f} MB more memory")
