"""Rules: what a Zigbee message means, as data. A driver is a tuple of rules; each looks at every message. Pure.

Numbers in Zigbee Cluster Library 8 (07-5123-08), here "ZCL".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drivers.devices.measured import quantity
from gateway.model.finding import FallSource
from gateway.model.reading import Binary, BinaryKind, Button, FallFlag, Measurement, Press, QuantityKind
from gateway.spi import Attribute, ZclCommand, ZclMessage

# Clusters
BASIC, POWER_CONFIGURATION, SCENES, ON_OFF, LEVEL = 0x0000, 0x0001, 0x0005, 0x0006, 0x0008
TEMPERATURE, HUMIDITY, OCCUPANCY, METERING, ELECTRICAL = 0x0402, 0x0405, 0x0406, 0x0702, 0x0B04
IAS_ZONE, IAS_ACE, IAS_WD, TUYA = 0x0500, 0x0501, 0x0502, 0xEF00
# Of any cluster with one value: its first attribute
MEASURED_VALUE, ON, OCCUPIED = 0x0000, 0x0000, 0x0000


class Rule(Protocol):
    """One meaning of some messages."""

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        """Return what the message says by this rule, nothing if it is not about it."""


def meaning(message: ZclMessage, rules: Iterable[Rule]) -> list[Measurement]:
    """Return all that a message says by these rules, in their order."""
    return [value for rule in rules for value in rule.read(message)]


@dataclass(frozen=True, slots=True)
class Level:
    """An attribute as a level: active where one of the bits of `mask` is set, or, with `equals`, at those values."""

    cluster: int
    attribute: int
    kind: BinaryKind
    mask: int = 0x01
    equals: frozenset[int] | None = None

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, Attribute) or (message.cluster, message.attribute) != (self.cluster, self.attribute):
            return ()
        if not isinstance(message.value, int):
            return ()
        active = bool(message.value & self.mask) if self.equals is None else message.value in self.equals
        return (Binary(self.kind, active),)


@dataclass(frozen=True, slots=True)
class Number:
    """An attribute as a quantity, `per` of its steps to one unit; at the values of `unknown` it tells nothing."""

    cluster: int
    attribute: int
    kind: QuantityKind
    per: float = 1.0
    unknown: frozenset[int] = frozenset()

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, Attribute) or (message.cluster, message.attribute) != (self.cluster, self.attribute):
            return ()
        value = message.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value in self.unknown:
            return ()
        return (quantity(self.kind, value / self.per),)


@dataclass(frozen=True, slots=True)
class Pressed:
    """Commands of a cluster as presses of a button."""

    cluster: int
    commands: frozenset[int]
    button: Button = field(default=Button.SERVICE)

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if isinstance(message, ZclCommand) and message.cluster == self.cluster and message.command in self.commands:
            return (Press(self.button),)
        return ()


@dataclass(frozen=True, slots=True)
class Fall:
    """An attribute as a radar's fall flag: up where its bits below `mask`, shifted by `shift`, are `value`."""

    cluster: int
    attribute: int
    value: int
    mask: int = 0xFF
    shift: int = 0

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, Attribute) or (message.cluster, message.attribute) != (self.cluster, self.attribute):
            return ()
        if not isinstance(message.value, int):
            return ()
        return (FallFlag(FallSource.RADAR, message.value >> self.shift & self.mask == self.value),)


# Battery percentage remaining in half percent, 0xFF unknown (ZCL 3.3.2.2.3.1)
BATTERY = Number(POWER_CONFIGURATION, 0x0021, QuantityKind.BATTERY, per=2, unknown=frozenset({0xFF}))
# In hundredths; the invalid values are ZCL 4.4.2.2.1.1 and 4.7.2.1.1
CLIMATE = (Number(TEMPERATURE, MEASURED_VALUE, QuantityKind.TEMPERATURE, per=100, unknown=frozenset({-0x8000})),
           Number(HUMIDITY, MEASURED_VALUE, QuantityKind.HUMIDITY, per=100, unknown=frozenset({0xFFFF})))
