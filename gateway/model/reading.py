"""What a device said, in SI or UCUM units, before anybody has judged it."""

import math
from enum import StrEnum

import msgspec

from gateway.model.finding import FallSource
from gateway.model.time import Stamp


class BinaryKind(StrEnum):
    """What a two-state sensor watches; `active` True is the state worth telling (open, smoke, wet, occupied)."""

    CONTACT = "contact"  # a door or window is open
    SMOKE = "smoke"
    CO = "co"
    GAS = "gas"
    WATER = "water"
    MOTION = "motion"
    PRESENCE = "presence"
    BED = "bed"
    TAMPER = "tamper"
    BATTERY_LOW = "battery_low"
    FAULT = "fault"
    TEST = "test"  # the device's own test button: never a real alarm
    WORN = "worn"  # a wearable touches skin
    CHARGING = "charging"  # a wearable lies on its charger


class Button(StrEnum):
    """What a press asks for."""

    SOS = "sos"
    CANCEL = "cancel"  # "I am fine"
    SERVICE = "service"


class QuantityKind(StrEnum):
    """A measured quantity; its unit stands in UNIT_OF."""

    HEART_RATE = "heart_rate"
    BATTERY = "battery"
    TEMPERATURE = "temperature"


UNIT_OF: dict[QuantityKind, str] = {
    QuantityKind.HEART_RATE: "/min",
    QuantityKind.BATTERY: "%",
    QuantityKind.TEMPERATURE: "Cel",
}
"""UCUM unit of each quantity."""


class Accel(msgspec.Struct, frozen=True, tag="accel"):
    """A block of consecutive acceleration samples.

    `samples_mg`: int16 little-endian x, y, z of each sample in milli-g, gravity included.
    `first_index`: running number of the block's first sample within one streaming session; a jump is a loss,
    a step back is a new session. Sample time is index / rate_hz, never the time of arrival.
    """

    rate_hz: float
    full_scale_g: float
    first_index: int
    samples_mg: bytes


class Quantity(msgspec.Struct, frozen=True, tag="quantity"):
    """One measured value in the unit of its kind; `plausible` False marks it, nothing drops it."""

    kind: QuantityKind
    value: float
    plausible: bool = True


class Binary(msgspec.Struct, frozen=True, tag="binary"):
    """The present level of a two-state sensor; repeated levels are allowed and mean the same again."""

    kind: BinaryKind
    active: bool


class Press(msgspec.Struct, frozen=True, tag="press"):
    """Somebody pressed a button once. `number`, where the device counts its presses, tells a repeat from a new one."""

    button: Button
    number: int | None = None


class FallFlag(msgspec.Struct, frozen=True, tag="fall"):
    """A device's own word that somebody fell, or, `active` False, that its flag is down again; repeats mean the same.

    `source`: WEARABLE or RADAR. `number`, where the device counts its falls, tells one that is still flagged from the
    next. For a device that does not, a flag that stays up is one fall until it is down, or unheard for a minute.
    """

    source: FallSource
    active: bool = True
    number: int | None = None


Measurement = Accel | Quantity | Binary | Press | FallFlag


class Reading(msgspec.Struct, frozen=True):
    """One measurement of one configured device, stamped when its bytes arrived."""

    device: str
    at: Stamp
    value: Measurement


FUTURE_S = 1.0
"""A stamp further ahead than this is no stamp."""


def sound(reading: Reading, now: Stamp) -> Reading:
    """The reading with what no driver may say mended, for a press with a wild stamp is a press all the same.

    A stamp that is no number or lies ahead becomes `now`; a value that is no number is marked as implausible.
    """
    value, at = reading.value, reading.at
    if not math.isfinite(at.mono_s) or at.mono_s > now.mono_s + FUTURE_S:
        at = now
    if isinstance(value, Quantity) and not math.isfinite(value.value):
        value = Quantity(value.kind, 0.0, plausible=False)
    return reading if at is reading.at and value is reading.value else Reading(reading.device, at, value)


def may_drop(value: Measurement) -> bool:
    """Tell whether a full queue may drop this value: samples yes, whatever can be or end an alarm never."""
    return isinstance(value, Accel | Quantity)
