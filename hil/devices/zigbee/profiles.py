"""End devices as data: what each product tells about itself, and how it differs from a plain one.

Clusters and types: ZCL; ZHA device ids. Products as their makers and the public device data bases describe them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hil.devices.zigbee import zcl

HOME_AUTOMATION = 0x0104
IAS_ZONE_DEVICE, WARNING_DEVICE, ON_OFF_SENSOR, OCCUPANCY_SENSOR, SMART_PLUG, REMOTE = (
    0x0402, 0x0403, 0x0850, 0x0107, 0x0051, 0x0006)
BASIC, POWER, IDENTIFY, GROUPS, SCENES, ON_OFF, LEVEL = 0x0000, 0x0001, 0x0003, 0x0004, 0x0005, 0x0006, 0x0008
TEMPERATURE, OCCUPANCY, IAS_ZONE, IAS_ACE, IAS_WD = 0x0402, 0x0406, 0x0500, 0x0501, 0x0502
METERING, ELECTRICAL, TUYA, LUMI, FALL_OWON, RADAR_HEIMAN = 0x0702, 0x0B04, 0xEF00, 0xFCC0, 0xFD00, 0xFC8B
BATTERY_PERCENT = 0x0021  # of POWER: percent remaining in half percent (ZCL, 3.3.2.2.3.1)
ZONE_STATE, ZONE_TYPE, ZONE_STATUS, CIE_ADDRESS, ZONE_ID = 0x0000, 0x0001, 0x0002, 0x0010, 0x0011  # of IAS_ZONE
HEIMAN_CODE, LUMI_CODE, TUYA_CODE, OWON_CODE, PHILIPS_CODE, DEVELCO_CODE, COOLKIT_CODE = (
    0x120B, 0x115F, 0x1002, 0x113C, 0x100B, 0x1015, 0x1286)  # manufacturer codes
BATTERY_END_DEVICE, MAINS_ROUTER = 0x80, 0x8E  # MAC capabilities (ZSPEC, table 2-48)
INSTALL_CODE = bytes.fromhex("83FED3407A939723A5C639B26916D505C3B5")  # of the example in BDB 3.0.1, 10.1.3

Attributes = Mapping[tuple[int, int], zcl.Value]


@dataclass(frozen=True, slots=True)
class Profile:
    """One product. `servers` and `clients` are the clusters of its single endpoint.

    `own_rhythm`: it reports without having been asked to, and takes no reporting; `spell`: its datapoints flow only
    after Tuya's read of Basic; `only_asked`: it takes reporting and never reports; `install_code`: it joins with
    the key made of that, or not at all.
    """

    manufacturer: str
    model: str
    servers: tuple[int, ...]
    attributes: Attributes
    clients: tuple[int, ...] = ()
    device_id: int = IAS_ZONE_DEVICE
    manufacturer_code: int = HEIMAN_CODE
    capabilities: int = BATTERY_END_DEVICE
    endpoint: int = 1
    own_rhythm: bool = False
    spell: bool = False
    only_asked: bool = False
    install_code: bytes = b""


def _basic(manufacturer: str, model: str, source: int = 3) -> dict[tuple[int, int], zcl.Value]:
    """`source`: 3 battery, 1 mains (ZCL, table 3-8)."""
    return {(BASIC, 0x0000): zcl.uint8(3), (BASIC, 0x0001): zcl.uint8(1), (BASIC, 0x0004): zcl.text(manufacturer),
            (BASIC, 0x0005): zcl.text(model), (BASIC, 0x0007): zcl.enum8(source)}


_BATTERY: Attributes = {(POWER, 0x0020): zcl.uint8(30), (POWER, BATTERY_PERCENT): zcl.uint8(200)}


def _zone_attributes(zone_type: int) -> Attributes:
    return {(IAS_ZONE, ZONE_STATE): zcl.enum8(0), (IAS_ZONE, ZONE_TYPE): zcl.enum16(zone_type),
            (IAS_ZONE, ZONE_STATUS): zcl.bitmap16(0), (IAS_ZONE, CIE_ADDRESS): zcl.eui64(bytes(8)),
            (IAS_ZONE, ZONE_ID): zcl.uint8(0xFF)}


def _zone(manufacturer: str, model: str, zone_type: int, *extra: int, code: int = HEIMAN_CODE,
          clients: tuple[int, ...] = (), more: Attributes | None = None) -> Profile:
    """A zone on battery."""
    attributes = {**_basic(manufacturer, model), **_BATTERY, **_zone_attributes(zone_type), **(more or {})}
    return Profile(manufacturer, model, (BASIC, POWER, IDENTIFY, IAS_ZONE, *extra), attributes, clients,
                   manufacturer_code=code)


def _mains_zone(manufacturer: str, model: str, zone_type: int, *extra: int,
                device_id: int = IAS_ZONE_DEVICE) -> Profile:
    attributes = {**_basic(manufacturer, model, 1), **_zone_attributes(zone_type)}
    return Profile(manufacturer, model, (BASIC, IDENTIFY, IAS_ZONE, *extra), attributes, device_id=device_id,
                   capabilities=MAINS_ROUTER)


def _lumi(model: str, *servers: int, more: Attributes) -> Profile:
    return Profile("LUMI", model, (BASIC, IDENTIFY, 0xFFFF, *servers), {**_basic("LUMI", model), **more},
                   (BASIC, GROUPS, 0xFFFF), ON_OFF_SENSOR, LUMI_CODE, own_rhythm=True)


def _datapoints(manufacturer: str, capabilities: int = BATTERY_END_DEVICE) -> Profile:
    return Profile(manufacturer, "TS0601", (BASIC, GROUPS, SCENES, TUYA), _basic(manufacturer, "TS0601"),
                   (0x000A, 0x0019), SMART_PLUG, TUYA_CODE, capabilities, spell=True)


def _plug(manufacturer: str, model: str, *, only_asked: bool, scales: Attributes) -> Profile:
    measured = {(ON_OFF, 0x0000): zcl.boolean(False), (ELECTRICAL, 0x050B): zcl.int16(0),
                (METERING, 0x0000): zcl.uint48(0), **scales}
    return Profile(manufacturer, model, (BASIC, IDENTIFY, GROUPS, SCENES, ON_OFF, METERING, ELECTRICAL),
                   {**_basic(manufacturer, model, 1), **measured}, (0x0019,), SMART_PLUG, TUYA_CODE, MAINS_ROUTER,
                   only_asked=only_asked)


_OCCUPIED: Attributes = {(OCCUPANCY, 0x0000): zcl.bitmap8(0), (OCCUPANCY, 0x0001): zcl.enum8(0)}

PROFILES: dict[str, Profile] = {
    "door": _zone("HEIMAN", "DoorSensor-N", 0x0015),
    "coded_door": replace(_zone("HEIMAN", "DoorSensor-EF-3.0", 0x0015), install_code=INSTALL_CODE),
    "tuya_door": _zone("_TZ3000_n2egfsli", "TS0203", 0x0015, code=TUYA_CODE),
    "sonoff_door": _zone("SONOFF", "SNZB-04P", 0x0015, code=COOLKIT_CODE),
    "aqara_door": _lumi("lumi.sensor_magnet.aq2", ON_OFF, more={(ON_OFF, 0x0000): zcl.boolean(False)}),
    "smoke": _zone("HEIMAN", "SmokeSensor-EF-3.0", 0x0028, IAS_WD),
    "frient_smoke": _zone("frient A/S", "SMSZB-120", 0x0028, IAS_WD, TEMPERATURE, code=DEVELCO_CODE,
                          more={(TEMPERATURE, 0x0000): zcl.int16(2150)}),
    "aqara_smoke": replace(_zone("LUMI", "lumi.sensor_smoke.acn03", 0x0028, LUMI, code=LUMI_CODE), own_rhythm=True),
    "tuya_smoke": _datapoints("_TZE200_ntcy3xu1"),
    "gas": _mains_zone("HEIMAN", "GASSensor-N", 0x002B),
    "co": _zone("HEIMAN", "COSensor-N", 0x002B),
    "water": _zone("HEIMAN", "WaterSensor-N", 0x002A),
    "sos": _zone("HEIMAN", "SOS-EM", 0x002C),
    "ace_sos": _zone("_TZ3000_0dumfk2z", "TS0215A", 0x002C, code=TUYA_CODE, clients=(IAS_ACE,)),
    "feibit_sos": _zone("Feibit Inc co.", "FNB56-SOS03FB1.5", 0x002C, code=0x1183),
    "motion": _zone("_TZ3000_mmtwjmaq", "TS0202", 0x000D, code=TUYA_CODE),
    "aqara_motion": _lumi("lumi.sensor_motion.aq2", OCCUPANCY, more=_OCCUPIED),
    "philips_motion": Profile(
        "Philips", "SML001", (BASIC, POWER, IDENTIFY, OCCUPANCY, TEMPERATURE),
        {**_basic("Philips", "SML001"), **_BATTERY, **_OCCUPIED, (TEMPERATURE, 0x0000): zcl.int16(2150)},
        device_id=OCCUPANCY_SENSOR, manufacturer_code=PHILIPS_CODE, endpoint=2),
    "presence": Profile(
        "SONOFF", "SNZB-06P", (BASIC, IDENTIFY, OCCUPANCY), {**_basic("SONOFF", "SNZB-06P", 1), **_OCCUPIED},
        device_id=OCCUPANCY_SENSOR, manufacturer_code=COOLKIT_CODE, capabilities=MAINS_ROUTER),
    "bed": _zone("OWON", "SPM915", 0x0015, code=OWON_CODE),
    "seat": _zone("_TZ3000_pjb1ua0m", "TS0203", 0x0015, code=TUYA_CODE),
    "fall_owon": Profile(
        "OWON", "FDS315", (BASIC, IDENTIFY, IAS_ZONE, FALL_OWON),
        {**_basic("OWON", "FDS315", 1), **_zone_attributes(0x000D), (FALL_OWON, 0x0000): zcl.enum8(0),
         (FALL_OWON, 0x0002): zcl.uint8(0)}, manufacturer_code=OWON_CODE, capabilities=MAINS_ROUTER),
    "fall_heiman": Profile(
        "HEIMAN", "HS2FD-EF1-3.0", (BASIC, IDENTIFY, OCCUPANCY, RADAR_HEIMAN),
        {**_basic("HEIMAN", "HS2FD-EF1-3.0", 1), **_OCCUPIED}, device_id=OCCUPANCY_SENSOR, capabilities=MAINS_ROUTER),
    "plug": _plug("_TZ3000_g5xawfcq", "TS0121", only_asked=False, scales={
        (ELECTRICAL, 0x0604): zcl.uint16(1), (ELECTRICAL, 0x0605): zcl.uint16(10),
        (METERING, 0x0301): zcl.uint24(1), (METERING, 0x0302): zcl.uint24(100)}),
    "asked_plug": _plug("_TZ3000_cphmq0q7", "TS011F", only_asked=True, scales={}),
    "siren": _mains_zone("HEIMAN", "WarningDevice-EF-3.0", 0x0225, IAS_WD, device_id=WARNING_DEVICE),
    "neo_siren": _datapoints("_TZE200_d0yu2xgi", MAINS_ROUTER),
    "button": Profile(
        "_TZ3000_tk3s5tyg", "TS0041", (BASIC, POWER), {**_basic("_TZ3000_tk3s5tyg", "TS0041"), **_BATTERY},
        (ON_OFF, 0x000A, 0x0019), REMOTE, TUYA_CODE),
    # A wall switch without any IAS Zone: what a technician may pair by mistake.
    "switch": Profile("HEIMAN", "Switch-N", (BASIC, POWER, IDENTIFY), _basic("HEIMAN", "Switch-N"),
                      clients=(ON_OFF,), device_id=0x0000),
}
