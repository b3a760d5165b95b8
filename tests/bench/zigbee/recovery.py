"""How long until alarms are heard again: stick plugged in again, hung, reset, swapped for a blank one; host killed.

Each time every one of the 40 devices must be up again afterwards, or the benchmark fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.bench.lab import Lab
from tests.bench.result import Limit, Row, at_most, measured
from tests.bench.zigbee.home import Home, furnished

ROUNDS = 3
UNPLUGGED_S, HUNG_S = 3.0, 5.0


async def _replug(home: Home) -> float:
    await home.stick("unplug")
    await asyncio.sleep(UNPLUGGED_S)
    await home.stick("plug")
    return await home.heard_again_s(time.monotonic())


async def _hang(home: Home) -> float:
    begun_s = time.monotonic()
    await home.stick("hang")
    await asyncio.sleep(HUNG_S)
    await home.stick("hang", on=False)
    return await home.heard_again_s(begun_s)


async def _reset(home: Home) -> float:
    await home.stick("reset")
    return await home.heard_again_s(time.monotonic())


async def _swap(home: Home) -> float:
    return await home.heard_again_s(await home.swap_stick())


async def _killed(home: Home) -> float:
    return await home.heard_again_s(home.kill_host())


WAYS: tuple[tuple[str, Callable[[Home], Awaitable[float]], Limit, str], ...] = (
    ("stick plugged in again", _replug, at_most(5), f"after {UNPLUGGED_S:g} s without"),
    ("stick hung", _hang, at_most(10), f"for {HUNG_S:g} s, counted from the beginning"),
    ("stick reset by itself", _reset, at_most(5), ""),
    ("stick swapped for a blank one", _swap, at_most(15), "from the moment it is plugged in"),
    ("host killed", _killed, at_most(5), "from the kill; the daemon starts it again"),
)


async def run(lab: Lab) -> list[Row]:
    rows = []
    with lab.room() as folder:
        async with furnished(folder) as home:
            for name, way, limit, note in WAYS:
                seconds = [await way(home) for _ in range(1 if way is _swap else lab.size(ROUNDS))]
                rows.append(measured(f"{name}: alarms again", "s", seconds, limit, note))
    return rows
