"""The machine's clocks, read in one place: monotonic for order, wall for people, and how far to trust the wall."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.model.time import MOVED_S, ClockQuality, Stamp

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNCD_MARK = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8), "Files"
_EARLIEST_WALL_S = 1_767_225_600.0  # 2026-01-01: no gateway ran before; an earlier clock was never set
_STA_UNSYNC = 0x0040  # adjtimex(2)
_ERROR_GROWS = 500e-6  # by so much a second does the kernel's `maxerror` grow while no server answers (adjtimex(2))
_TOGETHER_S = 0.01  # two clocks read within this belong together
_TRIES = 3


class _Timex(ctypes.Structure):
    """The head of struct timex, adjtimex(2); the tail is room for the kernel to write to."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("tail", ctypes.c_char * 256),
    )


def kernel_synced_s() -> float | None:
    """Return how long ago, at most, a time server steered the kernel's clock; None where the kernel knows of none."""
    timex = _Timex()
    result: int = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    return None if result < 0 or timex.status & _STA_UNSYNC else timex.maxerror / 1e6 / _ERROR_GROWS


def timesyncd_mark_s() -> float | None:
    """Return the wall time at which systemd-timesyncd touched its mark, as it does at every answer; None if never."""
    try:
        return _TIMESYNCD_MARK.stat().st_mtime
    except OSError:
        return None


def judge(wall_s: float, synced: bool) -> ClockQuality:
    """Name the quality of a wall time."""
    if synced:
        return ClockQuality.SYNCED
    return ClockQuality.RESTORED if wall_s >= _EARLIEST_WALL_S else ClockQuality.UNSET


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set, by `by_s`, not long before `mono_s`."""

    mono_s: float
    by_s: float


@dataclass
class Clock:
    """Stamps moments. `kernel` and `mark` vouch for the wall clock; a bench puts its own sources in their places.

    A step that nobody vouched for takes the quality SYNCED away: the kernel forgets that it was synced when somebody
    sets its clock, and a mark of timesyncd that is older than the step says nothing of it. Without a step the clock
    stays SYNCED when its servers fall silent; `confirmed_mono_s` tells when one last vouched for it.
    """

    boot_id: str
    quality: ClockQuality = ClockQuality.UNSET
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    kernel: Callable[[], float | None] = kernel_synced_s
    mark: Callable[[], float | None] = timesyncd_mark_s
    step: Step | None = None  # the last one
    confirmed_mono_s: float = 0.0
    _ahead_s: float | None = field(default=None, repr=False)  # of the wall clock, when last looked at
    _mark_s: float | None = field(default=None, repr=False)
    _distrusted_s: float | None = field(default=None, repr=False)

    @classmethod
    def of_this_boot(cls) -> "Clock":
        clock = cls(_BOOT_ID.read_text(encoding="ascii").strip())
        clock.look()
        return clock

    def look(self) -> None:
        """Judge the wall clock anew; the daemon does it every few seconds, off the event loop."""
        mono_s, wall_s = self._read()
        kernel_s, mark_s = self.kernel(), self.mark()
        ahead_s = wall_s - mono_s
        if self._stepped(ahead_s):
            self.step = Step(mono_s, ahead_s - (self._ahead_s or 0.0))
            if kernel_s is None and mark_s == self._mark_s:
                self._distrusted_s = mark_s
        ago_s = [] if kernel_s is None else [kernel_s]
        if mark_s is not None and mark_s != self._distrusted_s:
            ago_s.append(wall_s - mark_s)
        quality = judge(wall_s, synced=bool(ago_s))
        if quality is ClockQuality.SYNCED:
            self.confirmed_mono_s = mono_s - min(max(0.0, min(ago_s)), mono_s)
            self._ahead_s, self.quality = ahead_s, quality  # in this order: stamp() runs beside this
        else:
            self.quality, self._ahead_s = quality, ahead_s
        self._mark_s = mark_s

    def mono_s(self) -> float:
        return self.monotonic()

    def stamp(self, mono_s: float | None = None) -> Stamp:
        """Stamp the moment `mono_s` of this boot, by default now."""
        now_mono_s, wall_s = self._read()
        at_s = now_mono_s if mono_s is None else mono_s
        quality = judge(wall_s, synced=False) if self._stepped(wall_s - now_mono_s) else self.quality
        return Stamp(self.boot_id, at_s, wall_s - (now_mono_s - at_s), quality)

    def _stepped(self, ahead_s: float) -> bool:
        """Tell whether the wall clock was set since it was looked at."""
        return self._ahead_s is not None and abs(ahead_s - self._ahead_s) > MOVED_S

    def _read(self) -> tuple[float, float]:
        """Read both clocks at one moment: a process that was held up in between would see a step."""
        for _ in range(_TRIES):
            mono_s, wall_s = self.monotonic(), self.wall()
            if self.monotonic() - mono_s < _TOGETHER_S:
                break
        return mono_s, wall_s
