"""Fusion: one fall is one alarm, whatever noticed it. Pure.

Several sources may notice a fall: the gateway in the wrist's acceleration, the wearable by its own flag, a radar. Their
findings belong to one alarm where they are of one person and within FALL_S of each other. Whose a device is the
configuration says (`wearer`); a device of nobody in particular, as a radar is, agrees with any.

Score: 1 - the product of the misses (1 - score), as if the devices erred independently of each other. The sources of
one device judge the same movement and do not: of them the surest counts.
"""

import math

from gateway.alarm.rules import Rules
from gateway.model.alarm import Alarm, Source
from gateway.model.finding import FallSource, Finding, FindingKind

FALL_S = 60.0
"""Twice what the slowest source may need longer than the quickest: a wrist tells a fall 3 to 20 s after the impact, a
radar 10 to 30 s. Two falls of one person within it are one alarm: somebody is on the way or asks."""

_NAMED: dict[FallSource | None, str] = {
    FallSource.WRIST: "the movement of {}", FallSource.WEARABLE: "the flag of {}", FallSource.RADAR: "the radar {}",
    None: "{}"}


def of_one_person(alarm: Alarm, finding: Finding, rules: Rules) -> bool:
    """Tell whether this finding may be of the fall that the alarm is about."""
    if not (alarm.finding.kind is finding.kind is FindingKind.FALL):
        return False
    return len({*_wearers(alarm, rules), rules.wearers.get(finding.device)} - {None}) <= 1


def knows(alarm: Alarm, device: str) -> bool:
    """Tell whether this device noticed the fall."""
    return any(one.device == device for one in sources(alarm))


def is_new(alarm: Alarm, finding: Finding) -> bool:
    """Tell whether the finding comes from a source that has not noticed this fall yet."""
    if not (alarm.finding.kind is finding.kind is FindingKind.FALL):
        return False
    return all((source.device, source.kind) != (finding.device, finding.source) for source in sources(alarm))


def source(finding: Finding) -> Source:
    """What noticed it."""
    return Source(finding.device, finding.source, finding.score)


def sources(alarm: Alarm) -> tuple[Source, ...]:
    """What noticed this fall, in their order."""
    return (source(alarm.finding), *alarm.agreed)


def wearer(alarm: Alarm, rules: Rules) -> str | None:
    """Who fell or pressed, where a device of theirs tells."""
    return next(filter(None, _wearers(alarm, rules)), None)


def _wearers(alarm: Alarm, rules: Rules) -> list[str | None]:
    return [rules.wearers.get(one.device) for one in sources(alarm)]


def score(alarm: Alarm, finding: Finding) -> float:
    """How sure all sources are together; `finding`: the newest, which stands alone where no other agreed."""
    if not alarm.agreed:
        return finding.score
    surest: dict[str, float] = {}
    for one in (*sources(alarm), source(finding)):
        surest[one.device] = max(surest.get(one.device, 0.0), one.score)
    return round(1.0 - math.prod(1.0 - of_device for of_device in surest.values()), 4)


def words(alarm: Alarm, finding: Finding) -> str:
    """The finding's words, and who agrees: "the movement of bracelet and the radar hall agree: ..."."""
    if not alarm.agreed:
        return finding.words
    return f"{who(alarm)} agree: {finding.words}"


def who(alarm: Alarm) -> str:
    """The sources for people: "the movement of bracelet and the radar hall"."""
    *first, last = [_NAMED[one.kind].format(one.device) for one in sources(alarm)]
    return f"{', '.join(first)} and {last}" if first else last
