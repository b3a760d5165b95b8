"""Calm: whether the gateway may be rebooted now, as far as alarms go."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gateway.model.reading import Button, Press
from gateway.runtime.clock import Clock
from gateway.runtime.fleet import Fleet
from gateway.runtime.session import Means
from gateway.spi import BusContext
from tests.unit.runtime.kit import Sink
from tests.unit.runtime.pipe import bench, taken


async def test_an_alarm_is_under_way_until_the_city_has_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        assert b.pipeline.calm()
        await taken(b, Press(Button.SOS))
        assert not b.pipeline.calm()
        ids = [event.id for event in await b.rows()]
        b.pipeline.sent(ids)
        assert not b.pipeline.calm(), "a broker promises nothing"
        b.pipeline.received(ids)
        async with asyncio.timeout(5):
            while not b.pipeline.calm():
                await asyncio.sleep(0.01)


async def test_before_the_last_runs_alarms_are_known_nothing_is_calm(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.pipeline._restored.clear()
        assert not b.pipeline.calm()


def test_every_bus_is_told(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(gateway=SimpleNamespace(state_dir=tmp_path))
    registry: Any = SimpleNamespace(drivers={}, buses={})
    answers = iter([False, True])
    fleet = Fleet(config, registry, Means(Sink(), Clock("boot"), asyncio.sleep, lambda: 0.5), None,
                  lambda *_fault: None, lambda: next(answers))
    context = fleet._context("ble")
    assert [context.calm(), context.calm()] == [False, True]
    assert BusContext(tmp_path, lambda: 0.0).calm(), "who does not say may be ended at any time"
