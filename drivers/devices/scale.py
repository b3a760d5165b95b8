"""Scales (Weight Scale Service 181D): body weight.

Weight Scale Service 1.0, 3.2; fields of 2A9D in the GATT Specification Supplement, Weight Measurement.
"""

from datetime import datetime

import msgspec

from drivers.devices.gatt_fields import Fields
from drivers.devices.measured import Measured, quantity
from drivers.devices.medfloat import Number, Special
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested

MEASUREMENT = "00002a9d-0000-1000-8000-00805f9b34fb"

_IMPERIAL, _TIME, _USER, _BMI = 0x01, 0x02, 0x04, 0x08
FAILED = 0xFFFF  # "measurement unsuccessful"
KG_PER_LB, M_PER_IN = 0.45359237, 0.0254


class Weight(msgspec.Struct, frozen=True):
    """One measurement, in SI units whatever the device sent."""

    kg: Number
    taken: datetime | None = None
    user: int | None = None
    bmi: float | None = None
    height_m: float | None = None


def decode(data: bytes) -> Weight:
    """Decode 2A9D. Raises DecodeError."""
    fields = Fields(data, "weight")
    flags, raw = fields.unsigned(1), fields.unsigned(2)
    kg: Number = raw * KG_PER_LB / 100 if flags & _IMPERIAL else raw / 200  # resolution 0.01 lb or 0.005 kg
    taken = fields.optional(flags & _TIME, fields.date_time)
    user = fields.optional(flags & _USER, fields.user)
    bmi = fields.optional(flags & _BMI, lambda: fields.unsigned(2) / 10)
    height = fields.optional(flags & _BMI, lambda: fields.unsigned(2))
    height_m = None if height is None else height * M_PER_IN / 10 if flags & _IMPERIAL else height / 1000
    return Weight(Special.NAN if raw == FAILED else kg, taken, user, bmi, height_m)


def measure(data: bytes) -> Measured:
    """Decode 2A9D into a body weight. Raises DecodeError."""
    weight = decode(data)
    return Measured((quantity(QuantityKind.WEIGHT, weight.kg),), weight.taken, weight.user, spot=True)


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "scale", "Scale (Bluetooth Weight Scale profile)", "ble", MonitorSettings,
    runs({MEASUREMENT: measure}), gives=("body_weight", "battery"),
    marks=(Mark(service="0000181d-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, portable=True, tested=(Tested.VECTORS,))
