"""What an ordinary day at home writes to the disk: every byte wears the card.

Four bracelets tell heart rate, temperature and battery of every minute; twenty sensors change some 1,500 times, mostly
by day and in pairs; three alarms run their course; the detectors save their state every five minutes; the city
acknowledges everything at once. The day passes FASTER times as fast, and the store's delay is divided by as much. A
commit takes a second or so of that day, which groups a little more than the real day would, well below the 30 s that
the store groups anyway; what an idle store looks after every two seconds comes rarer: some fsyncs fewer, no bytes.
"""

import asyncio
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.model.alarm import Alarm, AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import UNIT_OF, QuantityKind
from gateway.model.time import Boot, ClockQuality, Stamp
from gateway.runtime.ids import new_id
from gateway.runtime.pipeline import SAVE_TICKS, TICK_S
from gateway.store import Limits, Store
from tests.bench.lab import Lab
from tests.bench.outbox.load import BEGAN_WALL_S, BOOT
from tests.bench.result import Row, at_most

LIMIT = at_most(50.0)  # MB
FASTER = 1440  # a day in a minute
DAY_S = 86_400.0
BRACELETS, SENSORS, CHANGES, ALARMS = 4, 20, 1500, 3
VITALS = ((QuantityKind.HEART_RATE, "8867-4", 62, 84), (QuantityKind.TEMPERATURE, "8310-5", 32, 35),
          (QuantityKind.BATTERY, None, 40, 90))
ACK_S = 0.1  # a city's answer over a mobile link
DETECTORS_BYTES = 600
RISES_S, SLEEPS_S = 6.5 * 3600, 22.5 * 3600
BY_NIGHT = 0.1  # of the changes


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """What happens at a second of the day: events and an alarm for one commit, or the detectors' state."""

    at_s: float
    place: int
    events: tuple[Event, ...] = ()
    alarm: Alarm | None = None


def stamp(at_s: float) -> Stamp:
    return Stamp(BOOT, at_s, BEGAN_WALL_S + at_s, ClockQuality.SYNCED)


def bracelets(chance: random.Random) -> Iterator[Moment]:
    for minute in range(int(DAY_S // 60)):
        for number in range(BRACELETS):
            at = stamp(minute * 60 + number * 60 / BRACELETS + chance.random())
            summaries = []
            for kind, loinc, low, high in VITALS:
                middle = chance.uniform(low, high)
                data = {"kind": kind, "unit": UNIT_OF[kind], "loinc": loinc, "span_s": 60.0,
                        "n": chance.randint(40, 60), "implausible": 0, "min": round(middle - chance.random() * 4, 1),
                        "median": round(middle, 1), "max": round(middle + chance.random() * 4, 1)}
                summaries.append(Event(new_id(at.wall_s or 0.0), EventType.VITALS_SUMMARY, Lane.TELEMETRY,
                                       f"bracelet-{number}", at, data))
            yield Moment(at.mono_s, 0, tuple(summaries))


def sensors(chance: random.Random) -> Iterator[Moment]:
    for _ in range(CHANGES // 2):
        night = chance.random() < BY_NIGHT
        begins_s = (chance.uniform(SLEEPS_S, RISES_S + DAY_S) % DAY_S if night else chance.uniform(RISES_S, SLEEPS_S))
        device = f"sensor-{chance.randrange(SENSORS)}"
        for at_s, active in ((begins_s, True), (min(begins_s + chance.uniform(2, 60), DAY_S - 1), False)):
            at = stamp(at_s)
            data = {"kind": "contact", "active": active}
            yield Moment(at_s, 1, (Event(new_id(at.wall_s or 0.0), EventType.SENSOR_CHANGED, Lane.EVENT, device, at,
                                         data),))


def alarms(chance: random.Random) -> Iterator[Moment]:
    for _ in range(ALARMS):
        at_s = chance.uniform(RISES_S, SLEEPS_S - 3600)
        alarm_id = new_id(BEGAN_WALL_S + at_s)
        finding = Finding(FindingKind.SOS, "sos", stamp(at_s), 1.0, "the SOS button was pressed")
        for after_s, state, type_ in ((0.0, AlarmState.RAISED, EventType.ALARM_RAISED), (1.0, AlarmState.SENT, None),
                                      (2.0, AlarmState.RECEIVED, None), (600.0, AlarmState.CLOSED,
                                                                         EventType.ALARM_CLOSED)):
            at = stamp(at_s + after_s)
            told: tuple[Event, ...] = ()
            if type_ is not None:
                data = {"kind": "sos", "room": "bedroom", "reason": finding.words, "state": state.value}
                told = (Event(alarm_id if type_ == EventType.ALARM_RAISED else new_id(at.wall_s or 0.0), type_,
                              Lane.ALARM, "sos", at, data),)
            yield Moment(at.mono_s, 2, told, Alarm(alarm_id, state, finding, at))


def detectors() -> Iterator[Moment]:
    every_s = int(SAVE_TICKS * TICK_S)
    return (Moment(float(at_s), 3) for at_s in range(every_s, int(DAY_S), every_s))


def moments(seed: int) -> list[Moment]:
    """Return the day, in order."""
    chance = random.Random(seed)
    return list(heapq.merge(bracelets(chance), sorted(sensors(chance), key=_when), sorted(alarms(chance), key=_when),
                            detectors(), key=_when))


def _when(moment: Moment) -> float:
    return moment.at_s


async def acknowledge(store: Store) -> None:
    """Settle whatever is there, as the uplink does for the city, for ever."""
    wake = asyncio.Event()
    store.on_append(wake.set)
    after = dict.fromkeys(Lane, 0)
    while True:
        await wake.wait()
        wake.clear()
        while rows := await store.next_rows(after, 64):
            await asyncio.sleep(ACK_S / FASTER)
            newest = {row.lane: row for row in rows}
            for lane, row in newest.items():
                after[lane] = row.seq
                await store.settle(row.epoch, lane, row.seq, row.event.id)


async def save(store: Store, at_s: float) -> None:
    """What the daemon saves every five minutes, side by side."""
    boot = Boot(BOOT, at_s, BEGAN_WALL_S, 0.0, at_s)
    await asyncio.gather(store.save_detector("detectors", bytes(DETECTORS_BYTES)), store.note_boot(boot))


async def live(store: Store, day: list[Moment]) -> None:
    """Let the day pass, each moment at its time, whether or not the one before is on disk."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time() - day[0].at_s / FASTER  # when the day began
    async with asyncio.TaskGroup() as group:
        settling = group.create_task(acknowledge(store))
        saving: set[asyncio.Task[None]] = set()
        for moment in day:
            await asyncio.sleep(begun_s + moment.at_s / FASTER - loop.time())
            if moment.events or moment.alarm:
                task = group.create_task(store.append(moment.events, moment.alarm))
            else:
                task = group.create_task(save(store, moment.at_s))
            saving.add(task)
            task.add_done_callback(saving.discard)
        while saving:
            await asyncio.wait(saving)
        while any(count.waiting for count in store.counts().values()):
            await asyncio.sleep(0.01)
        settling.cancel()


def process_io() -> dict[str, int]:
    """Return what this process has written so far (proc_pid_io(5))."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return {key: int(value) for key, value in (line.split(": ") for line in lines)}


async def run(lab: Lab) -> list[Row]:
    span_s = DAY_S * min(1.0, lab.scale)
    from_s = min(RISES_S, DAY_S - span_s)
    day = [moment for moment in moments(seed=8) if from_s <= moment.at_s < from_s + span_s]
    share = DAY_S / span_s
    limits = replace(Limits(), telemetry_delay_s=Limits().telemetry_delay_s / FASTER)
    with lab.room() as folder:
        store = await Store.open(folder, limits)
        try:
            before, opened = process_io(), store.writes()
            await live(store, day)
            wrote, after = store.writes(), process_io()
        finally:
            await store.close()
    mb = {key: (after[key] - before[key]) * share / 1e6 for key in ("wchar", "write_bytes")}
    note = f"{sum(len(moment.events) for moment in day):,} events" + (f" in {span_s / 3600:.1f} h" if share > 1 else "")
    return [
        Row("a day's writes, by the store", (wrote.bytes - opened.bytes) * share / 1e6, "MB", limit=LIMIT, note=note),
        Row("a day's writes, write_bytes of the process", mb["write_bytes"], "MB", limit=LIMIT),
        Row("a day's writes, wchar of the process", mb["wchar"], "MB", limit=LIMIT),
        Row("a day's fsyncs", (wrote.fsyncs - opened.fsyncs) * share, ""),
    ]
