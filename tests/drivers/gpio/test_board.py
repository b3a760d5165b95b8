"""The board tells every change to whoever asks for those after the last one it saw."""

import asyncio

import pytest

from hil.devices.gpio import board
from hil.devices.gpio.board import Board


async def test_a_press_in_the_moment_in_which_a_watch_runs_out_is_told_by_the_next(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "WATCH_S", 0.0)
    for turns in range(6):  # of the loop between the question and the press: one of them is that moment
        wired = Board()
        await wired.handle("configure", {"pin": 17, "function": "input", "pull": "up"})
        seen = (await wired.handle("watch", {}))["number"]
        watch = asyncio.create_task(wired.handle("watch", {"after": seen}))
        for _ in range(turns):
            await asyncio.sleep(0)
        await wired.handle("level", {"pin": 17, "active": True})
        first = await watch
        second = await wired.handle("watch", {"after": first["number"]})
        told = [(pin, high) for _, pin, _, high in first["changes"] + second["changes"]]
        assert told == [(17, False)], f"after {turns} turns"
