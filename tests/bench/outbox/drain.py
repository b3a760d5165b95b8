"""A backlog drains: from the store through broker and city to the last acknowledgement, beside a bare publisher.

The floor sends the same events' JSON, one by one, with the gateway's window and QoS 1, through the same broker to the
same city, and is done at its last PUBACK: it reads no store, awaits no city and settles nothing. Rounds alternate: the
gateway drains a part, stops; the publisher sends as much.
"""

import asyncio
import contextlib
import itertools
import secrets
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt

from gateway.model.event import Event, Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Row as OutboxRow
from gateway.sync import wire
from gateway.sync.session import IN_FLIGHT
from tests.bench.lab import Lab
from tests.bench.outbox.load import BOOT, events, filled
from tests.bench.result import Row, at_least, compared
from tests.system.broker import HOST, CityHandle, city, flat, mosquitto

LIMIT = at_least(0.7)
BACKLOG = 200_000
LANES = (Lane.EVENT, Lane.TELEMETRY)
ROUNDS = 6  # a lane: short ones, for a shared machine's mood changes within seconds
ENOUGH = 0.98  # of a round: the rest travels when the round's clock has stopped
BARE_GATEWAY = "flat-13"


class BarePublisher:
    """Sends envelopes as a gateway of another name."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(8)
        self._seq = {lane: itertools.count(1) for lane in Lane}

    def envelopes(self, found: Iterator[Event]) -> list[tuple[str, bytes]]:
        """Return topic and payload of each event."""
        now = Stamp(BOOT, 1e6, 1_771_000_000.0, ClockQuality.SYNCED)
        return [(wire.up_topic(BARE_GATEWAY, one.lane),
                 wire.encode(OutboxRow(self._epoch, one.lane, seq, seq - 1, one), gateway=BARE_GATEWAY, now=now,
                             online_since_s=1e6))
                for one in found for seq in [next(self._seq[one.lane])]]

    async def send(self, port: int, envelopes: Sequence[tuple[str, bytes]]) -> float:
        """Return the events a second, up to the last PUBACK."""
        quick = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        async with aiomqtt.Client(HOST, port, identifier=BARE_GATEWAY, protocol=aiomqtt.ProtocolVersion.V5,
                                  socket_options=quick) as client:
            client.pending_calls_threshold = IN_FLIGHT + 1
            waiting = iter(envelopes)

            async def slot() -> None:
                for topic, payload in waiting:
                    await client.publish(topic, payload, qos=1)

            begun_s = time.perf_counter()
            await asyncio.gather(*(slot() for _ in range(IN_FLIGHT)))
            return len(envelopes) / (time.perf_counter() - begun_s)


async def drained(folder: Path, port: int, count: int) -> float:
    """Run the gateway's uplink on a store until the city has acknowledged `count` more; return the events a second."""
    async with flat(folder, port) as home:
        def received() -> int:
            return int(home.uplink.health()["received"])

        async def until(number: int) -> tuple[int, float]:
            while received() < number:
                home.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await home.changed.wait()
            return received(), time.perf_counter()

        async with asyncio.timeout(300):
            first, first_s = await until(1)
            last, last_s = await until(int(count * ENOUGH))
        return (last - first) / (last_s - first_s)


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[tuple[int, CityHandle]]:
    """A broker that drops nothing and a city; yields the broker's port."""
    async with mosquitto(folder, "max_queued_messages 0") as broker, city(folder, broker.port) as there:
        yield broker.port, there


async def quiet(there: CityHandle) -> None:
    """Wait until the city has committed all that the broker holds for it."""
    before = -1
    while (received := (await there("stats"))["received"]) != before:
        before = received
        await asyncio.sleep(0.5)


async def run(lab: Lab) -> list[Row]:
    part = lab.size(BACKLOG) // (len(LANES) * ROUNDS)
    figures: dict[Lane, tuple[list[float], list[float]]] = {lane: ([], []) for lane in LANES}
    bare, numbers = BarePublisher(), itertools.count(10**7, part)
    with lab.room() as folder:
        await filled(folder / "state", LANES, part * ROUNDS * len(LANES))
        async with town(folder) as (port, there):
            for lane in LANES:  # the event lane departs first
                for _ in range(ROUNDS):
                    figures[lane][0].append(await drained(folder / "state", port, part))
                    await quiet(there)
                    figures[lane][1].append(await bare.send(port, bare.envelopes(events(lane, part, next(numbers)))))
                    await quiet(there)
            stats = await there("stats")
    assert not stats["garbage"], stats["garbage"]
    ours, theirs = ([rate for lane in LANES for rate in figures[lane][way]] for way in (0, 1))
    return [compared("drain, events", "events/s", *figures[Lane.EVENT], LIMIT),
            compared("drain, telemetry", "events/s", *figures[Lane.TELEMETRY], LIMIT),
            Row(f"drain, all {part * len(ours):,}", statistics.harmonic_mean(ours), "events/s",
                statistics.harmonic_mean(theirs), LIMIT, (min(ours), max(ours)), (min(theirs), max(theirs)))]
