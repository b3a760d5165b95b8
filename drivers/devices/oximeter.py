"""Pulse oximeters (Pulse Oximeter Service 1822): oxygen saturation and pulse, spot-check and continuous.

Pulse Oximeter Service 1.0, 3.1 (spot-check, 2A5E) and 3.2 (continuous, 2A5F); the fields are in the GATT Specification
Supplement, PLX Spot-Check Measurement and PLX Continuous Measurement.
"""

from datetime import datetime

import msgspec

from drivers.devices.gatt_fields import Fields
from drivers.devices.measured import Measured, quantity
from drivers.devices.medfloat import Number
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import Quantity, QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested

SPOT_CHECK = "00002a5e-0000-1000-8000-00805f9b34fb"
CONTINUOUS = "00002a5f-0000-1000-8000-00805f9b34fb"

_SPOT_TIME, _SPOT_STATUS, _SPOT_SENSOR, _SPOT_AMPLITUDE, _SPOT_CLOCK_UNSET = 0x01, 0x02, 0x04, 0x08, 0x10
_FAST, _SLOW, _STATUS, _SENSOR, _AMPLITUDE = 0x01, 0x02, 0x04, 0x08, 0x10

# Measurement Status: demonstration, testing, calibration ongoing, unavailable, questionable, invalid
_DOUBTFUL = 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15
# Device and Sensor Status: malfunction; inadequate, erratic, non-pulsatile signal; sensor off the finger, displaced,
# malfunctioning, disconnected. Poor signal and low perfusion are told by the meter of every cold hand: no mark.
_NO_SIGNAL = 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 11 | 1 << 13 | 1 << 14 | 1 << 15


class Oximetry(msgspec.Struct, frozen=True):
    """One measurement. `status`, `sensor`: the two status fields, 0 where absent; `taken`: None where not told."""

    spo2_percent: Number
    pulse_bpm: Number
    status: int = 0
    sensor: int = 0
    amplitude_percent: Number | None = None
    taken: datetime | None = None


def decode_spot_check(data: bytes) -> Oximetry:
    """Decode 2A5E. Raises DecodeError."""
    fields = Fields(data, "spot-check oximetry")
    flags = fields.unsigned(1)
    spo2, pulse = fields.sfloat(), fields.sfloat()
    taken = fields.optional(flags & _SPOT_TIME, fields.date_time)
    status = fields.optional(flags & _SPOT_STATUS, lambda: fields.unsigned(2)) or 0
    sensor = fields.optional(flags & _SPOT_SENSOR, lambda: fields.unsigned(3)) or 0
    amplitude = fields.optional(flags & _SPOT_AMPLITUDE, fields.sfloat)
    return Oximetry(spo2, pulse, status, sensor, amplitude, None if flags & _SPOT_CLOCK_UNSET else taken)


def decode_continuous(data: bytes) -> Oximetry:
    """Decode 2A5F: its normal values; the fast and slow averages are stepped over. Raises DecodeError."""
    fields = Fields(data, "continuous oximetry")
    flags = fields.unsigned(1)
    spo2, pulse = fields.sfloat(), fields.sfloat()
    for average in (_FAST, _SLOW):
        fields.optional(flags & average, lambda: fields.take(4))
    status = fields.optional(flags & _STATUS, lambda: fields.unsigned(2)) or 0
    sensor = fields.optional(flags & _SENSOR, lambda: fields.unsigned(3)) or 0
    return Oximetry(spo2, pulse, status, sensor, fields.optional(flags & _AMPLITUDE, fields.sfloat))


def values(oximetry: Oximetry) -> tuple[Quantity, ...]:
    """Saturation and pulse, marked where the oximeter itself doubts them."""
    sure = not oximetry.status & _DOUBTFUL and not oximetry.sensor & _NO_SIGNAL
    return (quantity(QuantityKind.OXYGEN_SATURATION, oximetry.spo2_percent, sure=sure),
            quantity(QuantityKind.HEART_RATE, oximetry.pulse_bpm, sure=sure))


def measure_spot_check(data: bytes) -> Measured:
    """Raises DecodeError."""
    oximetry = decode_spot_check(data)
    return Measured(values(oximetry), oximetry.taken, spot=True)


def measure_continuous(data: bytes) -> Measured:
    """Raises DecodeError."""
    return Measured(values(decode_continuous(data)))


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "oximeter", "Pulse oximeter (Bluetooth Pulse Oximeter profile)", "ble", MonitorSettings,
    runs({SPOT_CHECK: measure_spot_check, CONTINUOUS: measure_continuous}),
    gives=("oxygen_saturation", "heart_rate", "battery"),
    marks=(Mark(service="00001822-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, portable=True, tested=(Tested.VECTORS,))
