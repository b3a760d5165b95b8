"""Whatever the city does, what was accepted reaches it once, and `received` is told of what it has committed alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.model.event import Lane
from hil.cloud.ledger import Book
from tests.system.broker import CityHandle, Flat, Mosquitto, city, event, flat, mosquitto, numbered

ANSWER_S = 0.4
IDS = ["alarm", *(f"e{n}" for n in range(40)), *(f"t{n}" for n in range(40))]


@asynccontextmanager
async def town(folder: Path, *extra: str) -> AsyncIterator[tuple[Mosquitto, CityHandle, Flat]]:
    async with mosquitto(folder) as broker, city(folder, broker.port, *extra) as there, \
            flat(folder / "state", broker.port, answer_s=ANSWER_S) as home:
        yield broker, there, home


async def accept(home: Flat) -> None:
    """All lanes, the alarm last."""
    await home.store.append(list(numbered("t", 40, Lane.TELEMETRY)))
    await home.store.append(list(numbered("e", 40)))
    await home.store.append([event("alarm", Lane.ALARM)])


async def all_is_well(home: Flat, there: CityHandle, by_number: bool = False) -> None:
    """Everything is settled and told once, after the city's commit; the city has each event once and in order."""
    await home.until(lambda: set(IDS) <= set(home.received))
    assert [count.waiting for count in home.store.counts().values()] == [0, 0, 0]
    await home.until_state("connected")
    assert sorted(home.received) == sorted(IDS)
    events = (await there("events"))["events"]
    assert all(home.received_s[found["id"]] >= found["committed_mono_s"] for found in events)
    if by_number:
        events.sort(key=lambda found: str(found["sequence"]))
    for lane in Lane:
        of_lane = [event_id for event_id in IDS if event_id.startswith(lane.name[0].lower())]
        assert [found["id"] for found in events if found["lane"] == lane.name.lower()] == of_lane
    stats = await there("stats")
    assert (stats["gaps"], stats["conflicts"]) == (0, 0)


@pytest.mark.parametrize("behaviour", [
    "late after_s=0.3", "late after_s=1.0", "double copies=3", "reorder", "silent for_s=0.6",
    "silent lane=alarm for_s=0.6", "refuse id=e7 for_s=0.6", "refuse id=alarm for_s=0.6", "forget times=1",
])
async def test_a_city_that_behaves_badly_for_a_while_gets_everything_once(tmp_path: Path, behaviour: str) -> None:
    async with town(tmp_path, "--behave", behaviour) as (_, there, home):
        await accept(home)
        # What such a city did not keep at first comes again after what stood behind it.
        await all_is_well(home, there, by_number=behaviour.startswith(("refuse", "forget")))
        assert home.uplink.health()["reconnects"] <= 3


@pytest.mark.parametrize("what", ["number", "id", "epoch", "garbage"])
async def test_a_city_that_says_something_wrong_has_said_nothing(tmp_path: Path, what: str) -> None:
    async with town(tmp_path, "--behave", f"wrong what={what}") as (_, there, home):
        await accept(home)
        await there.until(*IDS)
        await home.until_state("no_answer")
        assert home.received == []
        assert sum(count.waiting for count in home.store.counts().values()) == len(IDS)
        await there("behave", name="well")
        await all_is_well(home, there)


async def test_an_event_that_the_city_can_never_take_holds_up_nobody_for_ever(tmp_path: Path) -> None:
    async with town(tmp_path, "--behave", "refuse id=e7") as (_, there, home):
        await accept(home)
        for number in range(400):  # other lanes go on meanwhile: it is that event's fault
            if any(fault.reason.startswith("event e7 ") for fault in home.store.faults()):
                break
            last = f"more{number}"
            await home.store.append([event(last, Lane.TELEMETRY)])
            await asyncio.sleep(ANSWER_S / 4)
        await home.until(lambda: set(IDS) - {"e7"} <= set(home.received) and last in home.received)
        assert "e7" not in home.received
        assert home.store.counts()[Lane.EVENT].waiting == 0
        told = [found for found in (await there("events"))["events"] if found["type"] == "anju.gateway.fault"]
        assert ["event e7 " in found["data"]["reason"] for found in told] == [True]
        assert (await there("stats"))["conflicts"] == 0


async def has_crashed(there: CityHandle) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens, or the answer ends in its midst
        while True:
            await there("stats")


@pytest.mark.parametrize(("before", "kept"), [("commit", []), ("ack", ["alarm"])])
async def test_a_city_that_crashes_at_its_worst_moment_gets_everything_once(
        tmp_path: Path, before: str, kept: list[str]) -> None:
    async with mosquitto(tmp_path) as broker, \
            flat(tmp_path / "state", broker.port, answer_s=ANSWER_S) as home:
        async with city(tmp_path, broker.port, "--behave", f"crash before={before}") as there:
            await home.store.append([event("alarm", Lane.ALARM)])
            await has_crashed(there)
        with closing(Book(tmp_path / "city.db")) as book:
            assert [found["id"] for found in book.events(None, 0)] == kept
        assert home.received == []
        await accept(home)
        async with city(tmp_path, broker.port) as there:
            await all_is_well(home, there)
