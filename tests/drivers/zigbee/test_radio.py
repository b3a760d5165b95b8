"""The radio by itself: what it leaves behind."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.zigbee.network import Network
from drivers.bus.zigbee.radio import Radio


@pytest.mark.parametrize("turns", [1, 3, 8, 20, 60])
async def test_a_start_that_is_cancelled_while_the_database_opens_leaves_no_task_behind(
        tmp_path: Path, turns: int) -> None:
    """What it leaves is found by the rule for every test: no task may outlive it."""
    hearer: Any = None  # nothing is heard before the port is open
    radio = Radio(Network(str(tmp_path / "no-such-port"), [15], []), tmp_path, hearer, lambda call: call, lambda: 0.0)
    starting = asyncio.ensure_future(radio.start())
    for _ in range(turns):
        await asyncio.sleep(0.001)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError, OSError):
        await starting
    await radio.stop()


async def test_a_stop_that_is_cancelled_while_a_slow_stick_lets_go_closes_the_database_all_the_same(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letting_go, gone = asyncio.Event(), asyncio.Event()

    async def disconnect(app: Any) -> None:
        letting_go.set()
        await gone.wait()

    hearer: Any = None
    radio = Radio(Network(str(tmp_path / "no-such-port"), [15], []), tmp_path, hearer, lambda call: call, lambda: 0.0)
    with pytest.raises(OSError, match="no-such-port"):
        await radio.start()
    monkeypatch.setattr("drivers.bus.zigbee.radio.ControllerApplication.disconnect", disconnect)
    stopping = asyncio.ensure_future(radio.stop())
    await letting_go.wait()
    stopping.cancel()
    await asyncio.sleep(0)
    gone.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping
