"""What a device said, in SI or UCUM units, before anybody has judged it."""

import math
from enum import StrEnum
from struct import iter_unpack

import msgspec
from msgspec.structs import replace

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
    TEMPERATURE = "temperature"  # of a room
    HUMIDITY = "humidity"
    STEPS = "steps"  # so far, by the device's own count
    OXYGEN_SATURATION = "oxygen_saturation"
    SYSTOLIC = "systolic_pressure"
    DIASTOLIC = "diastolic_pressure"
    MEAN_ARTERIAL = "mean_arterial_pressure"
    BODY_TEMPERATURE = "body_temperature"
    GLUCOSE = "glucose"  # in blood
    WEIGHT = "body_weight"
    RESPIRATION = "respiration"
    BEAT_INTERVAL = "beat_interval"  # from one heart beat to the next
    POWER = "power"  # active, of what is plugged in
    ENERGY = "energy"  # drawn so far, by its plug's count
    SIGNAL = "signal"  # of a modem: 0 is -113 dBm or less, 100 is -51 dBm or more (3GPP TS 27.007, 8.5)


UNIT_OF: dict[QuantityKind, str] = {
    QuantityKind.HEART_RATE: "/min",
    QuantityKind.BATTERY: "%",
    QuantityKind.TEMPERATURE: "Cel",
    QuantityKind.HUMIDITY: "%",
    QuantityKind.STEPS: "{steps}",
    QuantityKind.OXYGEN_SATURATION: "%",
    QuantityKind.SYSTOLIC: "mm[Hg]",
    QuantityKind.DIASTOLIC: "mm[Hg]",
    QuantityKind.MEAN_ARTERIAL: "mm[Hg]",
    QuantityKind.BODY_TEMPERATURE: "Cel",
    QuantityKind.GLUCOSE: "mmol/L",
    QuantityKind.WEIGHT: "kg",
    QuantityKind.RESPIRATION: "/min",
    QuantityKind.BEAT_INTERVAL: "ms",
    QuantityKind.POWER: "W",
    QuantityKind.ENERGY: "kW.h",
    QuantityKind.SIGNAL: "%",
}
"""UCUM unit of each quantity."""

TAKEN_ONCE = frozenset({QuantityKind.SYSTOLIC, QuantityKind.DIASTOLIC, QuantityKind.MEAN_ARTERIAL,
                        QuantityKind.BODY_TEMPERATURE, QuantityKind.GLUCOSE, QuantityKind.WEIGHT})
"""What somebody measured on purpose: no next sample makes up for a lost one."""


SAMPLE_BYTES = 6
"""Of one sample of acceleration."""


class Accel(msgspec.Struct, frozen=True, tag="accel"):
    """A block of consecutive acceleration samples.

    `samples_mg`: int16 little-endian x, y, z of each sample in milli-g, gravity included.
    `first_index`: running number of the block's first sample within one streaming session; a jump is a loss,
    a step back is a new session. Sample time is index / rate_hz, never the time of arrival.
    `at_wrist`: False where it is worn elsewhere, which the detector of falls at the wrist knows nothing of.
    """

    rate_hz: float
    full_scale_g: float
    first_index: int
    samples_mg: bytes
    at_wrist: bool = True

    @property
    def n(self) -> int:
        """How many whole samples there are; half a one at the end is none."""
        return len(self.samples_mg) // SAMPLE_BYTES

    def samples(self) -> list[tuple[int, int, int]]:
        """The whole samples, each as x, y, z in milli-g."""
        return list(iter_unpack("<3h", self.samples_mg[: self.n * SAMPLE_BYTES]))


class Quantity(msgspec.Struct, frozen=True, tag="quantity"):
    """One measured value in the unit of its kind; `plausible` False marks it, nothing drops it.

    Of a value that the device kept while it was out of reach: `age_s`, how long before the reading's stamp it was
    taken, None where the device's clock could not be compared; `taken_local`, that clock's own word, ISO 8601 without
    zone.
    """

    kind: QuantityKind
    value: float
    plausible: bool = True
    age_s: float | None = 0.0
    taken_local: str | None = None


class SpotCheck(msgspec.Struct, frozen=True, tag="spot_check"):
    """What somebody measured on purpose, once, with a portable monitor: all values of that one measurement.

    `record`: what names it for ever among its device's, where the device stores and may tell it again; empty: nothing.
    """

    values: tuple[Quantity, ...]
    record: str = ""


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


class SmsState(StrEnum):
    """What became of a text message."""

    SENT = "sent"  # the network has taken it: nobody has read it
    FAILED = "failed"
    DELIVERED = "delivered"  # it is in the phone, by the network's status report


class SmsReport(msgspec.Struct, frozen=True, tag="sms"):
    """A modem's word on a text message. `order`: the id it was ordered under; `reason`, `cure`: of a failure."""

    order: str
    number: str
    state: SmsState
    reason: str = ""
    cure: str = ""


Measurement = Accel | Quantity | SpotCheck | Binary | Press | FallFlag | SmsReport


class Reading(msgspec.Struct, frozen=True):
    """One measurement of one configured device, stamped when its bytes arrived."""

    device: str
    at: Stamp
    value: Measurement


FUTURE_S = 1.0
"""A stamp further ahead than this is no stamp."""


def sound(reading: Reading, now: Stamp) -> Reading:
    """The reading with what no driver may say mended, for a press with a wild stamp is a press all the same.

    A stamp that is no number or lies ahead becomes `now`; a value that is no number is marked as implausible; an age
    that is none becomes 0.
    """
    value, at = reading.value, reading.at
    if not math.isfinite(at.mono_s) or at.mono_s > now.mono_s + FUTURE_S:
        at = now
    if isinstance(value, Quantity):
        value = _sound(value)
    elif isinstance(value, SpotCheck):
        value = replace(value, values=tuple(map(_sound, value.values)))
    return reading if at is reading.at and value is reading.value else Reading(reading.device, at, value)


def _sound(value: Quantity) -> Quantity:
    if not math.isfinite(value.value):
        value = replace(value, value=0.0, plausible=False)
    if value.age_s is not None and not 0 <= value.age_s < math.inf:
        value = replace(value, age_s=0.0)
    return value


def may_drop(value: Measurement) -> bool:
    """Tell whether a full queue may drop this value: samples yes; what can be or end an alarm, or came once, never."""
    return isinstance(value, Accel) or (isinstance(value, Quantity) and value.kind not in TAKEN_ONCE)
