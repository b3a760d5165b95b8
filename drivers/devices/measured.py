"""Measured: numbers of health monitors as quantities, marked where they cannot be a person's.

The limits of PLAUSIBLE are no alarm limits: beyond them it is the measurement that failed.
"""

import math
from datetime import datetime

import msgspec

from drivers.devices.medfloat import Number
from gateway.model.reading import Binary, Quantity, QuantityKind

PLAUSIBLE: dict[QuantityKind, tuple[float, float]] = {
    QuantityKind.HEART_RATE: (25, 250),
    QuantityKind.OXYGEN_SATURATION: (50, 100),  # oximeters are calibrated from 70 % on (ISO 80601-2-61, 201.12.1.101)
    QuantityKind.SYSTOLIC: (50, 280),
    QuantityKind.DIASTOLIC: (20, 200),
    QuantityKind.MEAN_ARTERIAL: (30, 230),
    QuantityKind.BODY_TEMPERATURE: (28, 44),
    QuantityKind.GLUCOSE: (1.1, 33.3),  # what home meters measure: 20 to 600 mg/dL
    QuantityKind.WEIGHT: (20, 300),
    QuantityKind.BATTERY: (0, 100),
    QuantityKind.BEAT_INTERVAL: (250, 2500),  # 240 to 24 beats a minute
    QuantityKind.TEMPERATURE: (-40, 85),
    QuantityKind.HUMIDITY: (0, 100),
    QuantityKind.POWER: (-50, 16_000),  # three sockets' worth; a little below 0 is a meter's own error
}
"""In the unit of each kind; both ends are plausible."""


class Measured(msgspec.Struct, frozen=True):
    """What one message of a monitor says. `taken`: by the device's clock; `user`: whose it is, on a shared device.

    `spot`: somebody measured on purpose and once; otherwise it is one of a stream of values. `record`: SpotCheck's.
    """

    values: tuple[Quantity | Binary, ...]
    taken: datetime | None = None
    user: int | None = None
    spot: bool = False
    record: str = ""


def quantity(kind: QuantityKind, number: Number, *, sure: bool = True) -> Quantity:
    """Make a quantity; what is no number is 0 and marked, as is what `sure` False or its limits call a failure."""
    if not isinstance(number, int | float) or not math.isfinite(number):
        return Quantity(kind, 0.0, plausible=False)
    low, high = PLAUSIBLE.get(kind, (-math.inf, math.inf))
    return Quantity(kind, number, plausible=sure and low <= number <= high)
