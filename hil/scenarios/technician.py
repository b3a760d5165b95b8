"""The technician of a story: uses the `anju` command as a person would."""

import asyncio
import sys

from hil.scenarios.board import Board
from hil.strategies.home import Home

ZIGBEE = {"door": "front-door", "smoke": "bedroom-smoke"}  # profile on the air -> name in the configuration


async def add_zigbee(home: Home, board: Board) -> dict[str, str]:
    """Add the Zigbee devices to a running gateway; return profile -> IEEE address. Raises RuntimeError."""
    found = {}
    await _radio_up(home)
    for profile, name in ZIGBEE.items():
        board.did(f"the technician adds the {profile}, as {name}")
        adding = asyncio.create_task(anju(home, "devices", "add", "--bus", "zigbee", "--seconds", "4", "--pick", "1",
                                          "--name", name, "--yes"))
        try:
            await _network_open(home)
            found[profile] = (await home.do("zigbee", "join", profile=profile))["ieee"]
            await adding
        finally:
            adding.cancel()
    return found


async def anju(home: Home, *arguments: str) -> None:
    """Run `anju ARGUMENTS`. Raises RuntimeError with what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.app", *arguments, "--config", str(home.gateway.config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL)
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"anju {' '.join(arguments)}: {said.decode().strip()}")


async def _radio_up(home: Home) -> None:
    """Wait until the Zigbee host has its radio running."""
    async with asyncio.timeout(30):
        while (await home.gateway.ask("status"))["buses"]["zigbee"].get("state") != "up":
            await asyncio.sleep(0.1)


async def _network_open(home: Home) -> None:
    """Wait until the stick lets devices join."""
    async with asyncio.timeout(20):
        while not (await home.do("zigbee", "stats"))["open"]:
            await asyncio.sleep(0.05)
