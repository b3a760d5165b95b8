"""Outbox to city, over a real broker and real files."""

import asyncio
from pathlib import Path

from gateway.model.event import Lane
from tests.system.broker import city, event, flat, mosquitto


async def test_an_event_is_settled_once_the_city_has_committed_it(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.store.append([event("a", Lane.ALARM), event("b"), event("c", Lane.TELEMETRY)])
        await home.until(lambda: len(home.received) == 3)
        assert sorted(home.received) == ["a", "b", "c"]
        assert sorted(await there.ids()) == ["a", "b", "c"]
        assert [count.waiting for count in home.store.counts().values()] == [0, 0, 0]
        health = home.uplink.health()
        assert health["connected"]
        assert health["mqtt"] == "5"
        await asyncio.sleep(0)
