"""The whole tour as a system test: losses, duplicates and order are judged here, speed by the benchmark alone."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

TOUR_S = 180.0
LATENCIES = {"sos_p50", "smoke_p50", "fall_p50", "door", "floor_p50", "sos_over_floor"}


async def tour(folder: Path) -> tuple[int, dict[str, Any], str]:
    """Run the tour as a person would; return its exit code, its JSON and what it wrote besides."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from hil.cli import main; main()", "demo", "--scenario", "tour", "--json",
        "--keep", str(folder), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(TOUR_S):
            said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)  # its programs end with it
            await process.communicate()
    assert process.returncode in (0, 1), complained.decode()
    return process.returncode, json.loads(said), complained.decode()


@pytest.mark.timeout(TOUR_S + 20)
async def test_a_day_of_trouble_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    code, result, complained = await tour(tmp_path / "tour")
    failed = result["failed"]
    wrong = [entry for entry in failed if not entry["timing"]]
    log = (tmp_path / "tour" / "log" / "gateway.log").read_text(errors="replace")
    assert not wrong, f"{json.dumps(wrong, indent=1)}\n{log[-2000:]}"
    assert code == (1 if failed else 0), complained
    assert all(f"failed: {entry['limit']} is {entry['is']}" in complained for entry in failed)

    assert result["missed"] == []
    assert result["events_lost"] == result["duplicates_after_dedupe"] == 0
    assert result["alarms_caused"] == result["alarms_raised"] == result["alarms_received"] == 25
    assert 0 <= result["link_back_s"] < 30  # a try may fall on the very moment at which the link heals
    assert result["outage"]["alarm_first"] is True
    assert result["outage"]["delivered_late"] >= 3  # the SOS, the smoke and heart rates
    assert result["received_said_after_commit"] is True
    assert result["fall_detected"] is True
    assert set(result["latency_ms"]) == LATENCIES
    assert all(value > 0 for value in result["latency_ms"].values())
    assert result["not_judged"] == [] or "Bumble" in result["bluetooth"]
    assert result["rss_mb"]["daemon"] > 0
    assert result["start_s"] > 0
    assert result["restart_s"] > 0
    assert result["bracelet_back_s"] > 0
    assert result["events_received"] > 100
    assert result["spoken"] >= 5
    assert (tmp_path / "tour" / "voice.wav").stat().st_size > 100_000
