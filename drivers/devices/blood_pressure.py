"""Blood pressure monitors (Blood Pressure Service 1810): systolic, diastolic, mean, pulse.

Blood Pressure Service 1.1, 3.1; fields of 2A35 in the GATT Specification Supplement, Blood Pressure Measurement. A
pulse that was irregular is a finding for a physician, no failed measurement: it marks nothing.
"""

from datetime import datetime

import msgspec

from drivers.devices.gatt_fields import Fields
from drivers.devices.measured import Measured, quantity
from drivers.devices.medfloat import Number, Special
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import Quantity, QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested

MEASUREMENT = "00002a35-0000-1000-8000-00805f9b34fb"

_KPA, _TIME, _PULSE, _USER, _STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
_BODY_MOVED, _CUFF_LOOSE, _WRONG_POSITION = 0x01, 0x02, 0x20
MMHG_PER_KPA = 1 / 0.133322387415  # NIST SP 811, B.8: the conventional millimetre of mercury


class BloodPressure(msgspec.Struct, frozen=True):
    """One measurement, in mmHg whatever the device sent. `status`: Measurement Status, 0 where absent."""

    systolic_mmhg: Number
    diastolic_mmhg: Number
    mean_mmhg: Number
    pulse_bpm: Number | None = None
    user: int | None = None
    status: int = 0
    taken: datetime | None = None


def decode(data: bytes) -> BloodPressure:
    """Decode 2A35. Raises DecodeError."""
    fields = Fields(data, "blood pressure")
    flags = fields.unsigned(1)
    systolic, diastolic, mean = (_mmhg(fields.sfloat(), flags & _KPA) for _ in range(3))
    taken = fields.optional(flags & _TIME, fields.date_time)
    pulse = fields.optional(flags & _PULSE, fields.sfloat)
    user = fields.optional(flags & _USER, fields.user)
    status = fields.optional(flags & _STATUS, lambda: fields.unsigned(2)) or 0
    return BloodPressure(systolic, diastolic, mean, pulse, user, status, taken)


def measure(data: bytes) -> Measured:
    """Decode 2A35 into quantities; a mean or a pulse that the device does not give is left out. Raises DecodeError."""
    pressure = decode(data)
    sure = not pressure.status & (_BODY_MOVED | _CUFF_LOOSE | _WRONG_POSITION)
    pair = (pressure.systolic_mmhg, pressure.diastolic_mmhg)
    upside_down = not any(isinstance(value, Special) for value in pair) and pair[0] <= pair[1]  # type: ignore[operator]
    numbers: list[tuple[QuantityKind, Number]] = [
        (QuantityKind.SYSTOLIC, pair[0]), (QuantityKind.DIASTOLIC, pair[1])]
    if not isinstance(pressure.mean_mmhg, Special):
        numbers.append((QuantityKind.MEAN_ARTERIAL, pressure.mean_mmhg))
    if pressure.pulse_bpm is not None:
        numbers.append((QuantityKind.HEART_RATE, pressure.pulse_bpm))
    values: tuple[Quantity, ...] = tuple(
        quantity(kind, number, sure=sure and not upside_down) for kind, number in numbers)
    return Measured(values, pressure.taken, pressure.user, spot=True)


def _mmhg(number: Number, is_kpa: int) -> Number:
    return number if isinstance(number, Special) or not is_kpa else number * MMHG_PER_KPA


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "blood-pressure", "Blood pressure monitor (Bluetooth Blood Pressure profile)", "ble", MonitorSettings,
    runs({MEASUREMENT: measure}),
    gives=("systolic_pressure", "diastolic_pressure", "mean_arterial_pressure", "heart_rate", "battery"),
    marks=(Mark(service="00001810-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, portable=True, tested=(Tested.VECTORS,))
