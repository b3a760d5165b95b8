"""The tour: a day's worth of trouble in two minutes, with what was lost, doubled or late counted at its end.

A technician adds the Zigbee devices; then SOS presses, one of which stays open until the voice says that the centre
has it; smoke over Zigbee and over Modbus, a fall, a door; the link to the broker is cut for a moment and then for 20 s,
an SOS is pressed meanwhile and heart rates go on, and in the middle of the longer cut the gateway is killed and started
again; the bracelet walks out of range and comes back. What the result must hold stands in hil/scenarios/limits.py.
"""

import asyncio
import json
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from hil.resources.process import rss_mb
from hil.scenarios import floor, limits
from hil.scenarios.board import MISSED, Board
from hil.scenarios.city import CityWatch, Event, Missing, alarm, cause_mono_s
from hil.scenarios.follow import tail, voice
from hil.scenarios.technician import ZIGBEE, add_zigbee
from hil.strategies.home import CORRIDOR_INPUT, FLAT_INPUT, SOS_PIN, Home

ROUNDS = 10  # of each press whose latency is measured
SHORT_CUT_S = 2.0
OUTAGE_S = 20.0
WIRED = {"bracelet", "panel", "sos", "fine", "light"}


class Tour:
    """One tour through a home whose kit is running. `result()` after `run()`."""

    def __init__(self, home: Home, board: Board) -> None:
        self._home, self._board = home, board
        self._city = CityWatch(home, board)
        self._caused: Counter[tuple[str, str]] = Counter()  # (kind, device): what must raise an alarm, once each
        self._raised: set[str] = set()  # ids of alarms, by the gateway's own word
        self._missed: list[str] = []  # steps that did not come to their end
        self._not_come = 0  # events that the city should have had
        self._ieee: dict[str, str] = {}
        self._result: dict[str, Any] = {}

    async def run(self) -> dict[str, Any]:
        """Do every step; a step that misses its event is counted as a loss, and the tour goes on."""
        board, gateway = self._board, self._home.gateway
        watching = asyncio.create_task(self._city.run())
        tailing = asyncio.create_task(tail(gateway, board))
        hearing = asyncio.create_task(voice(self._home.spoken, board))
        try:
            await gateway.start()
            board.did(f"gateway started, ready after {gateway.start_s:.2f} s")
            self._result["start_s"] = round(gateway.start_s, 2)
            await gateway.wait_devices("up", WIRED)
            for step in (self._commission, self._floor, self._sos, self._heard, self._smoke_zigbee, self._smoke_modbus,
                         self._fall, self._door, self._memory, self._short_cut, self._outage, self._range,
                         self._settle):
                await self._step(step)
            return await self._sum_up()
        finally:
            for task in (watching, tailing, hearing):
                task.cancel()
            await asyncio.gather(watching, tailing, hearing, return_exceptions=True)

    async def _step(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever went wrong in a step is the tour's result, not its end
            text = f"{step.__name__.strip('_')}: {type(error).__name__}: {error}"
            self._missed.append(text)
            self._not_come += isinstance(error, Missing)
            self._board.did(f"{MISSED} {text}")

    # -- steps -------------------------------------------------------------------------------------------------------

    async def _commission(self) -> None:
        """Add the door contact and the smoke alarm with the technician's own command."""
        self._ieee = await add_zigbee(self._home, self._board)
        await self._home.gateway.wait_devices("up", WIRED | set(ZIGBEE.values()))

    async def _floor(self) -> None:
        self._result["floor_ms"] = round(
            await floor.measure_ms("127.0.0.1", self._home.ports["direct"], self._home.folder), 2)

    async def _sos(self) -> None:
        for _ in range(ROUNDS):
            await self._alarm("sos", "sos", "SOS pressed", lambda: self._home.do("gpio", "press", pin=SOS_PIN))

    async def _heard(self) -> None:
        """Leave an SOS open until the resident hears that the centre has it, which must not come before it does."""
        await self._quiet()
        mark, said = self._city.mark(), len(self._said())
        self._caused["sos", "sos"] += 1
        self._board.did("SOS pressed, until the resident hears that the centre has it")
        await self._home.do("gpio", "press", pin=SOS_PIN)
        event = await self._city.wait("SOS to be heard of", alarm("sos", "sos"), mark)
        try:
            async with asyncio.timeout(20):
                while not (heard := [line for line in self._said()[said:] if line["said"] == "sos received"]):
                    await asyncio.sleep(0.1)
            self._result["received_said_after_commit"] = heard[0]["mono_s"] > event["committed_mono_s"]
            self._board.took("voice: the centre has it", heard[0]["mono_s"] - event["committed_mono_s"])
        except TimeoutError:
            raise TimeoutError("the voice did not say within 20 s that the centre has the SOS") from None
        finally:
            await self._close(event)

    async def _smoke_zigbee(self) -> None:
        for _ in range(ROUNDS // 2):
            await self._alarm("smoke", ZIGBEE["smoke"], "smoke at the Zigbee alarm", lambda: self._zone("smoke", 1))
            mark = self._city.mark()
            await self._zone("smoke", 0)
            await self._cleared(ZIGBEE["smoke"], mark)

    async def _smoke_modbus(self) -> None:
        for _ in range(ROUNDS // 2):
            await self._alarm("smoke", "panel", "smoke at the Modbus panel", lambda: self._input(FLAT_INPUT, True))
            mark = self._city.mark()
            await self._input(FLAT_INPUT, False)
            await self._cleared("panel", mark)

    async def _fall(self) -> None:
        await self._alarm("fall", "bracelet", "FALL", lambda: self._home.do("bracelet", "fall", 60.0))
        self._result["fall_detected"] = True

    async def _door(self) -> None:
        mark = self._city.mark()
        self._board.did("front door opened")
        answer = await self._zone("door", 1)
        event = await self._city.wait("open door", lambda e: _changed(e, ZIGBEE["door"], "contact", True), mark)
        self._board.took("door", event["committed_mono_s"] - answer["mono_s"])
        await self._zone("door", 0)
        await self._input(CORRIDOR_INPUT, True)
        await self._city.wait("corridor door", lambda e: _changed(e, "panel", "contact", True), mark)

    async def _memory(self) -> None:
        status = await self._home.gateway.ask("status")
        self._result["rss_mb"] = {"daemon": rss_mb(self._home.gateway.program.pid),
                                  "zigbee_host": status["buses"]["zigbee"].get("rss_mb")}

    async def _short_cut(self) -> None:
        """Cut the link for a moment and press SOS meanwhile; the running gateway finds its own way back."""
        home, mark = self._home, self._city.mark()
        await home.do("broker", "cut")
        self._board.did("link to the city cut for a moment, SOS pressed meanwhile")
        self._caused["sos", "sos"] += 1
        await home.do("gpio", "press", pin=SOS_PIN)
        await self._accepted("sos")
        await asyncio.sleep(SHORT_CUT_S)
        await home.do("broker", "heal")
        healed_s = time.monotonic()
        event = await self._city.wait("SOS of the short cut", alarm("sos", "sos"), mark)
        self._result["link_back_s"] = round(event["committed_mono_s"] - healed_s, 1)
        await self._close(event)
        await self._settle()

    async def _outage(self) -> None:
        """Cut the link, press SOS, kill the gateway meanwhile, let a door open while it is dead, heal the link."""
        home, board, mark = self._home, self._board, self._city.mark()
        began_s = time.monotonic()
        await home.do("broker", "cut")
        board.did("link to the city cut")
        await asyncio.sleep(4)
        board.did("SOS pressed while the link is cut")
        self._caused["sos", "sos"] += 1
        await home.do("gpio", "press", pin=SOS_PIN)
        await self._accepted("sos")
        await asyncio.sleep(3)
        await home.gateway.program.kill()
        board.did("gateway killed (SIGKILL)")
        self._caused["smoke", ZIGBEE["smoke"]] += 1
        await self._zone("smoke", 1)
        board.did("smoke at the Zigbee alarm while the gateway is dead")
        await asyncio.sleep(0.5)
        await home.gateway.start()
        self._result["restart_s"] = round(home.gateway.start_s, 2)
        board.did(f"gateway started again, ready after {home.gateway.start_s:.2f} s")
        await home.gateway.wait_devices("up", {"bracelet", ZIGBEE["smoke"]})
        await self._zone("smoke", 0)
        await asyncio.sleep(max(0.0, began_s + OUTAGE_S - time.monotonic()))
        await home.do("broker", "heal")
        board.did("link to the city healed")
        sos = await self._city.wait("SOS of the outage", alarm("sos", "sos"), mark, 90.0)
        smoke = await self._city.wait("smoke of the outage", alarm("smoke", ZIGBEE["smoke"]), mark)
        await self._city.wait("heart rates of the outage", lambda e: _late(e, "anju.vitals.summary"), mark)
        late = [event for event in self._city.events[mark:] if event["historical"]]
        self._result["outage"] = {"delivered_late": len(late), "alarm_first": late[0]["id"] == sos["id"]}
        for event in (sos, smoke):
            await self._close(event)

    async def _range(self) -> None:
        mark = self._city.mark()
        await self._home.do("bracelet", "away")
        self._board.did("the bracelet walks out of range")
        await self._city.wait("loss of cover", lambda e: _cover(e, "bracelet", False), mark, 60.0)
        await self._home.do("bracelet", "back")
        self._board.did("the bracelet comes back")
        back_s = time.monotonic()
        event = await self._city.wait("return of cover", lambda e: _cover(e, "bracelet", True), mark, 60.0)
        self._result["bracelet_back_s"] = round(event["committed_mono_s"] - back_s, 1)

    async def _settle(self) -> None:
        """Wait until the outbox is empty."""
        async with asyncio.timeout(30):
            while any((await self._home.gateway.ask("status"))["city"]["waiting"].values()):
                await asyncio.sleep(0.2)
        await asyncio.sleep(0.3)

    # -- what steps are made of --------------------------------------------------------------------------------------

    async def _alarm(self, kind: str, device: str, words: str, cause: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Cause one alarm, see it in the city, have the centre close it, and see that too."""
        mark = self._city.mark()
        self._caused[kind, device] += 1
        self._board.did(words)
        answer = await cause()
        event = await self._city.wait(f"{kind} of {device}", alarm(kind, device), mark)
        name = {"sos": "SOS", "fall": "fall, from the impact"}.get(kind, f"smoke, {device}")
        self._board.took(name, event["committed_mono_s"] - cause_mono_s(answer))
        await self._close(event)

    async def _close(self, event: Event) -> None:
        await self._count()
        await self._home.do("city", "close_alarm", gateway=self._home.gateway_id, alarm=event["id"])
        await self._city.wait(f"closing of {event['id']}", lambda e: e["type"] == "anju.alarm.closed"
                              and e["data"].get("alarm") == event["id"])

    async def _cleared(self, device: str, mark: int) -> None:
        await self._city.wait(f"end of smoke at {device}", lambda e: _changed(e, device, "smoke", False), mark)

    async def _zone(self, profile: str, bits: int) -> dict[str, Any]:
        return await self._home.do("zigbee", "zone", ieee=self._ieee[profile], bits=bits)

    async def _input(self, address: int, active: bool) -> dict[str, Any]:
        return await self._home.do("modbus", "input", address=address, active=active)

    async def _count(self) -> dict[str, Any]:
        """Note the alarms that the gateway has, before the centre closes any; return its status."""
        status: dict[str, Any] = await self._home.gateway.ask("status")
        self._raised |= {alarm["id"] for alarm in status["alarms"]}
        return status

    def _said(self) -> list[dict[str, Any]]:
        """What the voice has begun to say so far."""
        if not self._home.spoken.exists():
            return []
        lines = self._home.spoken.read_text("utf-8").split("\n")[:-1]  # what follows the last one is being written
        return [json.loads(line) for line in lines]

    async def _quiet(self) -> None:
        """Wait until the voice has nothing left to say."""
        async with asyncio.timeout(30):
            while (voice := (await self._home.gateway.ask("status"))["voice"])["speaking"] or voice["waiting"]:
                await asyncio.sleep(0.1)

    async def _accepted(self, kind: str) -> None:
        """Wait until the gateway itself says that it has this alarm."""
        async with asyncio.timeout(10):
            while not any(a["finding"]["kind"] == kind for a in (await self._home.gateway.ask("status"))["alarms"]):
                await asyncio.sleep(0.02)

    # -- the sum -----------------------------------------------------------------------------------------------------

    async def _sum_up(self) -> dict[str, Any]:
        events = self._city.events
        received = {event["id"] for event in events if event["type"] == "anju.alarm.raised"}
        try:
            waiting = (await self._count())["city"]["waiting"]
        except (OSError, RuntimeError, TimeoutError) as error:
            self._missed.append(f"the gateway is down at the end: {error}")
            waiting = {}
        with closing(sqlite3.connect(self._home.folder / "city.db")) as book:
            # Each start of the gateway has an epoch of its own, over which the numbers go on; its memory has another.
            holes = book.execute("select coalesce(sum(top - n), 0) from (select max(seq) top, count(distinct seq) n "
                                 "from number group by gateway, lane, iif(epoch like 'v%', epoch, ''))").fetchone()[0]
        sos, ground = self._board.p50_ms("SOS"), self._result.pop("floor_ms", None)
        smoke = [ms for name, values in self._board.latencies_ms.items() if name.startswith("smoke") for ms in values]
        result = {
            "alarms_caused": self._caused.total(),
            "alarms_raised": len(self._raised),
            "alarms_received": len(received),
            # One loss may be seen from several sides and then counts as often.
            "events_lost": self._not_come + len(self._raised - received) + holes + sum(waiting.values()),
            "duplicates_after_dedupe": limits.duplicates(events, self._caused),
            "latency_ms": {"sos_p50": sos, "smoke_p50": round(statistics.median(smoke), 2) if smoke else None,
                           "fall_p50": self._board.p50_ms("fall, from the impact"), "door": self._board.p50_ms("door"),
                           "floor_p50": ground, "sos_over_floor": round(sos / ground, 2) if sos and ground else None},
            "fall_detected": self._result.pop("fall_detected", False),
            "events_received": len(events),
            "spoken": len(self._said()),
            "bluetooth": {"l2": "fake BlueZ on a private D-Bus", "l1": "bleak backend over Bumble"}[self._home.layer],
            "fall_source": "recording" if self._home.falls else "generator",
            **self._result,
            "missed": self._missed,
        }
        layer = self._home.layer
        return result | {"not_judged": limits.not_judged(layer), "failed": limits.failed(result, layer)}


def _changed(event: Event, device: str, kind: str, active: bool) -> bool:
    return bool(event["type"] == "anju.sensor.changed" and event["subject"] == device
                and event["data"]["kind"] == kind and event["data"]["active"] is active)


def _cover(event: Event, device: str, covered: bool) -> bool:
    return bool(event["type"] == "anju.device.state" and event["subject"] == device
                and event["data"]["covered"] is covered)


def _late(event: Event, kind: str) -> bool:
    return bool(event["type"] == kind and event["historical"])
