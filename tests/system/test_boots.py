"""Four boots, one after another, most without a clock: the centre learns when things happened, as far as it goes.

A real state folder, a real broker and city; the machine's clocks are turned by hand, so that days pass in no time.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config.schema import City
from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.event import Event, EventType, Lane
from gateway.runtime.chronicle import Chronicle
from gateway.runtime.clock import Clock
from gateway.store import Store
from gateway.sync import Uplink
from tests.system.broker import GATEWAY, HOST, CityHandle, city, mosquitto

START_S = 1_780_000_000.0


class Machine:
    """One boot. `wall_s`: what its clock says at monotonic zero, be it true or not."""

    def __init__(self, boot_id: str, wall_s: float, *, synced: bool = False) -> None:
        self.wall_s, self.mono_s, self.synced = wall_s, 0.0, synced
        self.clock = Clock(boot_id, wall=lambda: self.wall_s + self.mono_s, monotonic=lambda: self.mono_s,
                           kernel=lambda: 0.0 if self.synced else None, mark=lambda: None)
        self.clock.look()

    def sync(self, wall_s: float) -> None:
        self.wall_s, self.synced = wall_s, True
        self.clock.look()

    def event(self, event_id: str) -> Event:
        data = {"kind": "contact", "active": True}
        return Event(event_id, EventType.SENSOR_CHANGED, Lane.EVENT, "door", self.clock.stamp(), data)


@asynccontextmanager
async def up(folder: Path, machine: Machine) -> AsyncIterator[tuple[Store, Chronicle]]:
    """The gateway on that machine; ends as in a power cut, without a last word."""
    store = await Store.open(folder)
    chronicle = Chronicle(store, machine.clock)
    await chronicle.save()
    yield store, chronicle
    await store.close()


async def runs(folder: Path, machine: Machine, event_id: str, at_s: float, noted_s: float) -> None:
    """One boot without a network: an event, and later the last note of how long it has run."""
    async with up(folder, machine) as (store, chronicle):
        machine.mono_s = at_s
        await store.append([machine.event(event_id)])
        machine.mono_s = noted_s
        await chronicle.save()


@asynccontextmanager
async def talking(store: Store, chronicle: Chronicle, machine: Machine, port: int) -> AsyncIterator[None]:
    async def obey(command: Command) -> CommandResult:
        return CommandResult(command.id, Outcome.DONE)

    uplink = Uplink(store, City(host=HOST, port=port, tls=False), GATEWAY, now=machine.clock.stamp, rng=random.random,
                    on_sent=lambda ids: None, on_received=lambda ids: None, on_command=obey, boots=chronicle.boots)
    task = asyncio.create_task(uplink.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def before_the_fourth(folder: Path) -> None:
    """A was synced and ran for 1000 s, B and C were not and ran for 1500 s and 500 s; 5000 s passed without power."""
    await runs(folder, Machine("a", START_S, synced=True), "in-a", 400.0, 1000.0)
    await runs(folder, Machine("b", 0.0), "in-b", 300.0, 1500.0)
    await runs(folder, Machine("c", START_S + 1000.0), "in-c", 100.0, 500.0)  # restored from when A ended


async def told(town: CityHandle, *ids: str) -> dict[str, dict[str, Any]]:
    """What the city knows of the time of these, in seconds since A began."""
    found = {}
    for event in await town.until(*ids):
        at_s = datetime.fromisoformat(event["time"]).timestamp() - START_S if "time" in event else None
        off_s = int(event["timeuncertaintyms"]) / 1000 if "timeuncertaintyms" in event else None
        found[event["id"]] = {"at_s": at_s, "clock": event["clock"], "off_s": off_s, "bound": event.get("timebound"),
                              "stamped": event.get("stampedclock"), "historical": event["historical"]}
    return found


async def test_events_of_boots_without_a_clock_are_dated_between_their_neighbours(tmp_path: Path) -> None:
    await before_the_fourth(tmp_path)
    fourth = Machine("d", 0.0)
    async with up(tmp_path, fourth) as (store, chronicle):
        fourth.mono_s = 5.0
        await store.append([fourth.event("in-d")])
        fourth.mono_s = 50.0
        fourth.sync(START_S + 8000.0)
        await chronicle.save()
        async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as town, talking(
                store, chronicle, fourth, broker.port):
            known = await told(town, "in-a", "in-b", "in-c", "in-d")
    around = {"bound": None, "historical": True}
    assert known == {
        "in-a": {"at_s": pytest.approx(400.0), "clock": "synced", "off_s": None, "stamped": None, **around},
        "in-b": {"at_s": pytest.approx(3800.0), "clock": "estimated", "off_s": pytest.approx(2502.0, abs=1.0),
                 "stamped": "unset", **around},
        "in-c": {"at_s": pytest.approx(5100.0), "clock": "estimated", "off_s": pytest.approx(2502.0, abs=1.0),
                 "stamped": "restored", **around},
        "in-d": {"at_s": pytest.approx(8005.0), "clock": "synced", "off_s": None, "stamped": "unset", **around},
    }


async def test_as_long_as_no_server_answers_they_are_dated_from_below(tmp_path: Path) -> None:
    await before_the_fourth(tmp_path)
    fourth = Machine("d", 0.0)
    async with up(tmp_path, fourth) as (store, chronicle), mosquitto(tmp_path) as broker, city(
            tmp_path, broker.port) as town, talking(store, chronicle, fourth, broker.port):
        fourth.mono_s = 5.0
        await store.append([fourth.event("early")])
        before = await told(town, "in-a", "in-b", "in-c", "early")
        fourth.sync(START_S + 8000.0)
        fourth.mono_s = 10.0
        await store.append([fourth.event("late")])
        after = await told(town, "late")
    assert (before["in-a"]["at_s"], before["in-a"]["clock"]) == (pytest.approx(400.0), "synced")
    low = {"clock": "estimated", "off_s": None, "bound": "earliest", "historical": True}
    assert before["in-b"] == {"at_s": pytest.approx(1300.0, abs=2.0), "stamped": "unset", **low}
    assert before["in-c"] == {"at_s": pytest.approx(2600.0, abs=2.0), "stamped": "restored", **low}
    assert before["early"] == {"at_s": pytest.approx(3005.0, abs=2.0), "stamped": "unset", **low, "historical": False}
    assert after["late"] == {"at_s": pytest.approx(8010.0), "clock": "synced", "off_s": None, "bound": None,
                             "stamped": None, "historical": False}


async def test_a_chronicle_that_cannot_be_read_costs_dates_and_nothing_else(tmp_path: Path) -> None:
    await before_the_fourth(tmp_path)
    fourth = Machine("d", START_S + 8000.0, synced=True)
    store = await Store.open(tmp_path)
    chronicle = Chronicle(store, fourth.clock)  # whose earlier boots were never read
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as town, talking(
            store, chronicle, fourth, broker.port):
        known = await told(town, "in-a", "in-b", "in-c")
    await store.close()
    assert {name: (date["at_s"], date["clock"], date["bound"]) for name, date in known.items()} == {
        "in-a": (pytest.approx(400.0), "synced", None), "in-b": (None, "unset", None),
        "in-c": (pytest.approx(1100.0), "restored", "earliest")}
