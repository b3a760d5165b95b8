"""IAS Zone sensors: door and window contacts, smoke alarms (Zigbee Cluster Library 8, 07-5123-08, chapter 8.2)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind
from gateway.spi import Attribute, DeviceRejected, Driver, Link, Tested, ZclMessage, ZigbeePort, ZoneStatus

# Zone status, ZCL table 8-5
ALARM_1, ALARM_2, TAMPER, BATTERY_LOW = 0x0001, 0x0002, 0x0004, 0x0008
TROUBLE, MAINS_FAULT, TEST, BATTERY_DEFECT = 0x0040, 0x0080, 0x0100, 0x0200

# Zone types, ZCL table 8-4
ZONE_CONTACT, ZONE_FIRE = 0x0015, 0x0028
_NAME_OF_ZONE = {0x000D: "a motion sensor", ZONE_CONTACT: "a contact", ZONE_FIRE: "a smoke alarm",
                 0x002A: "a water sensor", 0x002B: "a gas or CO sensor", 0x002C: "an emergency button"}

# Battery percentage remaining in half percent, 0xFF unknown: ZCL 3.3.2.2.3.1
POWER, BATTERY_PERCENT, UNKNOWN, FULL = 0x0001, 0x0021, 0xFF, 200

# A supervision signal at least every 24 h (EN 50134-2, radio triggers), and an hour for it to be late.
SILENCE_S = 25 * 3600.0


class IasSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ieee`: the device's EUI-64 as `anju devices add` shows it, 00:15:8d:00:01:02:03:04."""

    ieee: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{2}:){7}[0-9a-fA-F]{2}$", description="an IEEE address",
                                      examples=["00:15:8d:00:01:02:03:04"], extra={"identifies": True})]


def decode(bits: int, kind: BinaryKind) -> list[Binary]:
    """Turn a zone status into levels: the sensor's own `kind` first, then what it says about itself.

    With the test bit set a smoke alarm is being tested: TEST, never SMOKE (ZCL table 8-5). A contact has no such
    mode; its door is as open as it says. Alarm2 is a second portal of a contact, and reserved for a smoke alarm:
    whoever sets it means an alarm.
    """
    test = bool(bits & TEST)
    active = bool(bits & (ALARM_1 | ALARM_2)) and not (test and kind is not BinaryKind.CONTACT)
    return [
        Binary(kind, active),
        Binary(BinaryKind.TEST, test),
        Binary(BinaryKind.TAMPER, bool(bits & TAMPER)),
        Binary(BinaryKind.BATTERY_LOW, bool(bits & BATTERY_LOW)),
        Binary(BinaryKind.FAULT, bool(bits & (TROUBLE | MAINS_FAULT | BATTERY_DEFECT))),
    ]


def battery(message: Attribute) -> Quantity | None:
    """Return the charge in percent if the attribute tells it; beyond 100 % it is marked as not plausible."""
    if (message.cluster, message.attribute) != (POWER, BATTERY_PERCENT) or not isinstance(message.value, int):
        return None
    if message.value == UNKNOWN:
        return None
    return Quantity(QuantityKind.BATTERY, message.value / 2, plausible=0 <= message.value <= FULL)


def measure(message: ZclMessage, kind: BinaryKind) -> list[Binary | Quantity]:
    """Turn any message of the device into measurements; empty for one that only shows that it lives."""
    if isinstance(message, ZoneStatus):
        return list(decode(message.bits, kind))
    charge = battery(message) if isinstance(message, Attribute) else None
    return [] if charge is None else [charge]


def _session(kind: BinaryKind, zone_type: int) -> Callable[[Link[IasSettings], ZigbeePort], Awaitable[None]]:
    async def run(link: Link[IasSettings], port: ZigbeePort) -> None:
        if port.zone_type != zone_type:
            found = "no IAS Zone sensor" if port.zone_type is None else _NAME_OF_ZONE.get(
                port.zone_type, f"a zone of type 0x{port.zone_type:04x}")
            raise DeviceRejected(f"{port.manufacturer} {port.model} is {found}, not {_NAME_OF_ZONE[zone_type]}",
                                 "give it the driver that `anju devices add` proposes, or another ieee")
        link.ready()
        levels: dict[BinaryKind, bool] = {}
        async for message in port.messages():
            news = [value for value in measure(message, kind)
                    if isinstance(value, Quantity) or levels.get(value.kind) != value.active]
            levels |= {value.kind: value.active for value in news if isinstance(value, Binary)}
            for value in news:
                link.emit(value, message.mono_s)
            if not news:
                link.alive()

    return run


CONTACT: Driver[IasSettings, ZigbeePort] = Driver(
    "ias-contact", "Zigbee door or window contact (IAS Zone)", "zigbee", IasSettings,
    _session(BinaryKind.CONTACT, ZONE_CONTACT), gives=("contact", "tamper", "battery"), silence_s=SILENCE_S,
    tested=(Tested.VECTORS, Tested.EMULATED))

SMOKE: Driver[IasSettings, ZigbeePort] = Driver(
    "ias-smoke", "Zigbee smoke alarm (IAS Zone)", "zigbee", IasSettings,
    _session(BinaryKind.SMOKE, ZONE_FIRE), gives=("smoke", "test", "battery"), silence_s=SILENCE_S,
    tested=(Tested.VECTORS, Tested.EMULATED))
