"""Falls from a worn accelerometer: an impact, what a learned forest says of it, and what happens after.

grid.py       any rate, range and loss -> one internal rate
features.py   the window around an impact -> numbers that no turning of the bracelet changes
forest.py     the numbers -> a score, by a model file
wrist.py      the stages, as rules
recording.py  a whole recording, for those who judge the detector
"""

from gateway.detect.falls.forest import BadModel, Forest, decode
from gateway.detect.falls.wrist import Stage, State, leave, step, tick

__all__ = ["BadModel", "Forest", "Stage", "State", "decode", "leave", "step", "tick"]
