"""Unusual inactivity, learned in the home: silence too long for place and hour, and outings without a return.

place.py      where the resident was last seen
hazard.py     how likely a sign is in the next minute, learned
prior.py      the same of any home, for the first days and the cells that nobody lived through
clock.py      how surprising the silence so far is
budget.py     how surprising it may become
outing.py     when who went out is overdue
watched.py    which sensors can be counted on, and whether others move here
detector.py   the state and its step
"""

from gateway.detect.inactivity.detector import Settings, State, notice, step

__all__ = ["Settings", "State", "notice", "step"]
