"""Delivery: a backlog drains, an alarm stands behind it, a row is damaged. Both products run the whole way up.

Anju's figure ends when the city's application has committed (and, for a drain, has been believed), ThingsBoard's when
the broker has the event (and its row is deleted): its protocol has no answer of the application.
"""

import asyncio
import contextlib
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from gateway.model.event import Lane
from gateway.store import Store
from hil.resources.proxy import Proxy
from tests.bench.lab import Lab
from tests.bench.thingsboard.chain import PeerGateway, peer_gateway, platform
from tests.bench.thingsboard.comparison import HIGHER, LOWER, Comparison
from tests.bench.thingsboard.events import ALARM_DEVICE, event, event_id, template
from tests.bench.thingsboard.writer import writer
from tests.system.broker import HOST, CityHandle, Flat, city, flat, mosquitto

BACKLOG = 60_000
IN_ONE = 1000
WAITING, OUTAGES_S = 6000, (6.0, 9.0, 12.0)
GOOD, CORRUPT_S = 40, 60.0
TORN = '{"deviceName":"door-1","telem'
_CONNECT_S, _ALL_S = 60.0, 90.0


async def drain(lab: Lab) -> list[Comparison]:
    count = lab.size(BACKLOG, least=5000)
    with lab.room() as room:
        ours, theirs = await _our_drain(room, count), await _peer_drain(room, count)
    why = (f"{count:,} events. ThingsBoard: up to 1,000 events a message, each no more than its moment and its values; "
           "settled when the broker has it, whether or not an application ever gets it. Anju: each event with id, "
           "number and device, in smaller batches; settled when the city's application has written it "
           "(synchronous=FULL) and said so")
    return [Comparison("a backlog drains, settled", "events/s", HIGHER, ours, theirs, why)]


async def _our_drain(room: Path, count: int) -> float:
    store = await Store.open(room / "state")
    for first in range(0, count, IN_ONE):
        await store.append([event(number) for number in range(first, min(count, first + IN_ONE))])
    await store.close()
    async with mosquitto(room, "max_queued_messages 0") as broker, city(room, broker.port), \
            flat(room / "state", broker.port) as home:
        await home.until(lambda: len(home.received) > 0)
        first, begun_s = len(home.received), time.monotonic()
        await home.until(lambda: len(home.received) >= count, _ALL_S)
        return (count - first) / (time.monotonic() - begun_s)


async def _peer_drain(room: Path, count: int) -> float:
    folder = room / "drain"
    async with writer(True, room / "fill", capacity=count, folder=folder / "data") as process:
        await process.write(count)
        await process.ask("close")
    async with mosquitto(room) as sensors, platform(room) as where, \
            peer_gateway(folder, where, sensors.port) as gateway:
        await gateway.ready()
        await where.until(lambda: len(where.arrived) > 0, _CONNECT_S)
        first, begun_s = len(where.arrived), time.monotonic()
        await where.until(lambda: len(where.arrived) >= count, _ALL_S)
        await gateway.until_stored(lambda rows: rows == 0, _ALL_S)
        return (count - first) / (time.monotonic() - begun_s)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How long an alarm took from the link's return, and how much of that from the moment the gateway had connected.

    `later_than`: how many of the events that waited had arrived before it.
    """

    after_s: float
    connected_s: float
    later_than: int


async def alarm(lab: Lab) -> list[Comparison]:
    """Both lose the link at once; it returns to one, and when that is done to the other."""
    waiting = lab.size(WAITING, least=500)
    arrivals: dict[bool, list[Arrival]] = {False: [], True: []}
    with lab.room() as room:
        async with AsyncExitStack() as stack:
            sensors, broker = [await stack.enter_async_context(mosquitto(room, "max_queued_messages 0"))
                               for _ in range(2)]
            where = await stack.enter_async_context(platform(room))
            links = {False: Proxy(HOST, broker.port), True: Proxy(HOST, where.port)}
            for link in links.values():
                await link.start()
                stack.push_async_callback(link.close)
            there = await stack.enter_async_context(city(room, broker.port))
            home = await stack.enter_async_context(flat(room / "state", links[False].port))
            gateway = await stack.enter_async_context(
                peer_gateway(room / "alarm", where, sensors.port, links[True].port))
            await home.until_state("connected", _CONNECT_S)
            await gateway.ready()
            await _greet(gateway)
            for number, outage_s in enumerate(OUTAGES_S):
                first = 100_000 * (number + 1)
                for link in links.values():
                    await link.cut()
                cut_s = time.monotonic()
                await _fill(home, first, waiting)
                await _fill_peer(gateway, first, waiting)
                await asyncio.sleep(max(0.0, cut_s + outage_s - time.monotonic()))
                arrivals[True].append(await _peer_returns(gateway, links[True], first, waiting))
                arrivals[False].append(await _home_returns(home, there, links[False], first, waiting))
    before = " and ".join(f"{name} after {statistics.median(a.later_than for a in found):,.0f} of {waiting:,}"
                          for name, found in (("Anju's came", arrivals[False]), ("ThingsBoard's", arrivals[True])))
    each = " and ".join("/".join(f"{arrival.after_s:.1f}" for arrival in found) for found in arrivals.values())
    waits = (f"Raised last, in {len(OUTAGES_S)} outages; each took {each} s. ThingsBoard: the pause before it connects "
             "again doubles up to 120 s. Anju: no pause of more than 4 s while an alarm waits")
    order = (f"{before}. ThingsBoard: one queue, in the order of arrival. Anju: a lane for alarms that leaves first; "
             "its figure ends with the city's commit")
    name = f"alarm behind {waiting:,} events"
    ours, theirs = arrivals[False], arrivals[True]
    return [
        Comparison(f"{name}, from the link's return", "s", LOWER, statistics.median(a.after_s for a in ours),
                   statistics.median(a.after_s for a in theirs), waits),
        Comparison(f"{name}, from the next connection", "s", LOWER, statistics.median(a.connected_s for a in ours),
                   statistics.median(a.connected_s for a in theirs), order),
    ]


async def _greet(gateway: PeerGateway) -> None:
    """Make both devices known, as they are in a home that has been online."""
    for number, device in enumerate((ALARM_DEVICE, "door-1")):
        await gateway.send([number], device)
    if not await gateway.platform.until(lambda: {0, 1} <= gateway.platform.arrived.keys(), _CONNECT_S):
        raise TimeoutError(f"the peer's gateway passes nothing on: see {gateway.program.log}")


async def _fill(home: Flat, first: int, waiting: int) -> None:
    for start in range(first, first + waiting, IN_ONE):
        await home.store.append([event(number) for number in range(start, min(first + waiting, start + IN_ONE))])
    await home.store.append([event(first + waiting, Lane.ALARM)])


async def _fill_peer(gateway: PeerGateway, first: int, waiting: int) -> None:
    await gateway.send(range(first, first + waiting))
    await gateway.until_stored(lambda rows: rows >= waiting, _ALL_S)
    await gateway.send([first + waiting], ALARM_DEVICE)
    await gateway.until_stored(lambda rows: rows >= waiting + 1, _ALL_S)


async def _peer_returns(gateway: PeerGateway, link: Proxy, first: int, waiting: int) -> Arrival:
    await link.heal()
    begun_s, arrived = time.monotonic(), gateway.platform.arrived
    if not await gateway.platform.until(lambda: first + waiting in arrived, _ALL_S):
        raise TimeoutError(f"the peer's alarm did not arrive: see {gateway.program.log}")
    at_s = arrived[first + waiting]
    connected_s = next(moment for moment in gateway.platform.sessions_s if moment >= begun_s)
    before = sum(arrived.get(number, at_s) < at_s for number in range(first, first + waiting))
    await gateway.until_stored(lambda rows: rows == 0, _ALL_S)
    return Arrival(at_s - begun_s, at_s - connected_s, before)


async def _home_returns(home: Flat, there: CityHandle, link: Proxy, first: int, waiting: int) -> Arrival:
    await link.heal()
    begun_s = time.monotonic()
    ids = {event_id(number) for number in range(first, first + waiting + 1)}
    await home.until(lambda: ids <= set(home.received), _ALL_S)
    committed_s = {found["id"]: found["committed_mono_s"] for found in (await there("events"))["events"]}
    at_s = committed_s[event_id(first + waiting)]
    connected_s = home.uplink.health()["since_mono_s"]
    before = sum(committed_s[event_id(number)] < at_s for number in range(first, first + waiting))
    return Arrival(at_s - begun_s, at_s - connected_s, before)


async def corrupt(lab: Lab) -> list[Comparison]:
    """A torn row lies there at the start. Then 40 events come; and, elsewhere, 40 wait behind it already."""
    with lab.room() as room:
        (alone, errors), (among, _), ours = await asyncio.gather(
            _peer_with_torn(room, "alone", later=True), _peer_with_torn(room, "among", later=False),
            _home_with_torn(room / "home"))
    why = ("ThingsBoard: a pack of nothing but a row that is no JSON is never done: it is taken again at once, for "
           f"ever ({errors:,} lines of errors), and what comes later is never read. Anju: a fault takes the row's "
           "number, and the next ones go on")
    level = "ThingsBoard skips the row where a sound one of the same pack is sent; Anju tells that it was there"
    return [
        Comparison(f"a damaged row at start, then {GOOD} events: delivered in {CORRUPT_S:g} s", "events", HIGHER,
                   ours[0], alone, why),
        Comparison(f"a damaged row at start among {GOOD} events: delivered in {CORRUPT_S:g} s", "events", HIGHER,
                   ours[1], among, level),
    ]


async def _peer_with_torn(room: Path, name: str, later: bool) -> tuple[int, int]:
    """Return how many arrived, and the lines of errors."""
    folder, place = room / name, room / f"{name}-broker"
    place.mkdir()
    async with writer(True, room / f"{name}-fill", capacity=GOOD, folder=folder / "data") as process:
        await process.ask("close")
    rows = [TORN] if later else [TORN, *(template() % (number, number) for number in range(GOOD))]
    with closing(sqlite3.connect(folder / "data" / "data.db")) as base, base:
        base.executemany("INSERT INTO messages (timestamp, message) VALUES (?, ?)",
                         [(int(time.time() * 1000), row) for row in rows])
    async with mosquitto(place) as sensors, platform(place) as where, \
            peer_gateway(folder, where, sensors.port) as gateway:
        begun_s = time.monotonic()
        await gateway.ready()
        if later:
            await asyncio.sleep(1.0)
            await gateway.send(range(GOOD))
        await where.until(lambda: len(where.arrived) >= GOOD, begun_s + CORRUPT_S - time.monotonic())
        return len(where.arrived), await asyncio.to_thread(gateway.error_lines)


async def _home_with_torn(room: Path) -> Sequence[int]:
    """Return how many arrived that came later, and how many that waited behind it."""
    found = []
    for name, later in (("alone", True), ("among", False)):
        place = room / name
        place.mkdir(parents=True)
        store = await Store.open(place / "state")
        await store.append([event(GOOD), *([] if later else [event(number) for number in range(GOOD)])])
        await store.close()
        with closing(sqlite3.connect(place / "state" / "anju.db")) as base, base:
            base.execute("UPDATE outbox SET body = ? WHERE id = ?", (b'{"id":"e00', event_id(GOOD)))
        async with mosquitto(place) as broker, city(place, broker.port) as there, \
                flat(place / "state", broker.port) as home:
            if later:
                await home.until_state("connected", CORRUPT_S)
                await home.store.append([event(number) for number in range(GOOD)])
            good = {event_id(number) for number in range(GOOD)}
            with contextlib.suppress(TimeoutError):
                await home.until(lambda: good <= set(home.received), CORRUPT_S)  # noqa: B023 - awaited at once
            found.append(len(good & set(await there.ids())))
    return found
