"""A home whose door contact and smoke alarm have joined, made once and copied for each test."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from drivers.bus.zigbee import arranged, database
from tests.drivers.zigbee.bench import DOOR, PATIENCE_S, SMOKE, running, stick


async def _settle(folder: Path) -> None:
    async with stick(folder, "--devices", "door,smoke"), running(folder) as bus:
        while not {DOOR, SMOKE} <= {found["settings"]["ieee"] for found in await bus.discover(2.0)}:
            pass
        async with asyncio.timeout(PATIENCE_S):
            while not _copied(folder):
                await asyncio.sleep(0.05)
    async with asyncio.timeout(PATIENCE_S):  # aiosqlite's threads answer to this loop: it must not end before them
        while any("_connection_worker_thread" in thread.name for thread in threading.enumerate()):
            await asyncio.sleep(0.02)


def _copied(folder: Path) -> bool:
    """Whether the copy of the database, too, knows both devices, and everything is agreed with them."""
    files = [folder / f"{database.NAME}.copy", folder / arranged.NAME]
    return all(file.exists() and ieee.encode() in file.read_bytes() for file in files for ieee in (DOOR, SMOKE))


@pytest.fixture(scope="session")
def settled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    thread = threading.Thread(target=lambda: asyncio.run(_settle(folder)))  # a loop of its own, whatever runs here
    thread.start()
    thread.join()
    return folder


@pytest.fixture
def home(settled_home: Path, tmp_path: Path) -> Path:
    """A folder with the memories of a stick and of a bus that know each other and both devices."""
    return Path(shutil.copytree(settled_home, tmp_path / "home", symlinks=True,
                                ignore=shutil.ignore_patterns("tty", "control")))
