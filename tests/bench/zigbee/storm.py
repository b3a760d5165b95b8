"""400 alarms from 40 devices at once, and one at a time: when each is at the pipeline's door; what the host weighs.

The line is 115200 baud: a status change of 36 bytes takes 3.1 ms, 400 of them 1.25 s, which no host can better.
"""

import asyncio
import time

from tests.bench.lab import Lab
from tests.bench.result import Row, at_most, measured, percentile
from tests.bench.zigbee.home import DEVICES, PATIENCE_S, Home, furnished

ROUNDS, SINGLES = 10, 200
LINE_S = DEVICES * ROUNDS * 36 * 10 / 115200


async def run(lab: Lab) -> list[Row]:
    with lab.room() as folder:
        async with furnished(folder) as home:
            latencies_ms = [await _single_ms(home, turn) for turn in range(lab.size(SINGLES, least=20))]
            storms_s = [await _storm_s(home) for _ in range(3)]
            await asyncio.sleep(4.0)  # the host tells its weight every 2 s
            rss = home.hosted.health()["rss_mb"]
    return [
        Row("alarm, radio to pipeline, p50", percentile(latencies_ms, 50), "ms", limit=at_most(15),
            note=f"p99 {percentile(latencies_ms, 99):.1f} ms; of this the line takes 3.1 ms"),
        measured(f"{DEVICES * ROUNDS} alarms from {DEVICES} devices, all there and in order", "s", storms_s, at_most(2),
                 note=f"the line alone takes {LINE_S:.2f} s"),
        Row(f"host's memory, {DEVICES} devices", rss, "MB", limit=at_most(90)),
    ]


async def _single_ms(home: Home, turn: int) -> float:
    before = len(home.heard)
    name = f"door-{turn % DEVICES:02}"
    told = await home.stick("zone", ieee=home.ieee[name], bits=1 - turn // DEVICES % 2)
    async with asyncio.timeout(PATIENCE_S):
        while len(home.heard) == before:
            await asyncio.sleep(0.001)
    return (home.heard[before][0] - told["mono_s"]) * 1000


async def _storm_s(home: Home) -> float:
    """Shut every door, then let all move at once; return how long it took to hear it all, in order or not at all."""
    await home.stick("storm", ieees=list(home.ieee.values()), rounds=1, first=0)
    await asyncio.sleep(2.0)
    home.heard.clear()
    begun_s = time.monotonic()
    await home.stick("storm", ieees=list(home.ieee.values()), rounds=ROUNDS, first=1)
    async with asyncio.timeout(PATIENCE_S):
        while len(home.heard) < DEVICES * ROUNDS:
            await asyncio.sleep(0.005)
    for name in home.ieee:
        assert [active for _, device, active in home.heard if device == name] == [
            turn % 2 == 0 for turn in range(ROUNDS)], f"{name}: not in order"
    return home.heard[-1][0] - begun_s
