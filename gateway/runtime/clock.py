"""The machine's clocks, read in one place: monotonic for order, wall for people, and how far to trust the wall."""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.model.time import ClockQuality, Stamp

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNCD_MARK = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8), "Files"
_EARLIEST_WALL_S = 1_767_225_600.0  # 2026-01-01: no gateway ran before; an earlier clock was never set
_STA_UNSYNC = 0x0040  # adjtimex(2)


class _Timex(ctypes.Structure):
    """The head of struct timex, adjtimex(2); the tail is room for the kernel to write to."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("tail", ctypes.c_char * 256),
    )


def kernel_synced() -> bool:
    """Tell whether the kernel holds its clock for disciplined (adjtimex: STA_UNSYNC is clear)."""
    timex = _Timex()
    result: int = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return result >= 0 and not timex.status & _STA_UNSYNC


def judge(wall_s: float, kernel: bool, timesyncd: bool) -> ClockQuality:
    """Name the quality of a wall time from what the kernel and timesyncd say."""
    if kernel or timesyncd:
        return ClockQuality.SYNCED
    return ClockQuality.RESTORED if wall_s >= _EARLIEST_WALL_S else ClockQuality.UNSET


@dataclass
class Clock:
    """Stamps moments. A bench or a test puts its own functions in place of the machine's."""

    boot_id: str
    quality: ClockQuality = ClockQuality.UNSET

    @classmethod
    def of_this_boot(cls) -> "Clock":
        clock = cls(_BOOT_ID.read_text(encoding="ascii").strip())
        clock.look()
        return clock

    def look(self) -> None:
        """Judge the wall clock anew; the daemon does it every few seconds, off the event loop."""
        self.quality = judge(time.time(), kernel_synced(), _TIMESYNCD_MARK.exists())

    def mono_s(self) -> float:
        return time.monotonic()

    def stamp(self, mono_s: float | None = None) -> Stamp:
        """Stamp the moment `mono_s` of this boot, by default now."""
        now_mono_s, wall_s = time.monotonic(), time.time()
        at_s = now_mono_s if mono_s is None else mono_s
        return Stamp(self.boot_id, at_s, wall_s - (now_mono_s - at_s), self.quality)
