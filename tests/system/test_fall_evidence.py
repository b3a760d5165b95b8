"""A fall in the emulated home, the gateway killed after it: evidence arrives or is told missing, and never twice."""

import asyncio
import struct
import subprocess
import sys
import zlib
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.runtime.pipeline import CUT_SHORT
from hil.strategies.home import Home, too_long

EVIDENCE, RAISED = "anju.fall.evidence", "anju.alarm.raised"
pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("h")
    if why := too_long(folder):
        pytest.skip(why)
    async with Home(folder).kit() as home:
        await home.gateway.start()
        await home.gateway.wait_devices("up", {"bracelet"})
        yield home


async def city_has(home: Home, type_: str, count: int, timeout_s: float = 40.0) -> list[dict[str, Any]]:
    """Wait until the city has so many events of a type."""
    async with asyncio.timeout(timeout_s):
        while len(found := (await home.do("city", "events", type=type_))["events"]) < count:
            await asyncio.sleep(0.1)
    return found


async def fall(home: Home, worn_s: float = 6.0) -> None:
    """Fall, after the detector has seen the wearer for so long."""
    await asyncio.sleep(worn_s)
    await home.do("bracelet", "fall", 60.0)


async def killed(home: Home) -> None:
    await home.gateway.program.kill()
    await home.gateway.start()


async def settled(home: Home) -> None:
    """Wait until the city has all that the gateway has to say."""
    async with asyncio.timeout(20):
        while any((await home.gateway.ask("outbox"))["waiting"].values()):
            await asyncio.sleep(0.1)


def shown(home: Home, *arguments: object) -> str:
    return subprocess.run([sys.executable, "-m", "gateway.app", "falls", *map(str, arguments), "--config",
                           str(home.gateway.config)], capture_output=True, text=True, check=True).stdout


async def test_a_gateway_killed_after_the_alarm_tells_that_the_evidence_is_missing_and_once(home: Home) -> None:
    await fall(home)
    (raised,) = await city_has(home, RAISED, 1)
    await killed(home)
    (told,) = await city_has(home, EVIDENCE, 1)
    assert told["data"]["alarm"] == raised["id"]
    assert told["data"]["missing"] == CUT_SHORT
    assert told["historical"] is True
    assert CUT_SHORT in await asyncio.to_thread(shown, home, "show", raised["id"])
    await killed(home)
    await settled(home)
    assert len(await city_has(home, EVIDENCE, 1)) == 1


@pytest.mark.nightly
async def test_evidence_that_was_complete_arrives_once_though_the_gateway_is_killed_before_it_is_acknowledged(
        home: Home, tmp_path: Path) -> None:
    await fall(home, worn_s=12.0)
    (raised,) = await city_has(home, RAISED, 1)
    await home.do("broker", "cut")
    async with asyncio.timeout(40):
        while not (await home.gateway.ask("falls"))["n"]:
            await asyncio.sleep(0.2)
    await killed(home)
    await home.do("broker", "heal")
    (told,) = await city_has(home, EVIDENCE, 1)
    await settled(home)
    assert len(await city_has(home, EVIDENCE, 1)) == 1
    assert (told["data"]["alarm"], told["data"]["missing"], told["data"]["holes"]) == (raised["id"], "", [])
    values = list(struct.iter_unpack("<3h", zlib.decompress(b64decode(told["data"]["samples"]))))
    (piece,) = told["data"]["pieces"]
    assert len(values) == piece["n"] == 30 * 52
    sizes = [sum(axis * axis for axis in value) for value in values]
    assert abs(sizes.index(max(sizes)) - 520) <= 52  # the impact is in its place
    assert told["data"]["heart_rate"]
    drawing = tmp_path / "fall.svg"
    text = await asyncio.to_thread(shown, home, "show", raised["id"], "--svg", drawing)
    assert "impact" in text
    assert "polyline" in drawing.read_text()
    assert raised["id"] in await asyncio.to_thread(shown, home)
