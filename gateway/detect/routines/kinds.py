"""What the detectors of routine conclude, and what follows: URGENCY is the one table of it.

Urgent is what cannot wait until somebody calls today: it becomes an alarm, which the resident hears and may cancel.
The rest goes to the city as an event; its people call or visit ("contact -> unanswered -> work order -> visit",
Shanghai Jing'an), and no bell rings in the flat.
"""

from enum import StrEnum

import msgspec

from gateway.model.finding import FindingKind


class NoticeKind(StrEnum):
    """Why somebody should ask, in days rather than minutes."""

    UNUSED_TODAY = "unused_today"
    MOTION_SILENT = "motion_silent"
    DOOR_UNOPENED = "door_unopened"
    WATER_UNUSED = "water_unused"
    RHYTHM_DRIFT = "rhythm_drift"


class Notice(msgspec.Struct, frozen=True):
    """A conclusion that is no alarm. `sensor`: what it is about, empty for the home."""

    kind: NoticeKind
    at_s: float
    words: str
    evidence: dict[str, float] = {}
    sensor: str = ""


class Urgency(StrEnum):
    """What a conclusion becomes."""

    ALARM = "alarm"
    EVENT = "event"


URGENCY: dict[FindingKind | NoticeKind, tuple[Urgency, str]] = {
    FindingKind.INACTIVITY: (Urgency.ALARM, "may lie helpless where nobody looks"),
    FindingKind.NOT_RETURNED: (Urgency.ALARM, "may lie or be lost outdoors"),
    FindingKind.NOT_UP: (Urgency.ALARM, "may lie helpless since the night"),
    FindingKind.NIGHT_EXIT: (Urgency.ALARM, "outdoors in night clothes, perhaps lost: minutes count"),
    FindingKind.BATHROOM_OVERSTAY: (Urgency.ALARM, "wet floors: may have fallen where no voice carries"),
    FindingKind.BED_EXIT: (Urgency.ALARM, "may have fallen beside the bed"),
    FindingKind.LEFT_ON: (Urgency.ALARM, "a fire to come"),
    NoticeKind.UNUSED_TODAY: (Urgency.EVENT, "a habit missed once is no emergency; inactivity watches life itself"),
    NoticeKind.MOTION_SILENT: (Urgency.EVENT, "Shanghai programme: PIR silent 24 h; inactivity alarms long before"),
    NoticeKind.DOOR_UNOPENED: (Urgency.EVENT, "Shanghai programme: door opened < 1 in 24 h; many stay in for a day"),
    NoticeKind.WATER_UNUSED: (Urgency.EVENT, "Shanghai programme: water < 0.01 m3 in 12 h; a long night is as dry"),
    NoticeKind.RHYTHM_DRIFT: (Urgency.EVENT, "held for days: a matter for the next visit"),
}
"""Kind -> what it becomes, and its source or reason."""
