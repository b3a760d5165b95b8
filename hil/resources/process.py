"""Programs of the bench: started, waited for until they say so, ended with the bench."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STOP_S = 5.0
_SETPRIV = shutil.which("setpriv")  # util-linux, which every Debian has
_TIED = [_SETPRIV, "--pdeathsig", "TERM", "--"] if _SETPRIV else []
"""Ends a program together with the bench, be that killed with SIGKILL (PR_SET_PDEATHSIG(2const)). Set by a program that
becomes the one to start: Python code between fork and exec (preexec_fn) may deadlock. TERM, so that a program takes its
own children and links with it."""


class ProcessFailed(Exception):
    """A program of the bench did not come up; the message ends with where its log is."""


class Program:
    """One program in a session of its own, which ends with the bench at the latest. Its standard error goes to `log`.

    start() belongs into the main thread: the kernel takes the end of the thread that started a program for the bench's.
    """

    def __init__(self, name: str, arguments: list[str], log: Path,
                 environment: Mapping[str, str] | None = None) -> None:
        self.name, self.log = name, log
        self._arguments, self._environment = arguments, dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    def module(cls, module: str, *arguments: object, log: Path,
               environment: Mapping[str, str] | None = None) -> "Program":
        """A Python module of this environment."""
        return cls(module, [sys.executable, "-m", module, *map(str, arguments)], log, environment)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessFailed(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, stdout: int = asyncio.subprocess.DEVNULL) -> None:
        """Start it; do not wait until it is of use."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *_TIED, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=log,
                env=os.environ | self._environment, start_new_session=True)

    async def start_ready(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """Start it and wait for its first line, a JSON object."""
        await self.start(asyncio.subprocess.PIPE)
        assert self._process
        assert self._process.stdout
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
            ready: dict[str, Any] = json.loads(line)
        except (TimeoutError, json.JSONDecodeError) as error:
            await self.kill()
            raise self.failed("did not come up") from error
        return ready

    def failed(self, how: str) -> ProcessFailed:
        """Return the error to raise, with the last lines that the program wrote."""
        tail = " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
        return ProcessFailed(f"{self.name} {how}: {tail or 'no word'}: see {self.log}")

    async def stop(self) -> int | None:
        """End it politely, then by force; return its exit code."""
        if self._process is None:
            return None
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
        await self.kill_group()
        return await self._process.wait()

    async def kill(self) -> None:
        """Kill the program itself at once, as the kernel or a power cut would; its children live on."""
        if self._process and self.running:
            self._process.kill()
            await self._process.wait()

    async def kill_group(self) -> None:
        """Kill whatever is left of its session."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (proc_pid_statm(5))."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
