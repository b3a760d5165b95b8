"""kill -9 at any moment loses nothing that was accepted."""

import asyncio
import random
import sys
from pathlib import Path

from gateway.model.event import Lane
from gateway.store import Store

KILLS = 24
SEED = 20_260_101


async def _write_and_kill(folder: Path, run: int, after_s: float) -> list[tuple[Lane, str]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.store_writer", str(folder), str(run),
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2], limit=1 << 22,
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    reading = asyncio.create_task(child.stdout.read())
    await asyncio.sleep(after_s)
    child.kill()
    output = (await reading).decode()
    await child.wait()
    whole = output[: output.rfind("\n") + 1].splitlines()
    return [(Lane(int(line.split()[0])), line.split()[1]) for line in whole]


async def test_nothing_accepted_is_lost_by_any_of_many_kills(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    accepted: list[tuple[Lane, str]] = []
    for run in range(KILLS):
        accepted += await _write_and_kill(tmp_path, run, chance.uniform(0.01, 0.25))
    store = await Store.open(tmp_path)
    rows = await store.next_rows(dict.fromkeys(Lane, 0), 1_000_000)
    alarms = {alarm.id for alarm in await store.open_alarms()}
    await store.close()
    assert len(accepted) > KILLS
    assert set(accepted) <= {(row.lane, row.event.id) for row in rows}
    assert {event_id for lane, event_id in accepted if lane is Lane.ALARM} <= alarms
    for lane in Lane:
        seqs = [row.seq for row in rows if row.lane is lane]
        assert seqs == list(range(1, len(seqs) + 1))
