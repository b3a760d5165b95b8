"""InfiniTime (PineTime watch): heart rate, steps, battery. Its clock is set.

Sources: InfiniTime doc/ble.md and doc/MotionService.md. The motion characteristic (00030002) is not subscribed to: it
tells three axes at most ten times a second and only on change, which is too slow for the impact of a fall.
"""

from drivers.devices.gatt_values import HEART_RATE_MEASUREMENT, DecodeError, decode_heart_rate
from drivers.devices.measured import Measured, quantity
from drivers.devices.monitor import MonitorSettings, runs
from gateway.model.reading import QuantityKind
from gateway.spi import BlePeer, Driver, Mark, Tested

STEP_COUNT = "00030001-78fc-48fe-8e23-433b3a1942d0"


def decode_steps(data: bytes) -> int:
    """Decode the steps so far, u32. Raises DecodeError."""
    if len(data) != 4:
        raise DecodeError(f"step count of {len(data)} bytes")
    return int.from_bytes(data, "little")


def measure_steps(data: bytes) -> Measured:
    """Raises DecodeError."""
    return Measured((quantity(QuantityKind.STEPS, decode_steps(data)),))


def measure_heart_rate(data: bytes) -> Measured:
    """Decode 2A37; the watch says 0 while it measures nothing, which is marked. Raises DecodeError."""
    return Measured((quantity(QuantityKind.HEART_RATE, decode_heart_rate(data).bpm),))


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "infinitime", "InfiniTime watch (PineTime)", "ble", MonitorSettings,
    runs({HEART_RATE_MEASUREMENT: measure_heart_rate, STEP_COUNT: measure_steps}),
    gives=("heart_rate", "steps", "battery"),
    marks=(Mark(name="InfiniTime"),),
    start_s=30.0, tested=(Tested.VECTORS,))
