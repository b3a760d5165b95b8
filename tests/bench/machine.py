"""The machine that a run was made on, as far as it tells; and whether its folder lies on a real disk."""

import os
import platform
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_KINDS = {"mmcblk": "SD card or eMMC", "nvme": "NVMe", "vd": "virtual (virtio)", "xvd": "virtual (Xen)",
          "zram": "memory", "ram": "memory", "loop": "a file as a disk", "dm-": "device mapper", "md": "RAID"}


class NoDisk(Exception):
    """The folder does not lie on a disk: nothing measured there would say anything."""


def require_disk(folder: Path) -> None:
    """Raises NoDisk where an fsync costs nothing."""
    _, kind = _mount(folder)
    if kind in IN_MEMORY or _disk(folder).get("kind") == "memory":
        raise NoDisk(f"{folder} lies in memory ({kind}), where an fsync costs nothing: "
                     "give --folder a directory on a disk")


def describe(folder: Path) -> dict[str, Any]:
    """Return what figures depend on. `load`: of the minute before."""
    mount, kind = _mount(folder)
    return {
        "cpu": _cpu(), "cores": os.cpu_count(), "load": load(), "kernel": platform.release(),
        "file_system": kind, "mount_options": mount, "disk": _disk(folder),
        "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "mosquitto": _mosquitto(),
    }


def load() -> float:
    """Return the load of the last minute."""
    return round(os.getloadavg()[0], 2)


def processor_ticks() -> tuple[int, int]:
    """Return the ticks that the processors had since boot, and those that other machines on the same host stole."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    ticks = [int(field) for field in first.split()[1:9]]  # user nice system idle iowait irq softirq steal: proc_stat(5)
    return sum(ticks), ticks[7]


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    for key in ("Model", "model name"):  # a Pi tells the board, others the processor
        if found := re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE):
            return found[1].strip()
    return platform.machine()


def _mount(folder: Path) -> tuple[str, str]:
    """Return the mount options and the type of the file system (proc_pid_mountinfo(5))."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            kind, _, options = after.split()[:3]
            return options, kind
    return "", "unknown"


def _disk(folder: Path) -> dict[str, Any]:
    """Return what /sys tells of the disk below; nothing of file systems without one."""
    device = folder.stat().st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not place.exists():
        return {}
    disk = place.resolve()
    if (disk / "partition").exists():
        disk = disk.parent
    kind = next((kind for prefix, kind in _KINDS.items() if disk.name.startswith(prefix)), None)
    rotates = _sys(disk / "queue" / "rotational") == "1"
    return {"name": disk.name, "kind": kind or ("hard disk" if rotates else "solid state"),
            "rotational": rotates, "model": _sys(disk / "device" / "model") or _sys(disk / "device" / "name"),
            "write_cache": _sys(disk / "queue" / "write_cache")}


def _sys(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _mosquitto() -> str:
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        return ""
    said = subprocess.run([path, "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return found[1] if found else ""
