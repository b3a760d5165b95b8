"""The board as the bench runs it, and pins on gpiozero's mock and on the board, wired the same way."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from hil.devices.gpio.factory import BenchFactory
from hil.resources import control
from hil.resources.process import Program


@asynccontextmanager
async def running_board(folder: Path) -> AsyncIterator[Path]:
    """The control socket of a board in a process of its own."""
    program = Program.module("hil.devices.gpio", "--control", folder / "gpio.sock", log=folder / "log")
    await program.start_ready()
    yield folder / "gpio.sock"
    assert await program.stop() == 0


@pytest.fixture(scope="session")
def board_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One board for all tests: it outlives them as it outlives gateways."""
    socket = tmp_path_factory.mktemp("board") / "gpio.sock"
    with subprocess.Popen([sys.executable, "-m", "hil.devices.gpio", "--control", str(socket)],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        yield socket
        process.terminate()


@pytest.fixture
async def board(board_process: Path) -> Path:
    """The control socket of a board to which nothing is wired."""
    await control.call(board_process, "reset")
    return board_process


@dataclass
class Bench:
    """A pin factory, and the hand that closes (True) and opens (False) a contact between a pin and ground."""

    factory: Any
    contact: Callable[[int, bool], Awaitable[float]]


@pytest.fixture(params=["mock", "bench"])
async def bench(request: pytest.FixtureRequest, board: Path) -> AsyncIterator[Bench]:
    """Every test that asks for this runs on gpiozero's own mock and on the board."""
    if request.param == "mock":
        mock = MockFactory()
        yield Bench(mock, mocked(mock))
        mock.close()
    else:
        factory = await asyncio.to_thread(BenchFactory, str(board))
        yield Bench(factory, wired(factory, board))
        await asyncio.to_thread(factory.close)


def mocked(mock: MockFactory) -> Callable[[int, bool], Awaitable[float]]:
    """A contact between a mock pin and ground."""

    async def contact(number: int, closed: bool) -> float:
        mono_s = time.monotonic()
        pin = mock.pin(number)
        (pin.drive_high if not closed and pin.pull == "up" else pin.drive_low)()
        return mono_s

    return contact


def wired(factory: BenchFactory, socket: Path) -> Callable[[int, bool], Awaitable[float]]:
    """A contact between a pin of the board and ground; returns once the factory knows."""

    async def contact(number: int, closed: bool) -> float:
        answer = await control.call(socket, "level", pin=number, active=closed)
        high = not closed and factory.pin(number).pull == "up"
        async with asyncio.timeout(2):
            while factory.pin(number).state is not high:
                await asyncio.sleep(0.001)
        return float(answer["mono_s"])

    return contact
