"""Clinical thermometers (Health Thermometer Service 1809): body temperature.

Health Thermometer Service 1.0, 3.1; fields of 2A1C in the GATT Specification Supplement, Temperature Measurement.
"""

from datetime import datetime

import msgspec

from drivers.devices.gatt_fields import Fields
from drivers.devices.measured import Measured, quantity
from drivers.devices.medfloat import Number, Special
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested

MEASUREMENT = "00002a1c-0000-1000-8000-00805f9b34fb"

_FAHRENHEIT, _TIME, _TYPE = 0x01, 0x02, 0x04
_FINGER, _TOE = 4, 8  # of Temperature Type, 2A1D
_ON_SKIN = frozenset({_FINGER, _TOE})  # as cold as the room


class Temperature(msgspec.Struct, frozen=True):
    """One measurement, in °C whatever the device sent. `site`: Temperature Type (2A1D), None where not told."""

    celsius: Number
    site: int | None = None
    taken: datetime | None = None


def decode(data: bytes) -> Temperature:
    """Decode 2A1C. Raises DecodeError."""
    fields = Fields(data, "temperature")
    flags = fields.unsigned(1)
    number = fields.float32()
    if flags & _FAHRENHEIT and not isinstance(number, Special):
        number = (number - 32) / 1.8
    taken = fields.optional(flags & _TIME, fields.date_time)
    return Temperature(number, fields.optional(flags & _TYPE, lambda: fields.unsigned(1)), taken)


def measure(data: bytes) -> Measured:
    """Decode 2A1C into a body temperature, marked where it is a finger's or a toe's. Raises DecodeError."""
    temperature = decode(data)
    value = quantity(QuantityKind.BODY_TEMPERATURE, temperature.celsius, sure=temperature.site not in _ON_SKIN)
    return Measured((value,), temperature.taken, spot=True)


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "thermometer", "Clinical thermometer (Bluetooth Health Thermometer profile)", "ble", MonitorSettings,
    runs({MEASUREMENT: measure}), gives=("body_temperature", "battery"),
    marks=(Mark(service="00001809-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, portable=True, tested=(Tested.VECTORS,))
