"""LUMI (Aqara, Xiaomi) sensors with ways of their own: no IAS zone, battery in a structure every 50 minutes.

The structure is a list of key (1 byte), ZCL type (1 byte), value; key 1 is the battery's voltage in mV. It comes as
attribute 0xFF01 of Basic, from newer devices as 0x00F7 of cluster 0xFCC0 (layout: public converters of ZHA and
Zigbee2MQTT, compared).
"""

from collections.abc import Sequence

from drivers.devices.measured import quantity
from drivers.devices.zigbee_rules import BASIC, OCCUPANCY, OCCUPIED, ON, ON_OFF, Level
from drivers.devices.zigbee_session import LUMI_SILENCE_S, IeeeSettings, check_model, listen
from gateway.model.reading import BinaryKind, Measurement, QuantityKind
from gateway.spi import Attribute, Driver, Link, Tested, ZclMessage, ZigbeePort

_STRUCTURES = {(BASIC, 0xFF01), (0xFCC0, 0x00F7)}
_VOLTAGE_KEY = 0x01
_SIZE = {0x10: 1, 0x08: 1, 0x18: 1, 0x20: 1, 0x28: 1, 0x30: 1, 0x19: 2, 0x21: 2, 0x29: 2, 0x31: 2, 0x38: 2, 0x1A: 3,
         0x22: 3, 0x2A: 3, 0x1B: 4, 0x23: 4, 0x2B: 4, 0x39: 4, 0x24: 5, 0x2C: 5, 0x25: 6, 0x2D: 6, 0x26: 7, 0x2E: 7,
         0x27: 8, 0x2F: 8, 0x3A: 8}  # bytes of a ZCL type (ZCL table 2-11)
EMPTY_MV, FULL_MV = 2850, 3000  # of the lithium cell, under load
CLEAR_S = 90.0  # the sensor looks again 60 s after a motion, and never says that there is none


def fields(raw: bytes) -> dict[int, int]:
    """Return the structure's numbers by key, little-endian and unsigned; what follows an unknown type is left out."""
    found: dict[int, int] = {}
    at = 0
    while at + 2 <= len(raw):
        key, size = raw[at], _SIZE.get(raw[at + 1])
        if size is None or at + 2 + size > len(raw):
            break
        found[key] = int.from_bytes(raw[at + 2:at + 2 + size], "little")
        at += 2 + size
    return found


class _Battery:
    """The battery's voltage as its charge."""

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, Attribute) or (message.cluster, message.attribute) not in _STRUCTURES:
            return ()
        voltage_mv = fields(message.value).get(_VOLTAGE_KEY) if isinstance(message.value, bytes) else None
        if voltage_mv is None:
            return ()
        charge = (voltage_mv - EMPTY_MV) / (FULL_MV - EMPTY_MV) * 100
        return (quantity(QuantityKind.BATTERY, round(min(max(charge, 0.0), 100.0), 1)),)


LUMI_BATTERY = _Battery()


async def _contact(link: Link[IeeeSettings], port: ZigbeePort) -> None:
    check_model("lumi-contact", port, only_known=True)
    await listen(link, port, (Level(ON_OFF, ON, BinaryKind.CONTACT), LUMI_BATTERY))


async def _motion(link: Link[IeeeSettings], port: ZigbeePort) -> None:
    check_model("lumi-motion", port, only_known=True)
    await listen(link, port, (Level(OCCUPANCY, OCCUPIED, BinaryKind.MOTION), LUMI_BATTERY),
                 clear_s={BinaryKind.MOTION: CLEAR_S})


_TESTED = (Tested.VECTORS, Tested.EMULATED)

CONTACT: Driver[IeeeSettings, ZigbeePort] = Driver(
    "lumi-contact", "Aqara or Xiaomi door contact (lumi.sensor_magnet)", "zigbee", IeeeSettings, _contact,
    gives=("contact", "battery"), silence_s=LUMI_SILENCE_S, tested=_TESTED)
MOTION: Driver[IeeeSettings, ZigbeePort] = Driver(
    "lumi-motion", "Aqara or Xiaomi motion sensor (lumi.sensor_motion)", "zigbee", IeeeSettings, _motion,
    gives=("motion", "battery"), silence_s=LUMI_SILENCE_S, tested=_TESTED)
