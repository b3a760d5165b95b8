"""The gateway under test: off, or ready. The bench stands where systemd stands, and asks as a technician does."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from hil.resources.process import Program


class Gateway:
    """One `anju run` on a configuration file, with $NOTIFY_SOCKET held by the bench."""

    def __init__(self, config: Path, run_dir: Path, log: Path, environment: Mapping[str, str]) -> None:
        self.config, self.run_dir = config, run_dir
        self._notify_path = run_dir.parent / "notify.sock"
        environment = dict(environment) | {"NOTIFY_SOCKET": str(self._notify_path)}
        self.program = Program("anju", [sys.executable, "-m", "gateway.app", "run", "--config", str(config)], log,
                               environment)
        self.start_s = 0.0  # of the last start, until READY=1

    async def start(self, timeout_s: float = 20.0) -> None:
        """Start it and wait for READY=1. Raises ProcessFailed."""
        self._notify_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(self._notify_path))
            notify.setblocking(False)
            started_mono_s = time.monotonic()
            await self.program.start()
            try:
                async with asyncio.timeout(timeout_s):
                    while b"READY=1" not in (await asyncio.get_running_loop().sock_recv(notify, 4096)).splitlines():
                        pass
            except TimeoutError:
                raise self.program.failed(f"was not ready after {timeout_s:g} s") from None
            self.start_s = time.monotonic() - started_mono_s

    async def ask(self, verb: str, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Ask the control socket one thing. Raises RuntimeError with the gateway's own words."""
        async with asyncio.timeout(timeout_s):
            async for answer in self.stream(verb, **arguments):
                return answer
        raise RuntimeError(f"{verb}: no answer")

    async def stream(self, verb: str, **arguments: Any) -> AsyncIterator[Any]:
        """Ask the control socket for a stream of answers."""
        reader, writer = await asyncio.open_unix_connection(self.run_dir / "control.sock", limit=1 << 22)
        try:
            writer.write(json.dumps({"verb": verb} | arguments).encode() + b"\n")
            await writer.drain()
            while line := await reader.readline():
                answer = json.loads(line)
                if not answer["ok"]:
                    raise RuntimeError(f"{verb}: {answer['error']}: {answer['cure']}")
                yield answer["result"]
        finally:
            writer.close()

    async def wait_devices(self, state: str, names: set[str], timeout_s: float = 30.0) -> None:
        """Wait until each of these devices is in `state`."""
        seen: dict[str, str] = {}
        try:
            async with asyncio.timeout(timeout_s):
                while not names <= {name for name, is_ in seen.items() if is_ == state}:
                    await asyncio.sleep(0.1)
                    seen = {device["device"]: device["state"] for device in (await self.ask("status"))["devices"]}
        except TimeoutError:
            raise TimeoutError(f"not all {state} after {timeout_s:g} s: {seen}") from None
