"""End devices as data: what a HEIMAN door contact and smoke alarm tell about themselves (ZCL, 8.2; ZHA device ids)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hil.devices.zigbee import zcl

HOME_AUTOMATION = 0x0104
IAS_ZONE_DEVICE = 0x0402
BASIC, POWER, IDENTIFY, ON_OFF, IAS_ZONE, IAS_WD = 0x0000, 0x0001, 0x0003, 0x0006, 0x0500, 0x0502
BATTERY_PERCENT = 0x0021  # of POWER: percent remaining in half percent (ZCL, 3.3.2.2.3.1)
ZONE_STATE, ZONE_TYPE, ZONE_STATUS, CIE_ADDRESS, ZONE_ID = 0x0000, 0x0001, 0x0002, 0x0010, 0x0011  # of IAS_ZONE
HEIMAN = 0x120B  # manufacturer code
BATTERY_END_DEVICE = 0x80  # MAC capabilities: allocate an address; receiver off when idle (ZSPEC, table 2-48)


@dataclass(frozen=True, slots=True)
class Profile:
    """One product. `servers` and `clients` are the clusters of its single endpoint."""

    manufacturer: str
    model: str
    servers: tuple[int, ...]
    attributes: Mapping[tuple[int, int], zcl.Value]
    clients: tuple[int, ...] = ()
    device_id: int = IAS_ZONE_DEVICE
    manufacturer_code: int = HEIMAN
    capabilities: int = BATTERY_END_DEVICE
    endpoint: int = field(default=1)


def _basic(manufacturer: str, model: str) -> dict[tuple[int, int], zcl.Value]:
    battery = 3  # power source (ZCL, table 3-8)
    return {(BASIC, 0x0000): zcl.uint8(3), (BASIC, 0x0004): zcl.text(manufacturer), (BASIC, 0x0005): zcl.text(model),
            (BASIC, 0x0007): zcl.enum8(battery)}


def _zone(model: str, zone_type: int, extra_servers: tuple[int, ...] = ()) -> Profile:
    attributes = _basic("HEIMAN", model) | {
        (POWER, 0x0020): zcl.uint8(30), (POWER, BATTERY_PERCENT): zcl.uint8(200),
        (IAS_ZONE, ZONE_STATE): zcl.enum8(0), (IAS_ZONE, ZONE_TYPE): zcl.enum16(zone_type),
        (IAS_ZONE, ZONE_STATUS): zcl.bitmap16(0), (IAS_ZONE, CIE_ADDRESS): zcl.eui64(bytes(8)),
        (IAS_ZONE, ZONE_ID): zcl.uint8(0xFF),
    }
    return Profile("HEIMAN", model, (BASIC, POWER, IDENTIFY, IAS_ZONE, *extra_servers), attributes)


PROFILES: dict[str, Profile] = {
    "door": _zone("DoorSensor-N", 0x0015),
    "smoke": _zone("SmokeSensor-EF-3.0", 0x0028, (IAS_WD,)),
    # A wall switch without any IAS Zone: what a technician may pair by mistake.
    "switch": Profile("HEIMAN", "Switch-N", (BASIC, POWER, IDENTIFY), _basic("HEIMAN", "Switch-N"),
                      clients=(ON_OFF,), device_id=0x0000),
}
