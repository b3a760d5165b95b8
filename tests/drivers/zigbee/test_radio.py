"""The radio by itself: what it leaves behind."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.zigbee.radio import Radio


@pytest.mark.parametrize("turns", [1, 3, 8, 20, 60])
async def test_a_start_that_is_cancelled_while_the_database_opens_leaves_no_task_behind(
        tmp_path: Path, turns: int) -> None:
    """What it leaves is found by the rule for every test: no task may outlive it."""
    hearer: Any = None  # nothing is heard before the port is open
    radio = Radio(str(tmp_path / "no-such-port"), [15], tmp_path, hearer, lambda call: call, lambda: 0.0)
    starting = asyncio.ensure_future(radio.start())
    for _ in range(turns):
        await asyncio.sleep(0.001)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError, OSError):
        await starting
    await radio.stop()
