"""What a status light can show."""

from enum import StrEnum


class LightPattern(StrEnum):
    """How a status light speaks."""

    OFF = "off"
    STEADY = "steady"  # all is well
    SLOW = "slow"  # 1 Hz: waiting for the centre
    FAST = "fast"  # 4 Hz: alarm
