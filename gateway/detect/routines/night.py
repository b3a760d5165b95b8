"""When this home's night is: learned half hour by half hour, so that nobody need sleep from ten to six.

For each half hour of the day the share of days is followed on which a person gave a sign in it, out of the bedroom
(exponentially: half of it is of the last 14 days). The night is the longest run in which that share stays below half
of what is usual by day. Time that nobody could see (out, away, gateway down) counts for nothing.
"""

import msgspec

SLOT_S = 1800.0
SLOTS = 48
DAY_S = 86400.0
RATE = 0.05  # 1 - 2 ** (-1 / 14)
SHORTEST, LONGEST = 8, 24  # slots: a night of 4 to 12 hours is believed
_PRIOR = tuple(0.15 if slot < 12 or slot >= 46 else 0.7 for slot in range(SLOTS))  # from 23:00 to 6:00
_PRIOR_NIGHT = (46, 12)


class Night(msgspec.Struct, frozen=True):
    """`share` of days with a sign in each half hour; `from_slot` to `to_slot` is the night; `slot`: the newest, counted
    from 1970; `days`: so many were seen; `fixed`: somebody configured it.
    """

    share: tuple[float, ...] = _PRIOR
    from_slot: int = _PRIOR_NIGHT[0]
    to_slot: int = _PRIOR_NIGHT[1]
    slot: int | None = None
    days: float = 0.0
    fixed: bool = False


def configured(hours: tuple[int, int]) -> Night:
    """A night from one minute of the day to another, to the half hour; nothing is learned."""
    begins, ends = (round(minute * 60 / SLOT_S) % SLOTS for minute in hours)
    return Night(from_slot=begins, to_slot=ends, fixed=True)


def learned(night: Night, local_s: float, *, seen: bool) -> Night:
    """The night after a sign at `local_s`. `seen`: since the last one the home was watched, with the resident in it."""
    slot = int(local_s // SLOT_S)
    if slot == night.slot or night.fixed:
        return night
    if night.slot is None or not 0 < slot - night.slot <= SLOTS:
        return msgspec.structs.replace(night, slot=slot)
    share = list(night.share)
    rate = max(RATE, 1 / (night.days + 4))
    for empty in range(night.slot + 1, slot) if seen else ():
        share[empty % SLOTS] -= rate * share[empty % SLOTS]
    share[slot % SLOTS] += rate * (1 - share[slot % SLOTS])
    days = night.days + (slot - night.slot if seen else 1) / SLOTS
    hours = _night(share) if slot // SLOTS != night.slot // SLOTS else (night.from_slot, night.to_slot)
    return Night(tuple(share), *hours, slot, days)


def within(night: Night, local_s: float) -> bool:
    """Tell whether it is night."""
    since = (int(local_s // SLOT_S) - night.from_slot) % SLOTS
    return since < (night.to_slot - night.from_slot) % SLOTS


def ends_local_s(night: Night, local_s: float) -> float:
    """The next end of a night at or after `local_s`."""
    end_s = local_s // DAY_S * DAY_S + night.to_slot * SLOT_S
    return end_s if end_s >= local_s else end_s + DAY_S


def _night(share: list[float]) -> tuple[int, int]:
    """First slot of the night and the first after it."""
    smooth = [(share[slot - 1] + share[slot] + share[(slot + 1) % SLOTS]) / 3 for slot in range(SLOTS)]
    quiet = sorted(smooth)[SLOTS * 3 // 4] / 2
    best, run = (0, 0), 0
    for slot in range(2 * SLOTS):
        run = run + 1 if smooth[slot % SLOTS] < quiet else 0
        best = max(best, (run, slot + 1))
    length, end = best
    return ((end - length) % SLOTS, end % SLOTS) if SHORTEST <= length <= LONGEST else _PRIOR_NIGHT
