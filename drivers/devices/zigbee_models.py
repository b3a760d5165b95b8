"""Which driver reads which Zigbee product: the table, first match wins; `*` and `?` as in file names.

Names as the device itself gives them (Basic, ManufacturerName and ModelIdentifier). Behaviour: makers' documents and
the public converters of Zigbee2MQTT and ZHA, compared; nothing here has been tried on a real device (docs/devices.md).
What is not in the table is known by its IAS zone type, or by the technician.
"""

from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import NamedTuple


class Setup(Enum):
    """What the bus does for a device once it has joined."""

    REPORTS = auto()  # bind, and ask for reports of what it has
    SPELL = auto()  # Tuya's datapoints flow only after a certain read of Basic
    OWN_RHYTHM = auto()  # it reports as it likes; configured reporting breaks some of these


class Model(NamedTuple):
    """One row."""

    manufacturer: str
    model: str
    driver: str
    setup: Setup = Setup.REPORTS


MODELS = (
    # Doors and windows
    Model("LUMI", "lumi.sensor_magnet*", "lumi-contact", Setup.OWN_RHYTHM),  # OnOff, no IAS zone; battery in 0xFF01
    Model("_TZ3000_pjb1ua0m", "TS0203", "ias-bed"),  # a pressure band that calls itself a contact
    Model("*", "TS0203", "ias-contact"),
    Model("HEIMAN", "DoorSensor-*", "ias-contact"),
    Model("eWeLink", "*DS01", "ias-contact"),  # SONOFF SNZB-04
    Model("SONOFF", "SNZB-04P", "ias-contact"),
    # Smoke
    Model("HEIMAN", "SmokeSensor-*", "ias-smoke"),
    Model("frient A/S", "SMSZB-120", "ias-smoke"),
    Model("Develco Products A/S", "SMSZB-120", "ias-smoke"),
    Model("LUMI", "lumi.sensor_smoke.acn03", "ias-smoke", Setup.OWN_RHYTHM),  # battery in cluster 0xFCC0
    Model("_TZE20?_ntcy3xu1", "TS0601", "tuya-smoke", Setup.SPELL),  # datapoint 1: 0 is alarm
    # Gas, carbon monoxide and water; gas and CO share their zone type 0x002B
    Model("HEIMAN", "GASSensor-*", "ias-gas"),
    Model("HEIMAN", "COSensor-*", "ias-co"),
    Model("HEIMAN", "WaterSensor-*", "ias-water"),
    Model("*", "TS0207", "ias-water"),
    # Emergency buttons
    Model("HEIMAN", "SOS-*", "ias-sos"),  # zone status is the code of the press, and never falls back
    Model("Feibit*", "FNB56-SOS*", "ias-sos"),  # Alarm2
    Model("*", "TS0215A", "ace-sos"),  # IAS ACE emergency
    # Motion and presence
    Model("LUMI", "lumi.sensor_motion*", "lumi-motion", Setup.OWN_RHYTHM),  # says occupied, never the end of it
    Model("Philips", "SML00?", "zigbee-motion"),
    Model("Signify Netherlands B.V.", "SML00?", "zigbee-motion"),
    Model("SONOFF", "SNZB-06P", "zigbee-presence"),  # mmWave
    Model("*", "TS0202", "ias-motion"),
    # Bed
    Model("OWON*", "SPM915*", "ias-bed"),
    # Fall radars
    Model("OWON*", "FDS315*", "fds315"),  # 0xFD00
    Model("HEIMAN", "HS2FD*", "hs2fd"),  # 0xFC8B; falls in the high bits of Occupancy
    # Plugs that measure
    Model("*", "TS011F", "zigbee-plug"),
    Model("*", "TS0121", "zigbee-plug"),
    # Sirens
    Model("HEIMAN", "WarningDevice*", "ias-siren"),
    Model("_TZE20?_d0yu2xgi", "TS0601", "neo-siren", Setup.SPELL),  # NAS-AB02B0
    Model("_TYST11_d0yu2xgi", "0yu2xgi", "neo-siren", Setup.SPELL),
    # Scene buttons
    Model("*", "TS004?", "zigbee-button"),
    Model("IKEA of Sweden", "TRADFRI *", "zigbee-button"),
    Model("eWeLink", "WB01", "zigbee-button"),  # SONOFF SNZB-01
    Model("SONOFF", "SNZB-01P", "zigbee-button"),
)

DRIVER_OF_ZONE = {
    0x000D: "ias-motion", 0x0015: "ias-contact", 0x0028: "ias-smoke", 0x002A: "ias-water", 0x002C: "ias-sos",
    0x0225: "ias-siren",
}
"""By IAS zone type (ZCL 8, table 8-4); not 0x002B, which carbon monoxide and gas share."""


def find(manufacturer: str, model: str) -> Model | None:
    """Return the row of a product, None where there is none."""
    return next((row for row in MODELS
                 if fnmatchcase(manufacturer, row.manufacturer) and fnmatchcase(model, row.model)), None)


def driver_of(manufacturer: str, model: str, zone_type: int | None = None) -> str | None:
    """Return the name of the driver for a product; by its zone type where the table does not know it."""
    row = find(manufacturer, model)
    return row.driver if row else DRIVER_OF_ZONE.get(zone_type or 0)


def setup_of(manufacturer: str, model: str) -> Setup:
    """Return what to do for a product; one of Tuya's datapoints or of LUMI's own rhythm even if it is not known."""
    if row := find(manufacturer, model):
        return row.setup
    if manufacturer.startswith(("_TZE", "_TYST11")):
        return Setup.SPELL
    return Setup.OWN_RHYTHM if manufacturer == "LUMI" else Setup.REPORTS
