"""What the gateway may ask a device to do."""

from enum import StrEnum

import msgspec


class LightPattern(StrEnum):
    """How a status light speaks."""

    OFF = "off"
    STEADY = "steady"  # all is well
    SLOW = "slow"  # 1 Hz: waiting for the centre
    FAST = "fast"  # 4 Hz: alarm


class Light(msgspec.Struct, frozen=True, tag="light"):
    """Show a pattern until told otherwise."""

    pattern: LightPattern


Order = Light
"""Every order there is; a union as soon as there are two."""
