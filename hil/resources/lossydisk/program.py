"""A lossy disk of one's own, as a program that ends with its context."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hil.resources import control
from hil.resources.process import Program


@dataclass(frozen=True, slots=True)
class LossyDisk:
    """A mounted disk. Calling it does an operation of its control socket."""

    mount: Path
    socket: Path

    async def __call__(self, op: str, /, **arguments: Any) -> dict[str, Any]:
        return await control.call(self.socket, op, **arguments)


def why_not() -> str | None:
    """Return why nobody can mount one here, None where it should work."""
    if find_spec("mfusepy") is None:
        return "mfusepy is missing: install locks/dev.txt"
    if shutil.which("fusermount3") is None:
        return "libfuse 3 is missing: install the Debian package fuse3"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is missing or closed to this user: load the kernel module fuse"
    if os.geteuid() == 0 and not _may_mount():
        return "this root may not mount: it lacks CAP_SYS_ADMIN"
    return None


@asynccontextmanager
async def lossy_disk(folder: Path, size_mb: float = 1024.0, fsync_ms: float = 0.0) -> AsyncIterator[LossyDisk]:
    """Mount one at `folder`/disk, where an fsync of a file takes `fsync_ms` and a little."""
    mount, socket = folder / "disk", folder / "disk.sock"
    mount.mkdir()
    program = Program.module("hil.resources.lossydisk", "--mount", mount, "--control", socket, "--size-mb", size_mb,
                             "--fsync-ms", fsync_ms, log=folder / "disk.log")
    try:
        await program.start_ready()
        yield LossyDisk(mount, socket)
    finally:
        await program.stop()
        if await asyncio.to_thread(_still_mounted, mount):  # it was killed, or a file is still open
            ending = await asyncio.create_subprocess_exec("fusermount3", "-u", "-z", str(mount))
            await ending.wait()


def _still_mounted(mount: Path) -> bool:
    return any(line.split()[4] == str(mount) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def _may_mount() -> bool:
    """Tell whether CAP_SYS_ADMIN (bit 21, capabilities(7)) is among the effective ones."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return bool(int(status["CapEff"], 16) >> 21 & 1)
