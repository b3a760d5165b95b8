"""Daemon: everything of one gateway, wired together."""

import asyncio
import contextlib
import logging
import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gateway import __version__
from gateway.app.settings import (
    cut,
    fall_watchers,
    modems,
    people,
    places,
    routine,
    rules,
    without_modem,
    without_power,
    zone,
)
from gateway.config import Config
from gateway.detect.falls import BadModel, Forest
from gateway.detect.vitals.limits import NOBODY
from gateway.model.device import COVERED, WELL
from gateway.model.event import Event, EventType, Lane
from gateway.model.light import LightPattern
from gateway.model.time import ClockQuality
from gateway.ops.control import ControlServer, Verb
from gateway.ops.notify import notify
from gateway.ops.status import Fault
from gateway.ops.tail import Fact, Tail
from gateway.ops.watchdog import feed
from gateway.runtime import fall_model
from gateway.runtime.chronicle import Chronicle
from gateway.runtime.clock import Clock
from gateway.runtime.detectors import Detectors
from gateway.runtime.fleet import Fleet
from gateway.runtime.ids import new_id
from gateway.runtime.kept import kept
from gateway.runtime.outcome import Draft
from gateway.runtime.pipeline import Outlets, Pipeline
from gateway.runtime.registry import Registry
from gateway.runtime.routine import Routine
from gateway.runtime.session import Means
from gateway.spi import Light, SendSms
from gateway.store import Fault as StoreFault
from gateway.store import Store
from gateway.sync.uplink import Uplink
from gateway.voice import Voice

log = logging.getLogger(__name__)

LOOK_S = 5.0
CONTROL_S = 5.0


class Daemon:
    """One gateway; `run(verbs)` runs it, `verbs` being what its control socket answers."""

    def __init__(self, config: Config, problems: list[str], registry: Registry, store: Store, voice: Voice) -> None:
        self.config, self.registry, self.store, self.voice = config, registry, store, voice
        self.problems = [*problems, *without_modem(config, registry), *without_power(config, registry)]
        self.clock = Clock.of_this_boot()
        self.chronicle = Chronicle(store, self.clock)
        self.started_mono_s = self.clock.mono_s()
        self.tail = Tail()
        self.places, self.people = places(config), people(config)
        self.detector_faults: dict[str, Fault] = {}
        self._told: set[StoreFault] = set()
        self.uplink = Uplink(store, config.city, config.gateway.id, now=self.clock.stamp, rng=random.random,
                             on_sent=lambda ids: self.pipeline.sent(ids),
                             on_received=lambda ids: self.pipeline.received(ids),
                             on_command=lambda command: self.pipeline.obey(command), boots=self.chronicle.boots)
        outlets = Outlets(self._offer, self._show, voice.say, self._watch, lambda: new_id(time.time()),
                          lambda: bool(self._modem()), self._text, voice.aloud)
        self.forest = self._forest()
        days = Routine(routine(config), zone(config), lambda: self.places)
        detectors = Detectors(config.detect, self.forest, self._detector_failed,
                              lambda: fall_watchers(self.fleet.config, registry, wrists=self.forest is not None), days,
                              lambda device: self.people.get(device, NOBODY))
        self.pipeline = Pipeline(self.clock, store, detectors, rules(config), outlets, lambda: self.fleet.statuses(),
                                 self.chronicle.save)
        means = Means(self.pipeline, self.clock, asyncio.sleep, random.random)
        self.fleet = Fleet(config, registry, means, self._spawn if config.gateway.spawn_hosts else None,
                           self.pipeline.fault, self.pipeline.calm)

    async def run(self, verbs: Mapping[str, Verb]) -> None:
        """Run until cancelled. READY=1 once the store, the control socket and every bus have been started."""
        control = ControlServer(self.config.gateway.run_dir / "control.sock", verbs, self.pipeline.fault)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.pipeline.run(), name="pipeline")
                started = asyncio.Event()
                group.create_task(self.fleet.run(started.set), name="fleet")
                group.create_task(self._ready(started, control.tried), name="ready")
                group.create_task(feed(lambda: self.pipeline.progress, self._state), name="watchdog")
                parts = {"uplink": self.uplink.run, "control": control.run, "looks": self._look,
                         "chronicle": self.chronicle.run}
                for name, part in parts.items():
                    group.create_task(kept(name, part, self.pipeline.fault), name=name)
        finally:
            await self.pipeline.leave()

    async def _ready(self, buses: asyncio.Event, control: asyncio.Event) -> None:
        await buses.wait()
        with contextlib.suppress(TimeoutError):  # systemd must not end a gateway that watches, for want of a socket
            async with asyncio.timeout(CONTROL_S):
                await control.wait()
        started = {"version": __version__, "devices": sorted(self.config.devices), "epoch": self.store.epoch}
        self.pipeline.tell(Draft(EventType.GATEWAY_STARTED, Lane.EVENT, "gateway", self.clock.stamp(), started))
        for problem in self.problems:
            log.error("configuration problem: %s", problem)
            self.pipeline.fault("configuration", *cut(problem))
        for broken in self.registry.broken:
            self.pipeline.fault(f"plug-in {broken.name}", broken.reason, broken.cure)
        self.pipeline.show()
        notify("READY=1", f"STATUS={len(self.config.devices)} devices")
        log.info("ready gateway=%s devices=%d", self.config.gateway.id, len(self.config.devices))

    def _state(self) -> str:
        """One line for systemd."""
        well = sum(status.state in WELL for status in self.fleet.statuses().values())
        return f"{well} of {len(self.fleet.config.devices)} devices well, city {self.uplink.health()['state']}"

    # -- outlets -----------------------------------------------------------------------------------------------------

    def _offer(self, events: Sequence[Event]) -> None:
        self.uplink.offer(events)

    def _show(self, pattern: LightPattern) -> None:
        for name, device in self.fleet.config.devices.items():
            if "light" in self.registry.drivers[device.driver].takes:
                self.fleet.order(name, Light(pattern))

    def _modem(self) -> str:
        """The first modem that is up, empty if none is."""
        statuses = self.fleet.statuses()
        return next((name for name in modems(self.fleet.config, self.registry)
                     if name in statuses and statuses[name].state in COVERED), "")

    def _text(self, order: SendSms) -> None:
        if modem := self._modem():
            self.fleet.order(modem, order)

    def _watch(self, what: str, subject: str, text: str, data: dict[str, Any]) -> None:
        now = self.clock.stamp()
        wall_s = None if now.quality is ClockQuality.UNSET else now.wall_s
        self.tail.tell(Fact(wall_s, what, subject, text, data))

    def _forest(self) -> Forest | None:
        """The fall model; without it the gateway goes on, and says that it does not watch wrists."""
        try:
            return fall_model.load()
        except BadModel as error:
            self.detector_faults["falls"] = {"what": "detector falls", "reason": error.reason, "cure": error.cure}
            self.problems = [*self.problems, f"falls: {error}"]
            return None

    def _detector_failed(self, name: str, error: Exception) -> None:
        fault = {"what": f"detector {name}", "reason": f"{type(error).__name__}: {error}",
                 "cure": "report it with the log; the other detectors go on"}
        if self.detector_faults.get(name) != fault:
            self.detector_faults[name] = fault
            self.pipeline.fault(**fault)

    async def _spawn(self, bus: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.app", "host", bus, "--config", str(self.config.path),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True)  # it may outlive us: decision 3

    async def _look(self) -> None:
        """Look now and then at what nobody reports by itself: the clock's quality, and the store's faults."""
        while True:
            for fault in self.store.faults():
                if fault not in self._told:
                    self._told.add(fault)
                    self.pipeline.fault("store", fault.reason, fault.cure)
            await asyncio.to_thread(self.clock.look)
            await asyncio.sleep(LOOK_S)
