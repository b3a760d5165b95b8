"""A pipeline on a real store with ears on all its outlets, for tests of what readings lead to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from gateway.alarm.rules import Rules
from gateway.config import Detect
from gateway.detect import cover
from gateway.detect.vitals.limits import NOBODY, Person
from gateway.model.device import DeviceStatus
from gateway.model.event import Event, Lane
from gateway.model.finding import FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from gateway.model.reading import (
    Binary,
    BinaryKind,
    Measurement,
    Reading,
    SpotCheck,
)
from gateway.runtime import fall_model
from gateway.runtime.clock import Clock
from gateway.runtime.detectors import Detectors
from gateway.runtime.pipeline import Outlets, Pipeline
from gateway.runtime.routine import Routine
from gateway.store import Limits, Store

SMOKE = Binary(BinaryKind.SMOKE, active=True)
FOREST = fall_model.load()
IDS = count(1)  # unique for ever: a second run on the same folder must not begin anew


@dataclass
class Bench:
    """A pipeline with ears on all its outlets."""

    store: Store
    pipeline: Pipeline
    offered: list[Event] = field(default_factory=list)
    shown: list[LightPattern] = field(default_factory=list)
    said: list[tuple[Prompt, FindingKind]] = field(default_factory=list)
    watched: list[tuple[str, str, str]] = field(default_factory=list)
    aloud: list[tuple[str, SpotCheck]] = field(default_factory=list)
    statuses: dict[str, DeviceStatus] = field(default_factory=dict)
    running: "asyncio.Task[None] | None" = None

    def reading(self, value: Measurement, device: str = "d", taken: Any = None) -> bool:
        return self.pipeline.reading(Reading(device, self.pipeline.clock.stamp(), value), taken)

    async def rows(self) -> list[Event]:
        rows = await self.store.next_rows(dict.fromkeys(Lane, 0), 100)
        return [row.event for row in rows]

    async def kinds(self) -> list[str]:
        return [event.type for event in await self.rows()]


@asynccontextmanager
async def bench(folder: Path, detect: Detect | None = None, *, restores: bool = True,
                watchers: Mapping[str, cover.Watcher] | None = None,
                days: Routine | None = None, people: Mapping[str, Person] | None = None) -> AsyncIterator[Bench]:
    store = await Store.open(folder, Limits(telemetry_delay_s=0))
    made: list[Bench] = []
    outlets = Outlets(offer=lambda events: made[0].offered.extend(events), show=lambda p: made[0].shown.append(p),
                      say=lambda prompt, kind, alarm: made[0].said.append((prompt, kind)),
                      watch=lambda what, who, text, data: made[0].watched.append((what, who, text)),
                      new_id=lambda: f"id{next(IDS)}", aloud=lambda who, check: made[0].aloud.append((who, check)))
    faults: list[str] = []
    detectors = Detectors(detect or Detect(), FOREST, lambda name, error: faults.append(name), lambda: watchers or {},
                          days, lambda device: (people or {}).get(device, NOBODY))
    pipe = Pipeline(Clock("boot"), store, detectors, Rules(), outlets, lambda: made[0].statuses)
    made.append(Bench(store, pipe))
    task = made[0].running = asyncio.create_task(pipe.run())
    async with asyncio.timeout(5):
        while store.trouble is None and pipe._epoch != store.epoch and restores:
            await asyncio.sleep(0.001)
    try:
        yield made[0]
        assert faults == []
    finally:
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(ended[0], Exception), ended
        await store.close()


async def taken(bench: Bench, value: Measurement, device: str = "d") -> None:
    """Hand over a reading and wait until what follows is on disk."""
    done = asyncio.Event()
    assert bench.reading(value, device, done.set)
    async with asyncio.timeout(5):
        await done.wait()
