"""The radio by itself: what it leaves behind."""

import asyncio
import contextlib
import os
import pty
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.zigbee.network import Network
from drivers.bus.zigbee.radio import Radio, explain


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
    monkeypatch.setattr("drivers.bus.zigbee.znp.Application.disconnect", disconnect)
    stopping = asyncio.ensure_future(radio.stop())
    await letting_go.wait()
    stopping.cancel()
    await asyncio.sleep(0)
    gone.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def test_a_frame_through_bellows_is_tapped_before_zigpy_sees_it(tmp_path: Path) -> None:
    from zigpy.types import NWK, AddrMode, AddrModeAddress, SerializableBytes, ZigbeePacket

    from drivers.bus.zigbee import ezsp

    heard: list[tuple[int, int, int, bytes]] = []
    app = ezsp.Application({"device": {"path": "/dev/null"}, "ota": {"enabled": False}} | ezsp.config("/dev/null"))
    ezsp.tap(app, lambda *frame: heard.append(frame), lambda: None)
    alarm = bytes.fromhex("09 07 00 0100 00 17 0000")
    for endpoint in (1, 0):  # endpoint 0 is ZDO: no ZCL frame
        app.packet_received(ZigbeePacket(
            src=AddrModeAddress(AddrMode.NWK, NWK(0x1234)), src_ep=endpoint, dst=AddrModeAddress(AddrMode.NWK, NWK(0)),
            dst_ep=endpoint, profile_id=0x0104, cluster_id=0x0500, data=SerializableBytes(alarm)))
    assert heard == [(0x1234, 1, 0x0500, alarm)]


async def test_a_silicon_labs_stick_that_says_nothing_is_told_with_a_cure(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bus.zigbee.radio.START_S", 1.0)
    master, slave = pty.openpty()
    hearer: Any = None
    port = os.ttyname(slave)
    radio = Radio(Network(port, [15], [], stick="ezsp"), tmp_path, hearer, lambda call: call, lambda: 0.0)
    try:
        with pytest.raises(TimeoutError) as silent:
            await radio.start()
        reason, cure = explain(silent.value, port)
        assert "does not answer" in reason
        assert "ezsp" in cure
    finally:
        await radio.stop()
        os.close(master)
        os.close(slave)
