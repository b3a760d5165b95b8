"""The live demo: a key works at once, whatever another one is still waiting for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.scenarios import live
from hil.scenarios.board import Board
from hil.scenarios.live import Play


class QuietGateway:
    """A gateway that is up and says nothing."""

    start_s = 0.1

    async def start(self) -> None:
        pass

    async def ask(self, verb: str) -> dict[str, Any]:
        raise OSError(verb)

    async def stream(self, verb: str) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield verb


class Home:
    """Notes what is done in it. A door's movement takes until it is let go; the city has what it is given."""

    def __init__(self, folder: Path) -> None:
        self.gateway, self.spoken = QuietGateway(), folder / "none"
        self.done: list[tuple[str, str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.free = asyncio.Event()

    async def do(self, whom: str, op: str, timeout_s: float = 10.0, /, **arguments: Any) -> dict[str, Any]:
        if op == "events":
            return {"events": [event for event in self.events if event["row"] > arguments["since_row"]]}
        self.done.append((whom, op, arguments.get("bits", arguments.get("pin"))))
        if whom == "zigbee":
            await self.free.wait()
        return {"mono_s": 100.0, "impact_mono_s": 100.0} if op == "fall" else {"mono_s": 100.0}

    async def until(self, *done: tuple[str, str, Any]) -> None:
        async with asyncio.timeout(5):
            while not set(done) <= set(self.done):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def playing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Home, Board, Any]]:
    """A demo that runs until q; yields what presses a key."""
    home, board, keys = Home(tmp_path), Board(), asyncio.Queue[str]()

    @asynccontextmanager
    async def pressed() -> AsyncIterator["asyncio.Queue[str]"]:
        yield keys

    async def added(*_: object) -> dict[str, str]:
        return {"door": "00:01"}

    monkeypatch.setattr(live, "_keys", pressed)
    monkeypatch.setattr(live, "add_zigbee", added)
    demo = asyncio.create_task(Play(home, board).run())  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(5):
            while not any("technician is done" in line for line in board.home):
                await asyncio.sleep(0.005)
        yield home, board, keys.put_nowait
        keys.put_nowait("q")
        async with asyncio.timeout(5):
            assert await demo == {}
    finally:
        demo.cancel()
        await asyncio.gather(demo, return_exceptions=True)


async def test_i_and_q_work_while_the_city_has_not_yet_had_the_sos(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with playing(tmp_path, monkeypatch) as (home, board, press):
        press("s")
        press("i")
        await home.until(("gpio", "press", live.SOS_PIN), ("gpio", "press", live.CANCEL_PIN))
        assert board.latencies_ms == {}


async def test_a_key_pressed_again_waits_for_its_own_last_doing_only(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with playing(tmp_path, monkeypatch) as (home, _, press):
        for key in "ddw":
            press(key)
        await home.until(("bracelet", "move", None), ("zigbee", "zone", 1))
        assert ("zigbee", "zone", 0) not in home.done
        home.free.set()
        await home.until(("zigbee", "zone", 0))


async def test_an_alarm_is_measured_from_its_own_cause_and_not_by_an_older_one(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def event(row: int, monotonicms: str, committed_s: float) -> dict[str, Any]:
        return {"row": row, "type": "anju.alarm.raised", "subject": "sos", "data": {"kind": "sos"}, "historical": False,
                "monotonicms": monotonicms, "committed_mono_s": committed_s}

    async with playing(tmp_path, monkeypatch) as (home, board, press):
        press("s")
        await home.until(("gpio", "press", live.SOS_PIN))
        home.events += [event(1, "99000", 100.001), event(2, "100000", 100.008)]
        async with asyncio.timeout(5):
            while not board.latencies_ms:
                await asyncio.sleep(0.005)
        assert board.latencies_ms["SOS"] == [pytest.approx(8.0)]


async def test_a_key_that_fails_is_told_and_the_demo_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with playing(tmp_path, monkeypatch) as (home, board, press):
        monkeypatch.setattr(home, "do", _refuse)
        press("w")
        async with asyncio.timeout(5):
            while not any("that failed: the wearer is asleep" in line for line in board.home):
                await asyncio.sleep(0.005)


async def _refuse(whom: str, op: str, *_: object, **__: object) -> dict[str, Any]:
    if op == "events":
        return {"events": []}
    raise RuntimeError("the wearer is asleep")
