"""rhythm_drift: sleep, outings, bathroom visits at night or activity have changed for days.

Each noon closes a day: when the resident went to rest and rose, how often the flat was left, how often the bathroom
was visited at night, and how many signs there were. Each is compared with the 8 weeks before the last one, by median
and median deviation, and followed by a two-sided cumulative sum (CUSUM: Page, Biometrika 41, 1954) of deviations that
are cut at CUT, so that no single day can carry it: the change must hold. A change that is told becomes the new usual.
Days with a flat that was empty or not watched for long are left out; where motion is no sign of the resident only the
outings are followed.
"""

import math

import msgspec
from msgspec.structs import replace

from gateway.detect.home import Input, Sign
from gateway.detect.routines.kinds import Notice, NoticeKind
from gateway.detect.routines.night import DAY_S, SLOT_S, SLOTS
from gateway.detect.routines.scene import Scene
from gateway.detect.routines.settings import Settings

NOON_S = DAY_S / 2
USUAL_DAYS, ENOUGH_DAYS, RECENT_DAYS = 56, 28, 7
CUT, SLACK, LIMIT = 2.5, 0.75, 10.0  # in deviations; a change of 2 is told after 8 days, of 1.25 after 20
OUT_S = 900.0
VISIT_S = 600.0
UNSEEN_S = 6 * 3600.0
QUIET = 0.3
"""Of the usual signs in half an hour: what a sleeper may give who turns over."""

Values = dict[str, float]
WORDS = {"rest_h": "going to rest", "rise_h": "rising", "outings": "outings", "night_visits": "bathroom at night",
         "signs": "activity"}
COUNTS = frozenset({"outings", "night_visits"})
"""Small numbers, whose median says little: they are compared by mean and standard deviation."""
LEAST = {"rest_h": 0.5, "rise_h": 0.5, "outings": 0.5, "night_visits": 0.7, "signs": 0.1}
"""The least deviation that counts, in the unit of the value; of `signs`, which are taken as logarithms, a tenth."""


class State(msgspec.Struct, frozen=True):
    """`days`: values of the last days. `sums`: of each value, up and down. The rest is of the day under way."""

    days: tuple[Values, ...] = ()
    sums: dict[str, tuple[float, float]] = {}
    signs: tuple[int, ...] = (0,) * SLOTS  # in each half hour since noon
    slot: int = 0
    count: int = 0  # in this half hour
    outings: int = 0
    visits: int = 0
    visit_s: float = -math.inf
    last_s: float | None = None
    unseen_s: float = 0.0
    due_s: float = -math.inf


def step(
    state: State, scene: Scene, happened: Input, human: bool, settings: Settings
) -> tuple[State, tuple[Notice, ...]]:
    """Take one input; return the days so far, and what has changed for good."""
    del settings
    if scene.ahead_s is None:
        return state, ()
    told: tuple[Notice, ...] = ()
    if happened.at_s >= state.due_s:
        state, told = _noon(state, scene, happened.at_s + scene.ahead_s, happened.at_s)
    if isinstance(happened, Sign) and human:
        state = _counted(state, scene, happened)
    return state, told


def _counted(state: State, scene: Scene, sign: Sign) -> State:
    at_s = sign.at_s
    slot = int((at_s + (scene.ahead_s or 0.0) - NOON_S) % DAY_S // SLOT_S)
    gap_s = 0.0 if state.last_s is None else at_s - state.last_s
    outings, unseen_s, visits, visit_s, signs = state.outings, state.unseen_s, state.visits, state.visit_s, state.signs
    count = state.count + 1
    if slot != state.slot:
        signs = (*signs[:state.slot], state.count, *signs[state.slot + 1:])
        count = signs[slot] + 1
    if scene.was_empty and gap_s > OUT_S:
        outings += 1
        unseen_s += gap_s
    elif not scene.seen_since(state.last_s):
        unseen_s += gap_s
    if sign.room == "bathroom":
        if at_s - visit_s > VISIT_S and scene.is_night(at_s):
            visits += 1
        visit_s = at_s
    return State(state.days, state.sums, signs, slot, count, outings, visits, visit_s, at_s, unseen_s, state.due_s)


def _noon(state: State, scene: Scene, local_s: float, at_s: float) -> tuple[State, tuple[Notice, ...]]:
    """Close the day."""
    due_s = at_s + DAY_S - (local_s - NOON_S) % DAY_S
    new = State(state.days, state.sums, last_s=state.last_s, visit_s=state.visit_s, due_s=due_s)
    signs = (*state.signs[:state.slot], state.count, *state.signs[state.slot + 1:])
    long_unseen = state.unseen_s > UNSEEN_S or (state.last_s is not None and at_s - state.last_s > UNSEEN_S)
    if state.due_s == -math.inf or at_s - state.due_s > UNSEEN_S or long_unseen or not sum(signs):
        return new, ()
    rest, rise = _sleep(signs)
    values = {"outings": float(state.outings)}
    if not scene.human_only:
        values |= {"rest_h": 12 + rest / 2, "rise_h": rise / 2 - 12, "night_visits": float(state.visits),
                   "signs": math.log(sum(signs))}
    sums, told = _followed(state.days, state.sums, values, at_s)
    days = (*state.days, values)[-(USUAL_DAYS + RECENT_DAYS):]
    if told:
        days, sums = days[-RECENT_DAYS:], {}
    return replace(new, days=days, sums=sums), told


def _sleep(signs: tuple[int, ...]) -> tuple[int, int]:
    """First half hour of the longest rest and the first after it; one that is busy amid quiet ones is a visit."""
    busy = sorted(count for count in signs if count)
    quiet = [count <= busy[len(busy) // 2] * QUIET for count in signs]
    calm = [quiet[slot] or (0 < slot < SLOTS - 1 and quiet[slot - 1] and quiet[slot + 1]) for slot in range(SLOTS)]
    best, run = (0, 0), 0
    for slot, yes in enumerate(calm):
        run = run + 1 if yes else 0
        best = max(best, (run, slot + 1))
    return best[1] - best[0], best[1]


def _followed(
    days: tuple[Values, ...], sums: dict[str, tuple[float, float]], values: Values, at_s: float
) -> tuple[dict[str, tuple[float, float]], tuple[Notice, ...]]:
    """The sums with this day, and the changes that they show."""
    usual = days[:-RECENT_DAYS][-USUAL_DAYS:]
    new: dict[str, tuple[float, float]] = {}
    told = []
    for name, value in values.items():
        known = sorted(day[name] for day in usual if name in day)
        if len(known) < ENOUGH_DAYS:
            continue
        middle, spread = _usual(known, name)
        off = min(max((value - middle) / max(spread, LEAST[name]), -CUT), CUT)
        up, down = sums.get(name, (0.0, 0.0))
        new[name] = up, down = max(0.0, up + off - SLACK), max(0.0, down - off - SLACK)
        if max(up, down) >= LIMIT:
            recent = sorted([*(day[name] for day in days[-RECENT_DAYS + 1:] if name in day), value])
            now, _ = _usual(recent, name)
            told.append(Notice(NoticeKind.RHYTHM_DRIFT, at_s, _words(name, middle, now),
                               {f"{name}_usual": round(middle, 2), f"{name}_now": round(now, 2)}))
    return new, tuple(told)


def _usual(known: list[float], name: str) -> tuple[float, float]:
    """The middle of sorted values, and how far they usually lie from it."""
    if name in COUNTS:
        middle = sum(known) / len(known)
        return middle, math.sqrt(sum((one - middle) ** 2 for one in known) / len(known))
    middle = known[len(known) // 2]
    return middle, sorted(abs(one - middle) for one in known)[len(known) // 2] * 1.4826  # as of a normal distribution


def _words(name: str, usual: float, now: float) -> str:
    if name == "signs":
        return f"{WORDS[name]} has changed for days: {math.exp(now - usual) - 1:+.0%}"
    if name.endswith("_h"):
        return f"{WORDS[name]} has changed for days: from {_clock(usual)} to {_clock(now)}"
    return f"{WORDS[name]} has changed for days: from {usual:.1f} to {now:.1f} a day"


def _clock(hour: float) -> str:
    minutes = round(hour % 24 * 60)
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"
