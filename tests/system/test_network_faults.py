"""Whatever the network does, nothing accepted is lost or doubled, alarms come first, and it heals by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.model.event import Lane
from gateway.model.time import ClockQuality, Stamp
from gateway.sync.conversation import STUCK
from gateway.sync.pause import FLOOR_S
from hil.resources.proxy import Proxy
from tests.system.broker import BOOT, HOST, CityHandle, Flat, Mosquitto, city, event, flat, mosquitto, numbered

ANSWER_S = 0.5
CONNACK_S = 0.7
SOON_S = 12.0  # long for the uplink's own doubts, less than its wait for a PUBACK


@dataclass
class Way:
    """From the flat through a link that can be broken to the broker and the city."""

    broker: Mosquitto
    link: Proxy
    there: CityHandle
    home: Flat
    began_s: float

    async def arrived(self, *parts: Iterable[str]) -> list[dict[str, Any]]:
        """Wait until the city has acknowledged all; return its events.

        Nothing is lost, each is told once and after its commit, each lane is in order, the link stands again.
        """
        ids = [event_id for part in parts for event_id in part]
        await self.home.until(lambda: set(ids) <= set(self.home.received))
        await self.home.until_state("connected")
        assert sorted(self.home.received) == sorted(ids)
        assert [count.waiting for count in self.home.store.counts().values()] == [0, 0, 0]
        events = (await self.there("events"))["events"]
        assert sorted(found["id"] for found in events) == sorted(ids)
        assert all(self.home.received_s[found["id"]] >= found["committed_mono_s"] for found in events)
        assert self.home.store.faults() == ()
        for lane in Lane:
            of_lane = [found for found in events if found["lane"] == lane.name.lower()]
            assert [int(found["sequence"]) for found in of_lane] == list(range(1, len(of_lane) + 1))
        return events

    def is_storm(self) -> bool:
        """Tell whether connections were made without a pause. Of one that is closed early both versions are tried."""
        return self.link.accepted > 2 * (2 + (time.monotonic() - self.began_s) / FLOOR_S)


@asynccontextmanager
async def way(folder: Path, *, answer_s: float = ANSWER_S, connack_s: float = CONNACK_S, chance: float = 0.1
              ) -> AsyncIterator[Way]:
    """`chance` in place of the jitter of the pauses: small makes them short."""
    async with mosquitto(folder) as broker, city(folder, broker.port) as there:
        link = Proxy(HOST, broker.port)
        await link.start()
        async with flat(folder / "state", link.port, answer_s=answer_s, connack_s=connack_s,
                        rng=lambda: chance) as home:
            await home.until_state("connected")
            try:
                yield Way(broker, link, there, home, time.monotonic())
            finally:
                await link.close()


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def test_every_connection_is_reset_in_the_midst_of_a_publication(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.link.do("resets", chance=1.0, within_bytes=1500, seed=7)
        await on.home.store.append(list(numbered("e", 300)))
        await on.home.store.append(list(numbered("a", 10, Lane.ALARM)))
        await on.home.until(lambda: on.link.resets >= 4)
        assert on.link.accepted <= on.link.resets + 1
        await on.link.heal()
        await on.arrived(ids("e", 300), ids("a", 10))


async def test_three_of_ten_connections_are_reset_all_the_time(tmp_path: Path) -> None:
    rounds = 6
    async with way(tmp_path) as on:
        for number in range(rounds):
            await on.link.cut()
            await on.link.heal()
            await on.link.do("resets", chance=0.3, within_bytes=1500, seed=26)
            await on.home.store.append(list(numbered(f"e{number}-", 60)))
            await on.home.store.append([event(f"a{number}", Lane.ALARM)])
            await on.home.until(lambda told=f"a{number}": told in on.home.received)
        await on.arrived(*(ids(f"e{number}-", 60) for number in range(rounds)), ids("a", rounds))
        assert on.link.resets > 0
        assert on.link.accepted <= on.link.resets + rounds + 1


@pytest.mark.parametrize("direction", ["both", "up", "down"])
async def test_a_peer_that_vanished_without_a_word_is_left_and_found_again(tmp_path: Path, direction: str) -> None:
    async with way(tmp_path) as on:
        await on.link.do("stall", direction=direction, for_good=True)
        await on.home.store.append(list(numbered("e", 100)))
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await on.home.until_state("no_answer")
        health = await on.home.until_state("unreachable", SOON_S)
        assert "does not answer" in health["reason"]
        assert on.home.received == []
        assert not on.is_storm()
        await on.link.heal()
        await on.arrived(ids("e", 100), ids("a", 3))


async def test_one_byte_a_second_for_some_seconds(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.link.do("rate", bytes_s=1)
        await on.home.store.append(list(numbered("e", 100)))
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await on.home.until_state("no_answer")
        await on.home.until_state("unreachable")
        assert await on.there.ids() == []
        assert not on.is_storm()
        await on.link.heal()
        await on.arrived(ids("e", 100), ids("a", 3))


async def test_two_seconds_of_latency_each_way_cost_no_copy_and_no_connection(tmp_path: Path) -> None:
    async with way(tmp_path, answer_s=40.0, connack_s=20.0) as on:
        await on.link.do("latency", delay_s=2.0)
        await on.home.store.append(list(numbered("e", 60)))
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await on.arrived(ids("e", 60), ids("a", 3))
        assert on.link.accepted == 1
        assert (await on.there("stats"))["duplicates"] == 0
        assert on.home.uplink.health()["resent_rounds"] == 0


async def test_answers_that_come_too_late_cost_copies_and_each_event_is_kept_once(tmp_path: Path) -> None:
    async with way(tmp_path, answer_s=1.0, connack_s=20.0) as on:
        await on.link.do("latency", delay_s=0.4)
        await on.home.store.append(list(numbered("e", 60)))
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await on.arrived(ids("e", 60), ids("a", 3))
        stats = await on.there("stats")
        assert stats["duplicates"] > 0
        assert stats["received"] <= 63 + 3 * STUCK
        assert on.link.accepted == 1


async def test_what_a_wild_clock_dated_waits_and_arrives_like_all_else(tmp_path: Path) -> None:
    dates = [(0.0, ClockQuality.RESTORED), (-1e12, ClockQuality.SYNCED), (4e12, ClockQuality.SYNCED),
             (None, ClockQuality.UNSET)]
    async with way(tmp_path) as on:
        await on.link.cut()
        await on.home.store.append([replace(found, at=Stamp(BOOT, 1.0, wall_s, quality))
                                    for found, (wall_s, quality) in zip(numbered("e", 4), dates, strict=True)])
        await on.link.heal()
        await on.arrived(ids("e", 4))


@pytest.mark.parametrize("door", ["refuse", "blackhole"])
async def test_an_alarm_raised_while_no_door_is_open_is_the_first_to_arrive(tmp_path: Path, door: str) -> None:
    async with way(tmp_path) as on:
        await on.link.cut()
        await on.link.do(door)
        await on.home.store.append(list(numbered("t", 100, Lane.TELEMETRY)))
        await on.home.store.append(list(numbered("e", 100)))
        health = await on.home.until_state("unreachable")
        assert not health["connected"]
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await asyncio.sleep(2 * CONNACK_S)
        assert not on.is_storm()
        await on.link.heal()
        events = await on.arrived(ids("t", 100), ids("e", 100), ids("a", 3))
        assert [found["id"] for found in events[:3]] == ids("a", 3)


async def test_a_broker_that_turns_everybody_away_sees_no_storm(tmp_path: Path) -> None:
    async with way(tmp_path, chance=0.2) as on:
        await on.link.do("resets", chance=1.0, within_bytes=1)
        await on.home.store.append(list(numbered("e", 100)))
        await on.home.until(lambda: on.link.resets >= 10)
        assert not on.is_storm()
        await on.link.heal()
        await on.home.store.append([event("a0", Lane.ALARM)])  # it ends the pause
        await on.arrived(ids("e", 100), ids("a", 1))


async def test_the_broker_is_restarted_in_the_midst_of_a_backlog(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.home.store.append(list(numbered("e", 2000)))
        await on.home.until(lambda: len(on.home.received) > 300)
        await on.broker.stop()
        had = len(on.home.received)
        await on.home.store.append(list(numbered("a", 5, Lane.ALARM)))
        await on.home.until(lambda: not on.home.uplink.health()["connected"])
        assert on.home.uplink.health()["state"] in ("dropped", "unreachable", "protocol_refused")
        await on.broker.start()
        events = await on.arrived(ids("e", 2000), ids("a", 5))
        assert had < 2000
        backlog = [found["id"] for found in events].index("a0")
        assert backlog < 2000, "the alarms came last"
        assert [found["id"] for found in events[backlog:backlog + 5]] == ids("a", 5)


async def test_a_broker_that_lost_what_it_had_acknowledged_is_given_it_again(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, flat(tmp_path / "state", broker.port, answer_s=ANSWER_S) as home:
        async with city(tmp_path, broker.port):
            await home.until_state("connected")
        await home.store.append(list(numbered("e", 100)))
        await home.store.append(list(numbered("a", 3, Lane.ALARM)))
        await home.until(lambda: set(ids("a", 3)) <= set(home.sent))
        await broker.stop()  # without persistence: what it kept for the absent city is gone
        await broker.start()
        assert home.received == []
        async with city(tmp_path, broker.port) as there:
            await home.until(lambda: len(home.received) == 103)
            assert sorted(await there.ids()) == sorted(ids("e", 100) + ids("a", 3))


async def test_a_broker_that_acknowledges_and_forgets_is_not_believed(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.link.cut()
        await on.link.heal()
        await on.link.do("forget")
        await on.home.store.append(list(numbered("e", 100)))
        await on.home.store.append(list(numbered("a", 3, Lane.ALARM)))
        health = await on.home.until_state("no_answer")
        assert "its application does not answer" in health["cure"]
        assert set(ids("a", 3)) <= set(on.home.sent)
        assert on.link.forgotten > 0
        assert on.home.received == await on.there.ids() == []
        await on.link.heal()
        await on.arrived(ids("e", 100), ids("a", 3))


async def test_a_broker_that_forgets_some_gets_everything_through_in_the_end(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.link.cut()
        await on.link.heal()
        await on.link.do("forget", chance=0.3)
        await on.home.store.append(list(numbered("e", 200)))
        await on.home.store.append(list(numbered("a", 10, Lane.ALARM)))
        await on.home.until(lambda: len(on.home.received) == 210)
        assert on.link.forgotten > 0
        events = (await on.there("events"))["events"]
        assert sorted(found["id"] for found in events) == sorted(ids("e", 200) + ids("a", 10))
        assert all(on.home.received_s[found["id"]] >= found["committed_mono_s"] for found in events)


async def test_a_lane_that_the_city_never_acknowledges_holds_up_no_other(tmp_path: Path) -> None:
    async with way(tmp_path) as on:
        await on.there("behave", name="silent", lane="event")
        await on.home.store.append(list(numbered("e", 100)))
        health = await on.home.until_state("no_answer")
        assert "lane event" in health["reason"]
        assert health["connected"]
        for number in range(5):
            await on.home.store.append([event(f"a{number}", Lane.ALARM), event(f"t{number}", Lane.TELEMETRY)])
            await on.home.until(lambda: {f"a{number}", f"t{number}"} <= set(on.home.received))  # noqa: B023
        assert on.home.store.counts()[Lane.EVENT].waiting == 100
        await on.there("behave", name="well")
        await on.arrived(ids("e", 100), ids("a", 5), ids("t", 5))
