"""The live demo: a quiet home, and keys for everything that can happen in it."""

import asyncio
import os
import sys
import termios
import time
import tty
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from hil.resources.process import rss_mb
from hil.scenarios.board import FAILED, Board
from hil.scenarios.city import CityWatch, Event, cause_mono_s
from hil.scenarios.follow import tail, voice
from hil.scenarios.technician import add_zigbee
from hil.strategies.home import CANCEL_PIN, FLAT_INPUT, SOS_PIN, Home

MOVES = ("walk", "sit_down", "clap", "sitting")


class Play:
    """One live session; ends with q or Ctrl-C.

    What a key does runs beside all else. A key pressed again waits for its own last doing, so that a door that is
    opened and shut ends shut; a measurement holds up nothing.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("s SOS", "i I am fine", "f fall", "m smoke", "d door", "w move",
                                       "a bracelet away/back", "c cut/heal link", "k kill", "q quit")

    def __init__(self, home: Home, board: Board) -> None:
        self._home, self._board = home, board
        self._city = CityWatch(home, board)
        self._away = self._cut = self._smoke = self._door_open = False
        self._ieee: dict[str, str] = {}
        self._moves = 0
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # of each key; a Lock is fair
        self._tasks: set[asyncio.Task[None]] = set()
        self._does: dict[str, Callable[[], Awaitable[None]]] = {
            "s": self._sos, "i": self._fine, "f": self._fall, "m": self._smoke_alarm, "d": self._door,
            "w": self._walk, "a": self._range, "c": self._link,
            "k": self._kill,
        }

    async def run(self) -> dict[str, Any]:
        """Start the gateway and do what the keys say until q."""
        await self._home.gateway.start()
        self._board.did(f"gateway ready after {self._home.gateway.start_s:.2f} s")
        async with asyncio.TaskGroup() as self._group:
            for following in (self._city.run(), tail(self._home.gateway, self._board),
                              voice(self._home.spoken, self._board), self._facts(), self._guarded(self._add_zigbee)):
                self._go(following)
            async with _keys() as keys:
                while (key := await keys.get()) != "q":
                    if act := self._does.get(key):
                        self._go(self._guarded(self._in_turn, key, act))
            for task in self._tasks:
                task.cancel()
        return {}

    def _go(self, what: Coroutine[Any, Any, None]) -> None:
        """Let it run until it ends or the demo does."""
        task = self._group.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_turn(self, key: str, act: Callable[[], Awaitable[None]]) -> None:
        async with self._turns[key]:
            await act()

    async def _guarded(self, act: Callable[..., Awaitable[None]], *given: Any) -> None:
        try:
            await act(*given)
        except Exception as error:  # noqa: BLE001 - a key that fails is shown, the demo goes on
            self._board.did(f"{FAILED} {error or type(error).__name__}")

    async def _facts(self) -> None:
        while True:
            try:
                status = await self._home.gateway.ask("status")
                city = status["city"]
                waiting = " ".join(f"{lane} {count}" for lane, count in city["waiting"].items())
                alarms = [f"{alarm['finding']['kind']} {alarm['state']}" for alarm in status["alarms"]]
                self._board.facts = {
                    "gateway": f"{status['state']}, {rss_mb(self._home.gateway.program.pid)} MB",
                    "city": city["state"], "waiting": waiting,
                    "alarms": ", ".join(alarms) or "none open",
                }
            except (OSError, RuntimeError, TimeoutError, ValueError, KeyError):
                self._board.facts = {"gateway": "down"}
            await asyncio.sleep(0.5)

    async def _sos(self) -> None:
        self._board.did("SOS pressed")
        await self._timed("SOS", "sos", self._home.do("gpio", "press", pin=SOS_PIN))

    async def _fine(self) -> None:
        self._board.did("\"I am fine\" pressed")
        await self._home.do("gpio", "press", pin=CANCEL_PIN)

    async def _fall(self) -> None:
        self._board.did("FALL")
        await self._timed("fall, from the impact", "fall", self._home.do("bracelet", "fall", 60.0))

    async def _smoke_alarm(self) -> None:
        self._smoke = not self._smoke
        self._board.did("smoke at the panel" if self._smoke else "the smoke is gone")
        done = self._home.do("modbus", "input", address=FLAT_INPUT, active=self._smoke)
        if self._smoke:
            await self._timed("smoke, panel", "smoke", done)
        else:
            await done

    async def _add_zigbee(self) -> None:
        self._ieee = await add_zigbee(self._home, self._board)
        self._board.did("the technician is done: there is a front door now")

    async def _door(self) -> None:
        if "door" not in self._ieee:
            self._board.did("there is no front door sensor yet")
            return
        self._door_open = not self._door_open
        self._board.did("front door opened" if self._door_open else "front door shut")
        await self._home.do("zigbee", "zone", ieee=self._ieee["door"], bits=int(self._door_open))

    async def _walk(self) -> None:
        move = MOVES[self._moves % len(MOVES)]
        self._moves += 1
        self._board.did(f"the wearer: {move}")
        await self._home.do("bracelet", "move", name=move)

    async def _range(self) -> None:
        self._away = not self._away
        self._board.did("the bracelet is out of range" if self._away else "the bracelet is back")
        await self._home.do("bracelet", "away" if self._away else "back")

    async def _link(self) -> None:
        self._cut = not self._cut
        self._board.did("link to the city cut" if self._cut else "link to the city healed")
        await self._home.do("broker", "cut" if self._cut else "heal")

    async def _kill(self) -> None:
        await self._home.gateway.program.kill()
        self._board.did("gateway killed (SIGKILL)")
        began_s = time.monotonic()
        await self._home.gateway.start()
        self._board.did(f"gateway back after {time.monotonic() - began_s:.1f} s")

    async def _timed(self, name: str, kind: str, cause: Awaitable[dict[str, Any]]) -> None:
        """Cause it; measure beside all else how long it takes to the city's commit, if the link is up."""
        mark = self._city.mark()
        caused_s = cause_mono_s(await cause)
        if not self._cut:
            self._go(self._guarded(self._measured, name, kind, caused_s, mark))

    async def _measured(self, name: str, kind: str, caused_s: float, mark: int) -> None:
        def of_this_cause(event: Event) -> bool:
            return bool(event["type"] in ("anju.alarm.raised", "anju.alarm.repeated")
                        and event["data"]["kind"] == kind and int(event["monotonicms"]) >= int(caused_s * 1000))

        event = await self._city.wait(kind, of_this_cause, mark, 15.0)
        self._board.took(name, event["committed_mono_s"] - caused_s)


@asynccontextmanager
async def _keys() -> AsyncIterator["asyncio.Queue[str]"]:
    """Keys as they are pressed; without a terminal, none."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    if not sys.stdin.isatty():
        yield queue
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, lambda: queue.put_nowait(os.read(fd, 1).decode(errors="replace")))
    try:
        yield queue
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
