"""Rules of routine beside the detector of inactivity: each with a bound of its own, learned or configured."""

from gateway.detect.routines.kinds import URGENCY, Notice, NoticeKind, Urgency
from gateway.detect.routines.rules import RULES, State, step
from gateway.detect.routines.settings import Settings

__all__ = ["RULES", "URGENCY", "Notice", "NoticeKind", "Settings", "State", "Urgency", "step"]
