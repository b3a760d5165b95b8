"""Heart rate belts and watches (Heart Rate Service 180D): heart rate, worn. Decoded in gatt_values.py."""

from drivers.devices.gatt_values import HEART_RATE_MEASUREMENT, decode_heart_rate
from drivers.devices.measured import Measured, quantity
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import Binary, BinaryKind, QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested


def measure(data: bytes) -> Measured:
    """Decode 2A37 into a heart rate, marked while there is no skin, and the contact. Raises DecodeError."""
    heart = decode_heart_rate(data)
    rate = quantity(QuantityKind.HEART_RATE, heart.bpm, sure=heart.contact is not False)
    return Measured((rate,) if heart.contact is None else (Binary(BinaryKind.WORN, heart.contact), rate))


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "heart-rate", "Heart rate belt (Bluetooth Heart Rate profile)", "ble", MonitorSettings,
    runs({HEART_RATE_MEASUREMENT: measure}), gives=("heart_rate", "worn", "battery"),
    marks=(Mark(service="0000180d-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, silence_s=60.0,
    tested=(Tested.VECTORS,))
