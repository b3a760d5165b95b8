"""Programs of the bench end with it, however it ends."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from hil.resources.process import Program

DEVICES = {
    "zigbee": ("hil.devices.zigbee", "--link", "tty-zigbee", "--nvram", "nvram.json"),
    "modbus": ("hil.devices.modbus", "--link", "tty-modbus"),
    "gpio": ("hil.devices.gpio",),
    "broker": ("hil.cloud.broker",),
    "bracelet": ("hil.devices.bracelet", "--mode", "l1"),
}

BENCH = """
import asyncio, json, sys
from pathlib import Path
from hil.resources.process import Program

async def main(folder, module, *arguments):
    program = Program.module(module, "--control", folder / "s.sock", *arguments, log=folder / "log")
    await program.start_ready()
    print(json.dumps(program.pid), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path.cwd(), *sys.argv[1:]))
"""


@pytest.mark.parametrize("name", DEVICES)
async def test_a_device_ends_when_its_bench_is_killed(tmp_path: Path, name: str) -> None:
    bench = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BENCH, *DEVICES[name], cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
    assert bench.stdout is not None
    async with asyncio.timeout(20):
        pid = json.loads(await bench.stdout.readline())
    device = os.pidfd_open(pid)
    try:
        bench.kill()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(device, ended.set)  # a pidfd is readable once its process has ended
        async with asyncio.timeout(10):
            await ended.wait()
        assert not list(tmp_path.glob("tty-*")), "the line's link is left behind"
    finally:
        asyncio.get_running_loop().remove_reader(device)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(device, signal.SIGKILL)
        os.close(device)
        await bench.communicate()


async def test_a_program_is_the_process_that_its_pid_names(tmp_path: Path) -> None:
    program = Program("python", [sys.executable, "-c", "import json, os; print(json.dumps({'pid': os.getpid()}))"],
                      tmp_path / "log")
    assert await program.start_ready() == {"pid": program.pid}
    await program.stop()
