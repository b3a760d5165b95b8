"""The desk: what a technician may ask the daemon over its control socket (docs/control.md)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec

from gateway import __version__
from gateway.alarm import fusion
from gateway.app import pairing
from gateway.app.configured import types
from gateway.app.daemon import Daemon
from gateway.app.falls import falls
from gateway.app.settings import cut, keep, people, places, rules
from gateway.config import ConfigError, read, salvage
from gateway.model.alarm import Alarm
from gateway.model.time import Stamp
from gateway.ops.control import Refused, Verb
from gateway.ops.status import Parts, status
from gateway.runtime.clock import Step
from gateway.runtime.host import rss_mb
from gateway.runtime.routine import BadAway
from gateway.spi import SpiError
from gateway.store import Writes

TEST_WAIT_S = 60.0
DAY_FROM_S = 3600.0


class Desk:
    """Verb -> answers."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def verbs(self) -> dict[str, Verb]:
        return {
            "status": _once(lambda request: self._status()),
            "devices": _once(lambda request: self._devices()),
            "outbox": _once(lambda request: self._outbox()),
            "discover": _once_async(self._discover),
            "pair": lambda request: pairing.pair(self._daemon, request),
            "answer_pairing": lambda request: pairing.answer(self._daemon, request),
            "reload": _once_async(self._reload),
            "falls": lambda request: falls(self._daemon, request),
            "routine": _once(lambda request: self._routine()),
            "away": _once_async(self._away),
            "test_alarm": self._test_alarm,
            "tail": self._tail,
        }

    def _status(self) -> dict[str, Any]:
        daemon, now = self._daemon, self._daemon.clock.stamp()
        told = map(cut, daemon.problems)
        faults = [{"what": "configuration", "reason": reason, "cure": cure} for reason, cure in told]
        faults += [{"what": f"plug-in {b.name}", "reason": b.reason, "cure": b.cure} for b in daemon.registry.broken]
        faults += [{"what": "store", "reason": f.reason, "cure": f.cure} for f in daemon.store.faults()]
        return status(Parts(
            gateway=daemon.config.gateway.id, version=__version__, uptime_s=now.mono_s - daemon.started_mono_s,
            clock=_clock(now, daemon.clock.step), rss_mb=rss_mb(),
            city=daemon.uplink.health(), store=self._outbox(), devices=self._devices(), buses=daemon.fleet.health(),
            alarms=[_alarm(alarm) for alarm in daemon.pipeline.alarms()], voice=daemon.voice.health(),
            routine=daemon.pipeline.detectors.routine.cover(),
            cover=msgspec.to_builtins(daemon.pipeline.detectors.covers(now.mono_s)),
            faults=faults + list(daemon.detector_faults.values())))

    def _devices(self) -> list[dict[str, Any]]:
        now, statuses = self._daemon.clock.stamp(), self._daemon.fleet.statuses()
        batteries = self._daemon.pipeline.detectors.health.batteries(now)
        found = []
        for name, device in sorted(self._daemon.fleet.config.devices.items()):
            heard_mono_s = self._daemon.pipeline.heard_mono_s.get(name)
            found.append({
                "device": name, "driver": device.driver, "room": device.room,
                "bus": self._daemon.registry.drivers[device.driver].bus,
                "age_s": None if heard_mono_s is None else round(now.mono_s - heard_mono_s, 1),
                "battery": batteries.get(name),
                **({"state": "searching", "reason": "", "cure": ""} if name not in statuses
                   else msgspec.to_builtins(statuses[name])),
            })
        return found

    def _routine(self) -> dict[str, Any]:
        return self._daemon.pipeline.detectors.routine.told(self._daemon.clock.stamp())

    async def _away(self, request: dict[str, Any]) -> Any:
        """Note until when nobody is at home, or, `until` empty, that somebody is again."""
        try:
            return {"away_until": await self._daemon.pipeline.away(str(request["until"]))}
        except BadAway as error:
            raise Refused(str(error), error.cure) from error

    def _outbox(self) -> dict[str, Any]:
        trouble, now_s = self._daemon.store.trouble, self._daemon.clock.mono_s()
        lanes = {
            lane.name.lower(): {"waiting": count.waiting, "oldest": msgspec.to_builtins(count.oldest)}
            for lane, count in self._daemon.store.counts().items()
        }
        return {"epoch": self._daemon.store.epoch, "waiting": {name: lane["waiting"] for name, lane in lanes.items()},
                "lanes": lanes, "unsaved": self._daemon.pipeline.keeper.waiting(),
                "dropped": self._daemon.pipeline.keeper.dropped, "given_up": self._daemon.store.given_up(),
                "written": _written(self._daemon.store.writes(), now_s - self._daemon.started_mono_s),
                "reason": trouble.reason if trouble else "", "cure": trouble.cure if trouble else ""}

    async def _discover(self, request: dict[str, Any]) -> Any:
        try:
            return await self._daemon.fleet.discover(str(request["bus"]), float(request.get("seconds", 10.0)))
        except SpiError as error:
            raise Refused(error.reason, error.cure) from error

    async def _reload(self, request: dict[str, Any]) -> Any:
        """Read the configuration again and change over; refused as a whole if anything is wrong with it."""
        del request
        try:
            text = await asyncio.to_thread(read, self._daemon.config.path)
            config, problems = salvage(text, self._daemon.config.path, *types(self._daemon.registry))
            if config is None or problems:
                raise ConfigError(self._daemon.config.path, problems)
        except ConfigError as error:
            raise Refused(str(error), "mend the file (`anju config check`), then try again") from error
        restart = [name for name in ("gateway", "city", "store", "voice", "detect")
                   if getattr(config, name) != getattr(self._daemon.config, name)]
        await self._daemon.fleet.apply(config)
        self._daemon.problems = []
        self._daemon.pipeline.rules = rules(config)
        self._daemon.places, self._daemon.people = places(config), people(config)
        self._daemon.pipeline.show()
        await asyncio.to_thread(keep, text, self._daemon.config)
        return {"devices": sorted(config.devices), "needs_restart": restart}

    async def _test_alarm(self, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Raise a test alarm and tell each state it reaches, until the city has it or the time is up."""
        limit_s = float(request.get("seconds", TEST_WAIT_S))
        began_s = self._daemon.clock.mono_s()
        facts = self._daemon.tail.watch()
        waiting = asyncio.ensure_future(anext(facts))
        await asyncio.sleep(0)  # the watch must stand before the alarm is raised
        id_ = self._daemon.pipeline.test_alarm()
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    fact = await waiting
                    waiting = asyncio.ensure_future(anext(facts))
                    if fact.what == "alarm" and fact.data.get("alarm") == id_:
                        after_ms = round((self._daemon.clock.mono_s() - began_s) * 1000, 1)
                        yield {"state": fact.data["state"], "after_ms": after_ms}
                        if fact.data["state"] not in ("raised", "sent"):
                            return
        except TimeoutError:
            raise Refused(f"the centre has not answered within {limit_s:g} s",
                          "look at `anju status`; the alarm stays in the outbox until the city has it") from None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await facts.aclose()

    async def _tail(self, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
        del request
        async for fact in self._daemon.tail.watch():
            yield msgspec.to_builtins(fact)


def _written(writes: Writes, uptime_s: float) -> dict[str, Any]:
    """What the store has written, and what that makes in a day; before an hour has passed that says nothing."""
    a_day = 86400 / uptime_s if uptime_s >= DAY_FROM_S else None
    return {"bytes": writes.bytes, "bytes_a_day": a_day and round(writes.bytes * a_day),
            "fsyncs": writes.fsyncs, "fsyncs_a_day": a_day and round(writes.fsyncs * a_day)}


def _clock(now: Stamp, step: Step | None) -> dict[str, Any]:
    """How the clock stands, and when it was set last while the daemon ran."""
    stepped = step and {"by_s": round(step.by_s, 1), "ago_s": round(now.mono_s - step.mono_s, 1)}
    return {"wall_s": now.wall_s, "quality": now.quality.value, "boot_id": now.boot_id, "stepped": stepped}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    """An open alarm, in the words of all that noticed it."""
    told: dict[str, Any] = msgspec.to_builtins(alarm)
    told["finding"]["words"] = fusion.words(alarm, alarm.finding)
    return told


def _once(verb: Callable[[dict[str, Any]], Any]) -> Verb:
    async def answer(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
        yield verb(request)

    return answer


def _once_async(verb: Callable[[dict[str, Any]], Awaitable[Any]]) -> Verb:
    async def answer(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
        yield await verb(request)

    return answer
