"""Timeline: the seconds that the detectors of routine count, without a step over all boots, and the clock on the wall.

Rules
 1. Within a boot `at_s` follows the monotonic clock, whatever the wall clock does.
 2. After a new start it goes on where it was kept, and what is known to have passed meanwhile is added: by the
    monotonic clock in the same boot; by the wall clock in a new one, if a time server vouched for it before and after;
    else at least the time since that boot began. Where a server answers only later the rest is added then.
 3. Time that was added and nobody watched is `unseen_s`.
"""

from datetime import datetime, tzinfo

import msgspec

from gateway.model.time import ClockQuality, Stamp

UNSEEN_S = 60.0
"""A pause this short is a restart of the service: nobody falls and is forgotten in it."""


class Kept(msgspec.Struct, frozen=True):
    """A moment that was watched. `wall_s`: UNIX seconds by a synced clock, None where none vouched for it."""

    at_s: float
    boot_id: str
    mono_s: float
    wall_s: float | None


class Moment(msgspec.Struct, frozen=True):
    """`local_s`: the flat's wall clock as seconds since 1970 without a zone. `unseen_s`: nobody watched for so long."""

    at_s: float
    local_s: float | None
    unseen_s: float = 0.0


class Timeline:
    """`zone`: the flat's; None is the machine's own. `kept`: the last moment, or that of the last run."""

    def __init__(self, zone: tzinfo | None, kept: Kept | None = None) -> None:
        self._zone, self.kept = zone, kept
        self._began = False
        self._before: Kept | None = None  # the pause before this boot, until a time server tells how long it was

    def moment(self, stamp: Stamp) -> Moment:
        """When that was; never before the last one."""
        last, wall_s = self.kept, stamp.wall_s if stamp.quality is ClockQuality.SYNCED else None
        if last is None:
            last = Kept(0.0, stamp.boot_id, stamp.mono_s, wall_s)
        same = last.boot_id == stamp.boot_id
        if not same and last.wall_s is not None:
            self._before = last
        passed_s = max(stamp.mono_s - last.mono_s, 0.0) if same else stamp.mono_s
        unseen_s = 0.0 if self._began and same else passed_s
        if self._before is not None and self._before.wall_s is not None and wall_s is not None:
            rest_s = wall_s - self._before.wall_s - (last.at_s + passed_s - self._before.at_s)
            passed_s, unseen_s, self._before = passed_s + max(rest_s, 0.0), unseen_s + max(rest_s, 0.0), None
        mono_s = max(stamp.mono_s, last.mono_s) if same else stamp.mono_s
        self.kept, self._began = Kept(last.at_s + passed_s, stamp.boot_id, mono_s, wall_s), True
        return Moment(self.kept.at_s, self._local_s(stamp), unseen_s if unseen_s > UNSEEN_S else 0.0)

    def _local_s(self, stamp: Stamp) -> float | None:
        if stamp.wall_s is None or stamp.quality is ClockQuality.UNSET:
            return None
        try:
            there = datetime.fromtimestamp(stamp.wall_s, self._zone) if self._zone else (
                datetime.fromtimestamp(stamp.wall_s).astimezone())
        except (OverflowError, ValueError, OSError):  # a clock that somebody set beyond what there are dates for
            return None
        ahead = there.utcoffset()
        return stamp.wall_s + (ahead.total_seconds() if ahead else 0.0)
