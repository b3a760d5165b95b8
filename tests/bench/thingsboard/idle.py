"""Idle: what each product takes of the machine when nothing happens: its whole program, connected, left alone."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from tests.bench.lab import Lab, bare_gateway
from tests.bench.thingsboard.chain import peer_gateway, platform
from tests.bench.thingsboard.comparison import LOWER, Comparison
from tests.system.broker import city, mosquitto

SETTLE_S, WATCH_S = 5.0, 15.0
_CONNECT_S = 30.0


@dataclass(frozen=True, slots=True)
class Use:
    """Of a process."""

    rss_mb: float
    threads: int
    cpu_percent: float


async def watched(pid: int, for_s: float) -> Use:
    """Watch a process for so long (proc_pid_stat(5), proc_pid_status(5))."""
    before_s = _cpu_s(pid)
    await asyncio.sleep(for_s)
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Use(int(status["VmRSS"].split()[0]) * 1024 / 1e6, int(status["Threads"]),
               100 * (_cpu_s(pid) - before_s) / for_s)


async def idle(lab: Lab) -> list[Comparison]:
    watch_s = WATCH_S * min(1.0, max(0.2, lab.scale))
    with lab.room() as room:
        ours, theirs = await asyncio.gather(_ours(room / "ours", watch_s), _theirs(room / "theirs", watch_s))
    why = ("ThingsBoard: threads that look into their queues every 10-200 ms. Anju: an event loop and a thread for the "
           "store, which sleep until something comes")
    base = "Both: Python itself, an MQTT client, SQLite. ThingsBoard with one MQTT connector, Anju without devices"
    return [Comparison("idle: resident memory", "MB", LOWER, ours.rss_mb, theirs.rss_mb, base),
            Comparison("idle: threads", "", LOWER, ours.threads, theirs.threads, why),
            Comparison("idle: processor", "% of a core", LOWER, ours.cpu_percent, theirs.cpu_percent, why)]


async def _ours(folder: Path, watch_s: float) -> Use:
    folder.mkdir(parents=True)
    async with mosquitto(folder) as broker, city(folder, broker.port):
        gateway = bare_gateway(folder, broker.port)
        try:
            await gateway.start()
            async with asyncio.timeout(_CONNECT_S):
                while not (await gateway.ask("status"))["city"]["connected"]:
                    await asyncio.sleep(0.2)
            await asyncio.sleep(SETTLE_S)
            return await watched(gateway.program.pid, watch_s)
        finally:
            await gateway.program.stop()


async def _theirs(folder: Path, watch_s: float) -> Use:
    folder.mkdir()
    async with mosquitto(folder) as sensors, platform(folder) as where, \
            peer_gateway(folder / "gateway", where, sensors.port) as gateway:
        await gateway.ready()
        await asyncio.sleep(SETTLE_S)
        return await watched(gateway.program.pid, watch_s)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
