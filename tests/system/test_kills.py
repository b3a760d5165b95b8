"""kill -9 at any moment loses nothing that was accepted: hundreds of kills of the store, and of the whole way up."""

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.event import Lane
from gateway.store import Row, Store
from tests.system.broker import GATEWAY, Mosquitto, city, mosquitto
from tests.system.store_writer import TOLD, Plan

SEED = 20_260_101
FLAT_OUT = [f"flat-out-{number}" for number in range(2)]
HOME = [f"home-{number}" for number in range(8)]
OPENING = ["opening"]


@dataclass
class Told:
    """What the writers of one folder told, in its order."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, folder: Path) -> "Told":
        told = cls()
        for line in (folder / TOLD).read_text().splitlines():
            what, rest = line.split(" ", 1)
            told.ids[what].append(rest)
        return told

    def accepted(self) -> list[tuple[Lane, str]]:
        return [(Lane(int(line[0])), line[2:]) for line in self.ids["accepted"]]

    def alarms(self) -> list[str]:
        return [event_id for lane, event_id in self.accepted() if lane is Lane.ALARM]


async def _kill(*plans: Plan) -> None:
    """Let the plans' writers be killed, all plans at once."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.store_writer", *(msgspec.json.encode(plan).decode() for plan in plans),
        cwd=Path(__file__).parents[2])
    try:
        assert await child.wait() == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _what_is_there(folder: Path) -> tuple[list[Row], list[str], list[str]]:
    """Return the outbox, the ids of the open alarms and of the open commands."""
    store = await Store.open(folder)
    rows = await store.next_rows(dict.fromkeys(Lane, 0), 1_000_000)
    alarms = [alarm.id for alarm in await store.open_alarms()]
    commands = [command.id for command in await store.open_commands()]
    assert store.faults() == ()
    await store.close()
    return rows, alarms, commands


async def _lost(folder: Path) -> list[str]:
    """Return what was told to be accepted and is neither there nor settled."""
    told = Told.read(folder)
    rows, alarms, commands = await _what_is_there(folder)
    kept = {(row.lane, row.event.id) for row in rows}
    settled = set(told.ids["settling"])
    return [
        *(event_id for lane, event_id in told.accepted() if (lane, event_id) not in kept and event_id not in settled),
        *(set(told.ids["alarm"]) - set(alarms) - set(told.ids["closing"])),
        *(set(told.ids["command"]) - set(commands) - set(told.ids["finishing"])),
    ]


def _plans(tmp_path: Path) -> list[Plan]:
    def plan(number: int, name: str, kills: int, after_s: tuple[float, float], pause_s: float) -> Plan:
        return Plan(folder=str(tmp_path / name), seed=SEED + number, kills=kills, after_s=after_s, pause_s=pause_s)

    return [
        *(plan(number, name, 80, (0.01, 0.15), 0.0) for number, name in enumerate(FLAT_OUT)),
        *(plan(number, name, 20, (0.05, 0.9), 0.3) for number, name in enumerate(HOME, 10)),
        *(plan(number, name, 40, (0.0, 0.03), 0.0) for number, name in enumerate(OPENING, 20)),
    ]


async def test_nothing_accepted_is_lost_by_any_of_hundreds_of_kills(tmp_path: Path,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    plans = _plans(tmp_path)
    assert sum(plan.kills for plan in plans) >= 300
    await _kill(*plans)
    accepted: dict[str, int] = {}
    for plan in plans:
        folder = Path(plan.folder)
        told = Told.read(folder)
        accepted[folder.name] = len(told.ids["accepted"])
        assert await _lost(folder) == []
        _in_order(told, (await _what_is_there(folder))[0])
    assert min(accepted[name] for name in FLAT_OUT) > 80 * 3  # a life is some tenths of a second, on a busy machine too
    assert min(accepted[name] for name in HOME) > 20
    with capsys.disabled():
        print(f"\n{sum(plan.kills for plan in plans)} kills, {sum(accepted.values())} events accepted, 0 lost")


def _in_order(told: Told, rows: Sequence[Row]) -> None:
    """Numbers without a gap, and alarms in the order in which they were raised."""
    for lane in Lane:
        seqs = [row.seq for row in rows if row.lane is lane]
        settled = next((row.settled for row in rows if row.lane is lane), 0)
        assert seqs == list(range(settled + 1, settled + 1 + len(seqs)))
    raised = told.alarms()
    waiting = [row.event.id for row in rows if row.lane is Lane.ALARM and row.event.id in set(raised)]
    assert waiting == raised[len(raised) - len(waiting):]


@pytest.mark.parametrize(("pause_s", "told_early_s", "after_s"), [(0.0, 0.0, (0.02, 0.15)), (0.3, 0.5, (0.1, 0.9))],
                         ids=["flat out", "at home"])
async def test_the_harness_sees_what_a_store_loses_that_tells_before_its_commit(
        tmp_path: Path, pause_s: float, told_early_s: float, after_s: tuple[float, float]) -> None:
    plan = Plan(folder=str(tmp_path), seed=SEED, kills=8, after_s=after_s, pause_s=pause_s, told_early_s=told_early_s)
    await _kill(plan)
    assert await _lost(tmp_path)


@dataclass
class Town:
    """A city that is killed now and then, and its broker with it once; what all its lives counted."""

    folder: Path
    lives: int
    received: int = 0
    duplicates: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    async def live(self, broker: Mosquitto, drained: asyncio.Event) -> None:
        chance = random.Random(SEED)
        for life in range(1, self.lives + 1):
            async with city(self.folder, broker.port) as town:
                await (asyncio.sleep(chance.uniform(0.3, 1.2)) if life < self.lives else drained.wait())
                stats = await town("stats")
                self.received += stats["received"]
                self.duplicates += stats["duplicates"]
                self.events = (await town("events"))["events"]
            if life == self.lives // 2:
                await broker.stop()
                await broker.start()


@pytest.mark.parametrize(("kills", "lives"), [(20, 1), (12, 4)], ids=["the gateway alone", "city and broker as well"])
async def test_the_city_has_all_once_and_in_order_whoever_is_killed(
        tmp_path: Path, kills: int, lives: int, capsys: pytest.CaptureFixture[str]) -> None:
    town, drained = Town(tmp_path, lives), asyncio.Event()
    async with mosquitto(tmp_path) as broker, asyncio.TaskGroup() as group:
        living = group.create_task(town.live(broker, drained))
        await _kill(Plan(folder=str(tmp_path / "flat"), seed=SEED, kills=kills, after_s=(0.1, 0.6), pause_s=0.01,
                         gateway=GATEWAY, broker_port=broker.port, drains=True))
        drained.set()
        await living
    told = Told.read(tmp_path / "flat")
    ids = [event["id"] for event in town.events]
    assert len(told.alarms()) > kills
    assert {event_id for _, event_id in told.accepted()} - set(ids) == set()
    assert len(set(ids)) == len(ids)
    assert set(told.ids["received"]) - set(ids) == set()
    alarms = [event for event in town.events if event["lane"] == "alarm" and event["id"] in set(told.alarms())]
    if lives > 1:  # what the broker gave to a city that was killed comes again after what stood behind it
        alarms.sort(key=lambda event: int(event["sequence"]))  # the numbers go on from epoch to epoch
    assert [event["id"] for event in alarms] == told.alarms()
    with capsys.disabled():
        print(f"\n{kills} kills of the gateway, {lives - 1} of the city: {len(ids)} events at the city, 0 lost, "
              f"0 twice; {town.duplicates} raw duplicates of {town.received} received")
