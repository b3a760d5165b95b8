"""A clock that is wrong by half a century, steps back, steps on by years: nobody at home or at the centre feels it.

The real daemon under libfaketime, which lies about the wall clock alone. libfaketime 0.9.10 breaks time.sleep() of
Python where it leaves the monotonic clock as it is: the voice is off, which is the only part that uses it.
"""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hil.resources.process import Program
from tests.system.daemon import Flat, device, flat
from tests.system.odd_clock import VOUCHER

HOME = """
[gateway]
id = "{id}"
state_dir = "{state}"
run_dir = "{folder}/run"
[city]
host = "localhost"
port = {port}
tls = false
[voice]
output = "none"
[detect]
inactivity_h = 1.0
[devices.bath]
driver = "gpio-button"
pin = 5
[devices.bed]
driver = "gpio-button"
pin = 6
[devices.hall]
driver = "gpio-button"
pin = 13
[devices.fine]
driver = "gpio-button"
pin = 19
button = "cancel"
[bus.modbus]
port = "{folder}/tty-modbus"
[devices.panel]
driver = "modbus-inputs"
unit = 1
inputs.1 = {{ kind = "contact" }}
"""
PINS = {"bath": 5, "bed": 6, "hall": 13, "fine": 19}
YEAR_S = 31_557_600
SUMMER_ENDS_S = datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp()
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


def faketime() -> str:
    """The value of LD_PRELOAD that loads the library, on whatever architecture."""
    program = shutil.which("faketime")
    if program is None:
        pytest.skip("faketime is not installed: apt-get install faketime")
    return subprocess.run([program, "-m", "-f", "+0", "printenv", "LD_PRELOAD"], check=True, capture_output=True,
                          text=True).stdout.strip()


@dataclass
class OddClock:
    """The wall clock of the daemon, and who vouches for it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": faketime(), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
                "FAKETIME_TIMESTAMP_FILE": str(self.folder / "faketime"), VOUCHER: str(self.folder / "voucher"),
                "TZ": BERLIN, "PYTHONPATH": str(Path(__file__).parents[2])}

    def set(self, ahead_s: float, *, synced: bool = False) -> None:
        """Set the wall clock so far ahead of the true one."""
        (self.folder / "voucher").unlink(missing_ok=True)
        new = self.folder / "faketime.new"
        new.write_text(f"{ahead_s:+.3f}\n")
        new.rename(self.folder / "faketime")
        if synced:
            (self.folder / "voucher").touch()


@asynccontextmanager
async def home(folder: Path, clock: OddClock) -> AsyncIterator[Flat]:
    """A flat whose daemon runs on that clock, its broker still away."""
    async with flat(folder, HOME, start=False) as f:
        await f.broker.stop()
        gateway = f.gateway
        arguments = [sys.executable, "-m", "tests.system.odd_clock", "run", "--config", str(gateway.config)]
        gateway.program = Program("anju", arguments, folder / "gateway.log", f.environment | clock.environment | {
            "NOTIFY_SOCKET": str(folder / "notify.sock")})
        try:
            await gateway.start()
            await f.until(lambda s: all(device(s, name)["state"] == "up" for name in (*PINS, "panel")))
            yield f
        finally:
            await gateway.program.stop()
            for left in ("faketime_shm", "sem.faketime_sem"):  # the library leaves them behind
                Path(f"/dev/shm/{left}_{gateway.program.pid}").unlink(missing_ok=True)


async def press(f: Flat, name: str) -> None:
    await f.do("gpio", "press", pin=PINS[name], hold_s=0.02)


async def raised(f: Flat, *names: str) -> dict[str, Any]:
    """Wait until exactly these alarms are open."""
    return await f.until(lambda s: [a["finding"]["device"] for a in s["alarms"]] == list(names))


async def test_a_clock_that_steps_by_years_disturbs_nothing(tmp_path: Path) -> None:
    clock = OddClock(tmp_path)
    truth_s = SUMMER_ENDS_S - 2.0 - time.time()  # the true time of this flat, ahead of this machine's
    clock.set(10.0 - time.time())
    async with home(tmp_path, clock) as f:
        assert (await f.status())["clock"]["quality"] == "unset"
        await f.do("modbus", "input", address=1, active=True)
        await press(f, "bath")
        await raised(f, "bath")

        clock.set(truth_s, synced=True)
        status = await f.until(lambda s: s["clock"]["quality"] == "synced")
        assert status["clock"]["stepped"]["by_s"] > 56 * YEAR_S
        await press(f, "fine")  # half a century later by the clock, but in time
        await raised(f)
        await f.broker.start()  # where the gateway is back before the city, its events go again after a round of 20 s
        await f.until(lambda s: s["city"]["connected"] and not any(s["city"]["waiting"].values()), timeout_s=40.0)

        clock.set(truth_s - 7200.0)
        await press(f, "bed")
        await raised(f, "bed")
        await f.do("modbus", "input", address=1, active=False)
        clock.set(truth_s + 10 * YEAR_S)
        status = await f.until(lambda s: s["clock"]["stepped"]["by_s"] > 9 * YEAR_S)
        assert status["clock"]["quality"] == "restored"
        await press(f, "hall")
        status = await raised(f, "bed", "hall")
        assert [alarm["unreachable"] for alarm in status["alarms"]] == [0, 0]
        await f.do("modbus", "input", address=1, active=True)
        await press(f, "fine")  # in time for both, whatever the clock says
        await raised(f)

        clock.set(truth_s, synced=True)
        status = await f.until(lambda s: s["clock"]["quality"] == "synced" and not any(s["city"]["waiting"].values()))
        assert (status["state"], status["faults"]) == ("ok", [])
        assert status["city"]["reconnects"] == 1  # no step cost the connection
        while time.time() + truth_s <= SUMMER_ENDS_S:  # the local clock goes back an hour meanwhile
            await asyncio.sleep(0.1)
        events = (await f.city("events"))["events"]
    ahead_s = time.time() + truth_s - time.monotonic()
    for event in events:
        told_s = datetime.fromisoformat(event["time"]).timestamp()
        assert told_s == pytest.approx(int(event["monotonicms"]) / 1000 + ahead_s, abs=1.5), event
        assert event["clock"] == "synced"
    alarms = [event for event in events if event["lane"] == "alarm"]
    assert [(event["type"].removeprefix("anju.alarm."), event["subject"]) for event in alarms] == [
        ("raised", "bath"), ("cancelled", "bath"), ("raised", "bed"), ("raised", "hall"), ("cancelled", "bed"),
        ("cancelled", "hall")]
    assert [int(event["sequence"]) for event in alarms] == [1, 2, 3, 4, 5, 6]
    assert sorted(int(event["monotonicms"]) for event in alarms) == [int(event["monotonicms"]) for event in alarms]
    levels = [event["data"]["active"] for event in events if event["subject"] == "panel" and "active" in event["data"]]
    assert levels == [False, True, False, True]
    assert alarms[0]["stampedclock"] == "unset"
    assert alarms[0]["stampedtime"].startswith("1970-01-01T00:00:")
    assert alarms[2]["stampedclock"] == "restored"
