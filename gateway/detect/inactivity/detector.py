"""The detector of unusual inactivity: one state, one step. Pure.

Rules
 1. Two accounts are kept: of all signs, and of human-only ones. While others than the resident move here the second one
    counts, with a longer budget; alerts come from one account at a time.
 2. A silence is told once: when its level reaches the limit of the budget, or the silence the cap. The next sign arms
    it again. With the door as the last sign the resident is out, and it is the outing that is told, when overdue.
 3. Nothing is learned from a silence during which the flat was declared empty, the gateway was down or a sensor of
    weight was lost; time in which the gateway was down is no silence. While the flat is declared empty nothing is told.
 4. The day is folded into what is learned at its first sign: in the midst of a silence nothing changes, so notice()
    knows the moment of the alert beforehand.
 5. Told as cover: others move here, sensors that cannot be counted on, no door watched, several residents. Again when
    it changes.
Detectors use monotonic time; the wall clock serves for the hour of the day alone, and where there is none, does not.
"""

from math import inf

import msgspec
from msgspec.structs import replace

from gateway.detect.home import GATEWAY, Away, Concern, Coverage, Input, Outage, Sign, SignKind
from gateway.detect.inactivity import budget, outing, watched
from gateway.detect.inactivity.clock import Clock, advance, waits_s
from gateway.detect.inactivity.hazard import SHORT_MIN, Gap, folded, hazards, quiet_from
from gateway.detect.inactivity.outing import Outing
from gateway.detect.inactivity.place import IN, OUT, is_outside_door, place
from gateway.detect.inactivity.watched import Watched
from gateway.model.finding import FindingKind

DAY_S = 86400.0
REDUCED_BUDGET = 4.0
"""Under reduced cover a silence may be told falsely in so many times the budget's days: what is left of the signs has a
longer tail than the budget reckons with."""
REDUCED_CAP_H = 20.0
"""Nights without a human-only sign are long. Still within a day."""
HOME_S = 600.0
"""Where motion is no sign, a door used so long after who went out by it lets them in."""
FEW_SIGNS = 4.0
"""Human-only signs a day below which they cannot carry the detector: then all signs count, and that is said."""
SCORE = 0.5
MAX_GAPS = 200

Told = Concern | Coverage


class Settings(msgspec.Struct, frozen=True):
    """`budget_days`: one false alert in so many days is borne. `cap_h`: no gap is longer without an alert."""

    budget_days: float = 60.0
    cap_h: float = 14.0
    residents: int = 1


class Account(msgspec.Struct, frozen=True):
    """What is learned from one kind of signs, the day so far, and the silence that goes on."""

    counts: bytes = b""
    peaks: tuple[float, ...] = ()
    peak: float | None = None
    outings: tuple[Outing, ...] = ()
    gaps: tuple[Gap, ...] = ()
    clock: Clock | None = None
    raised: float = 0.0  # the limit, by false alerts


class State(msgspec.Struct, frozen=True):
    """What is known of the home: under 64 KB, good to be saved and restored."""

    all: Account = Account()
    human: Account = Account()
    watched: Watched = Watched()
    day: int | None = None
    folded_s: float = 0.0
    door_s: float | None = None
    beds: tuple[str, ...] = ()
    down_s: float | None = None
    away_until_local_s: float | None = None
    told: tuple[str, ...] = ()


def step(state: State, happened: Input, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    """Take one input; return what is known now, and what is to be told."""
    if isinstance(happened, Sign):
        return _sign(state, happened, settings)
    if isinstance(happened, Outage):
        return _outage(state, happened, settings)
    if isinstance(happened, Away):
        return _declared(state, happened)
    return _tick(state, happened.at_s, happened.local_s, settings)


def notice(state: State, at_s: float, local_s: float | None, horizon_s: float, settings: Settings) -> float | None:
    """Seconds from `at_s` until the silence would be told, were there no more sign; None: not within `horizon_s`.

    None too where it has been told, no sign has ever come, the gateway is down or the flat is declared empty.
    """
    account, human = _chosen(state)
    clock = account.clock
    if clock is None or clock.told or state.down_s is not None or _is_away(state, local_s):
        return None
    passed_s = at_s - clock.since_s - clock.held_s
    limit, cap_s = _limits(state, account, clock, human, settings)
    if clock.place == OUT:
        left_s = max(cap_s - passed_s, 0.0)
        return left_s if left_s <= horizon_s else None
    told_s = waits_s(clock, limit, cap_s, passed_s + horizon_s, hazards(account.counts, human=human),
                     watched.seen(state.watched, human=human))
    return None if told_s is None else max(told_s - passed_s, 0.0)


def _tick(state: State, at_s: float, local_s: float | None, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    if state.away_until_local_s is not None:
        return (state if _is_away(state, local_s) else _restarted(state, at_s, local_s)), ()
    account, human = _chosen(state)
    clock = account.clock
    if clock is None or clock.told or state.down_s is not None:
        return state, ()
    limit, cap_s = _limits(state, account, clock, human, settings)
    quiet_s = at_s - clock.since_s - clock.held_s
    if clock.place != OUT:
        clock = advance(clock, at_s, hazards(account.counts, human=human), watched.seen(state.watched, human=human))
    told: tuple[Told, ...] = ()
    if clock.level >= limit or quiet_s >= cap_s:
        told = (_concern(clock, at_s, quiet_s, limit),)
        clock = replace(clock, told=True)
    account = Account(account.counts, account.peaks, account.peak, account.outings, account.gaps, clock,
                      account.raised)
    return (replace(state, human=account) if human else replace(state, all=account)), told


def _sign(state: State, sign: Sign, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    if sign.kind is SignKind.MOTION and not sign.on:
        return state, ()
    told: tuple[Told, ...] = ()
    day = int((sign.at_s if sign.local_s is None else sign.local_s) // DAY_S)
    if day != state.day:
        state, told = _folded(state, day, sign.at_s, settings)
    known = watched.heard(state.watched, sign)
    beds = state.beds
    if sign.kind is SignKind.BED and sign.on is not (sign.sensor in beds):
        beds = (*beds, sign.sensor) if sign.on else tuple(bed for bed in beds if bed != sign.sensor)
    door_s = sign.at_s if is_outside_door(sign) else state.door_s
    learns = state.away_until_local_s is None
    all_ = _taken(state, state.all, sign, door_s, in_bed=bool(beds), human=False, learns=learns)
    human = state.human
    if watched.is_human(known, sign):
        human = _taken(state, human, sign, door_s, in_bed=bool(beds), human=True, learns=learns)
    until_s = state.away_until_local_s if _is_away(state, sign.local_s) else None
    return State(all_, human, known, day, state.folded_s, door_s, beds, None, until_s, state.told), told


def _taken(state: State, account: Account, sign: Sign, door_s: float | None, *, in_bed: bool, human: bool, learns: bool
           ) -> Account:
    """The account with the silence that this sign ends, and the one that it begins."""
    clock, gaps, peak, outings = account.clock, account.gaps, account.peak, account.outings
    raised = account.raised
    before_s = None
    if clock is not None:
        before_s = clock.since_s
        if clock.told and clock.place != OUT and clock.learns and learns:
            raised = budget.raised(raised)
        minutes = int((sign.at_s - clock.since_s) / 60.0)
        if minutes >= SHORT_MIN and clock.learns and learns and len(gaps) < MAX_GAPS:
            seen = watched.seen(state.watched, human=human)
            if seen > 1.0 - watched.SHARE_TOLD:
                gap = None if clock.local_s is None else Gap(clock.place, clock.local_s, minutes)
                if clock.place == OUT:
                    outings = outings if gap is None else outing.learned(outings, gap)
                else:
                    level = advance(clock, sign.at_s, hazards(account.counts, human=human), seen).level
                    peak = level if peak is None else max(peak, level)
                    gaps = gaps if gap is None else (*gaps, gap)
    where = place(sign, door_s, before_s, in_bed=in_bed)
    if human and clock is not None and is_outside_door(sign) and _lets_in(clock, sign, state.door_s):
        where = IN
    night = sign.local_s is not None and (sign.local_s - quiet_from(account.counts)) % DAY_S < 10 * 3600.0
    return Account(account.counts, account.peaks, peak, outings, gaps,
                   Clock(sign.at_s, sign.local_s, where, night and where != OUT, learns=learns), raised)


def _lets_in(clock: Clock, door: Sign, before_s: float | None) -> bool:
    """The door is used, or shut, by who comes home. `before_s`: of its last sign."""
    late = door.at_s - clock.since_s > HOME_S
    return late if clock.place == OUT else clock.since_s == before_s and not late


def _folded(state: State, day: int, at_s: float, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    """A new day: what the last one taught."""
    if state.day is None:
        state = replace(state, day=day, folded_s=at_s)
        return _covered(state, at_s, settings)
    days = min(max((at_s - state.folded_s) / DAY_S, 0.0), 60.0)
    accounts = [Account(folded(account.counts, account.gaps, days), budget.kept(account.peaks, account.peak),
                        outings=account.outings, clock=account.clock,
                        raised=budget.sunk(account.raised, days, _budget_days(settings, human=human)))
                for account, human in ((state.all, False), (state.human, True))]
    state = replace(state, day=day, folded_s=at_s, all=accounts[0], human=accounts[1],
                    watched=watched.day_over(state.watched))
    return _covered(state, at_s, settings)


def _outage(state: State, outage: Outage, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    if outage.sensor == GATEWAY:
        if outage.lost:
            return replace(state, down_s=outage.at_s if state.down_s is None else state.down_s), ()
        held_s = 0.0 if state.down_s is None else outage.at_s - state.down_s
        return replace(state, down_s=None, all=_held(state.all, held_s), human=_held(state.human, held_s)), ()
    lost = tuple(name for name in state.watched.lost if name != outage.sensor)
    if outage.lost:
        lost = (*lost, outage.sensor)
    return _covered(replace(state, watched=replace(state.watched, lost=lost)), outage.at_s, settings)


def _held(account: Account, held_s: float) -> Account:
    if account.clock is None:
        return account
    return replace(account, clock=replace(account.clock, held_s=account.clock.held_s + held_s, learns=False))


def _declared(state: State, away: Away) -> tuple[State, tuple[Told, ...]]:
    if away.until_local_s is None and state.away_until_local_s is not None:
        return _restarted(state, away.at_s, away.local_s), ()
    return replace(state, away_until_local_s=away.until_local_s), ()


def _is_away(state: State, local_s: float | None) -> bool:
    until_s = state.away_until_local_s
    return until_s is not None and (local_s is None or local_s < until_s)


def _restarted(state: State, at_s: float, local_s: float | None) -> State:
    """The flat is no longer declared empty: whoever should be back by now is out from this moment on."""
    clock = Clock(at_s, local_s, OUT, learns=False)
    return replace(state, away_until_local_s=None, all=replace(state.all, clock=clock),
                   human=replace(state.human, clock=clock))


def _chosen(state: State) -> tuple[Account, bool]:
    """The account that counts, and whether it is the one of human-only signs."""
    human = state.watched.others and watched.tells(state.watched) >= FEW_SIGNS
    return (state.human if human else state.all), human


def _budget_days(settings: Settings, *, human: bool) -> float:
    return settings.budget_days * (REDUCED_BUDGET if human else 1.0)


def _limits(state: State, account: Account, clock: Clock, human: bool, settings: Settings) -> tuple[float, float]:
    """(limit of the level, cap in seconds): an outing has the cap alone."""
    if clock.place == OUT:
        seldom = human and not watched.trusts_bursts(state.watched)
        return inf, outing.limit_s(account.outings, clock.local_s, settings.budget_days, seldom=seldom)
    cap_h = max(settings.cap_h, REDUCED_CAP_H) if human else settings.cap_h
    limit = budget.limit(account.peaks, _budget_days(settings, human=human))
    return limit + account.raised, cap_h * 3600.0


def _concern(clock: Clock, at_s: float, quiet_s: float, limit: float) -> Concern:
    if clock.place == OUT:
        words = f"went out {quiet_s / 3600:.1f} hours ago and has not returned, later than usual"
        return Concern(FindingKind.NOT_RETURNED, at_s, SCORE, words, {"out_s": round(quiet_s, 1)})
    evidence = {"quiet_s": round(quiet_s, 1), "surprise": round(clock.surprise, 2), "level": round(clock.level, 2),
                "limit": round(limit, 2)}
    words = f"no sign of life for {quiet_s / 3600:.1f} hours, unusual at this time"
    return Concern(FindingKind.INACTIVITY, at_s, SCORE, words, evidence)


def _covered(state: State, at_s: float, settings: Settings) -> tuple[State, tuple[Told, ...]]:
    """What the carer must know of the cover, if it has changed."""
    reasons = []
    if settings.residents > 1:
        reasons.append(f"{settings.residents} people live here: only the silence of all of them is noticed")
    if state.watched.others:
        reasons.append("others than the resident move here (a pet, visitors, a second resident): alerts come later")
    if state.door_s is None and state.watched.lively_days >= watched.DOOR_DAYS:
        reasons.append("no door to the outside is watched: an outing is taken for silence")
    reasons += [f"{name} cannot be counted on: see that it has power and is in range"
                for name in watched.missing(state.watched)]
    if tuple(reasons) == state.told:
        return state, ()
    return replace(state, told=tuple(reasons)), (Coverage(at_s, bool(reasons), tuple(reasons)),)
