"""Fields: takes a characteristic's value apart, in order. Every read past the end is a DecodeError.

What is left at the end belongs to flags that are reserved today; a client ignores both (Bluetooth Core, volume 1,
part E, 2.1: Reserved for Future Use).
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from drivers.devices.gatt_values import DecodeError
from drivers.devices.medfloat import Number, decode_float, decode_sfloat

T = TypeVar("T")

_UNKNOWN_USER = 0xFF  # GATT Specification Supplement: Blood Pressure Measurement, Weight Measurement


class Fields:
    """The bytes of one value. `name` says what is cut short."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name = data, name

    def take(self, size: int) -> bytes:
        """Take the next bytes as they are."""
        if len(self._data) < size:
            raise DecodeError(f"{self._name} is cut short")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little", signed=True)

    def sfloat(self) -> Number:
        return decode_sfloat(self.take(2))

    def float32(self) -> Number:
        return decode_float(self.take(4))

    def date_time(self) -> datetime | None:
        """Take a Date Time, 7 bytes; None where the device does not know it (GATT Specification Supplement, 2A08)."""
        year, month, day, hour, minute, second = (self.unsigned(2), *(self.unsigned(1) for _ in range(5)))
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the device tells no zone
        except ValueError:  # 0 for unknown, or nonsense: either way nobody knows when
            return None

    def user(self) -> int | None:
        """Take a User ID, 1 byte; None for 0xFF, an unknown user."""
        user = self.unsigned(1)
        return None if user == _UNKNOWN_USER else user

    def optional(self, present: int, take: Callable[[], T]) -> T | None:
        """Take a field where its flag is set."""
        return take() if present else None
