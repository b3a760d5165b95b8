"""IAS Zone sensors: contacts, smoke, gas, CO and water alarms, motion, bed mats, emergency buttons (ZCL 8, 8.2).

A zone tells one status word: two alarm bits, whose meaning is the zone type's, and what the sensor says about itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from drivers.devices.lumi import LUMI_BATTERY
from drivers.devices.zigbee_models import driver_of
from drivers.devices.zigbee_rules import BATTERY, CLIMATE, IAS_ACE, IAS_ZONE, Pressed, Rule
from drivers.devices.zigbee_session import (
    ALIVE,
    BATTERY_SILENCE_S,
    MAINS_SILENCE_S,
    WRONG_DRIVER,
    Asked,
    IeeeSettings,
    listen,
)
from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press
from gateway.spi import DeviceRejected, Driver, Link, Tested, ZclMessage, ZigbeePort, ZoneStatus

# Zone status, ZCL table 8-5
ALARM_1, ALARM_2, TAMPER, BATTERY_LOW = 0x0001, 0x0002, 0x0004, 0x0008
TROUBLE, MAINS_FAULT, TEST, BATTERY_DEFECT = 0x0040, 0x0080, 0x0100, 0x0200

# Zone types, ZCL table 8-4
MOTION_ZONE, CONTACT_ZONE, FIRE_ZONE, WATER_ZONE, GAS_ZONE, BUTTON_ZONE = 0x000D, 0x0015, 0x0028, 0x002A, 0x002B, 0x002C
_NAME_OF_ZONE = {MOTION_ZONE: "a motion sensor", CONTACT_ZONE: "a contact", FIRE_ZONE: "a smoke alarm",
                 WATER_ZONE: "a water sensor", GAS_ZONE: "a gas or CO sensor", BUTTON_ZONE: "an emergency button"}

# Commands of IAS ACE that a button sends: emergency, fire, panic (ZCL 8.3.2.3)
_ACE_CALLS = frozenset({0x02, 0x03, 0x04})
STATUS = Asked(IAS_ZONE, (0x0002,))  # zone status (ZCL 8.2.2.2.1.3): a notification that is lost comes late, not never
TEST_S = 300.0
MOTION_CLEAR_S = 300.0  # for sensors that never tell the end of a motion


class BedSettings(IeeeSettings, frozen=True, kw_only=True):
    """`occupied_when_alarm`: whether the mat's alarm bit means that somebody is on it; false where not."""

    occupied_when_alarm: bool = True


class Trial:
    """Whether a zone is being tested (ZCL table 8-5). After TEST_S its word that it still is is not believed any more.

    A bit that stays set must hide no fire.
    """

    def __init__(self) -> None:
        self._since_mono_s: float | None = None

    def hides(self, message: ZoneStatus) -> bool:
        """Take the zone's newest status; tell whether an alarm in it is a test."""
        if not message.bits & TEST:
            self._since_mono_s = None
            return False
        if self._since_mono_s is None:
            self._since_mono_s = message.mono_s
        return message.mono_s - self._since_mono_s <= TEST_S


@dataclass(slots=True)
class Zone:
    """Zone status as levels: the sensor's own `kind` first, then what it says about itself. One for each session.

    An alarm that is being tested is TEST, never the alarm. What shows a state of the home has no such mode: a door is
    as open as it says. Alarm2 is a second portal of a contact, and reserved for a smoke alarm: whoever sets it means an
    alarm.
    """

    kind: BinaryKind
    inverted: bool = False
    _trial: Trial = field(default_factory=Trial)

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, ZoneStatus):
            return ()
        active = bool(message.bits & (ALARM_1 | ALARM_2)) is not self.inverted
        if self._trial.hides(message) and self.kind in _TESTED_ALARMS:
            active = False
        return (Binary(self.kind, active), *about_itself(message.bits))


_TESTED_ALARMS = frozenset({BinaryKind.SMOKE, BinaryKind.CO, BinaryKind.GAS, BinaryKind.WATER})


class ZonePress:
    """Zone status as presses: each notification with an alarm bit is one, for some buttons never fall back.

    Which bits does not matter: HEIMAN's are the code of the press (1 short, 2 double, 3 long), Feibit uses Alarm2.
    """

    def __init__(self) -> None:
        self._trial = Trial()

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        if not isinstance(message, ZoneStatus):
            return ()
        pressed = not self._trial.hides(message) and message.news and message.bits & (ALARM_1 | ALARM_2)
        return (*([Press(Button.SOS)] if pressed else []), *about_itself(message.bits))


class ZoneItself:
    """Zone status of a button that calls in another way: only what it says about itself."""

    def read(self, message: ZclMessage) -> Sequence[Measurement]:
        return about_itself(message.bits) if isinstance(message, ZoneStatus) else ()


def about_itself(bits: int) -> list[Binary]:
    """What a zone status says about the sensor."""
    return [
        Binary(BinaryKind.TEST, bool(bits & TEST)),
        Binary(BinaryKind.TAMPER, bool(bits & TAMPER)),
        Binary(BinaryKind.BATTERY_LOW, bool(bits & BATTERY_LOW)),
        Binary(BinaryKind.FAULT, bool(bits & (TROUBLE | MAINS_FAULT | BATTERY_DEFECT))),
    ]


def _check(driver: str, port: ZigbeePort, zone_types: tuple[int, ...]) -> None:
    """Raise DeviceRejected where the device is not for this driver: by its model if it is known, else by its zone."""
    known = driver_of(port.manufacturer, port.model)
    if known == driver or (known is None and port.zone_type in zone_types):
        return
    found = "no IAS Zone sensor" if port.zone_type is None else _NAME_OF_ZONE.get(
        port.zone_type, f"a zone of type 0x{port.zone_type:04x}")
    if known is not None:
        found = f"read by {known}"
    wanted = " or ".join(_NAME_OF_ZONE[zone] for zone in zone_types)
    raise DeviceRejected(f"{port.manufacturer} {port.model} is {found}, not {wanted} for {driver}", WRONG_DRIVER)


def _session(driver: str, zone_types: tuple[int, ...], zone: Callable[[], Rule], *rules: Rule,
             clear_s: dict[BinaryKind, float] | None = None,
             asked: Sequence[Asked] = ()) -> Callable[[Link[Any], ZigbeePort], Awaitable[None]]:
    async def run(link: Link[Any], port: ZigbeePort) -> None:
        _check(driver, port, zone_types)
        await listen(link, port, (*rules, zone(), BATTERY, LUMI_BATTERY), clear_s=clear_s, asked=asked)

    return run


async def _bed(link: Link[BedSettings], port: ZigbeePort) -> None:
    if port.zone_type not in (CONTACT_ZONE, MOTION_ZONE):  # a mat may hang on any contact's terminals
        _check("ias-bed", port, (CONTACT_ZONE, MOTION_ZONE))
    await listen(link, port, (Zone(BinaryKind.BED, inverted=not link.settings.occupied_when_alarm), BATTERY))


_TESTED = (Tested.VECTORS, Tested.EMULATED)
_SELF = ("tamper", "battery_low", "fault", "test", "battery")


def _alarm(name: str, title: str, kind: BinaryKind, zone_type: int, *rules: Rule,
           mains: bool = False) -> Driver[IeeeSettings, ZigbeePort]:
    return Driver(name, title, "zigbee", IeeeSettings,
                  _session(name, (zone_type,), partial(Zone, kind), *rules, asked=(ALIVE, STATUS) if mains else ()),
                  gives=(kind.value, *_SELF), silence_s=MAINS_SILENCE_S if mains else BATTERY_SILENCE_S,
                  tested=_TESTED)


CONTACT = _alarm("ias-contact", "Zigbee door or window contact (IAS Zone)", BinaryKind.CONTACT, CONTACT_ZONE)
SMOKE = _alarm("ias-smoke", "Zigbee smoke alarm (IAS Zone)", BinaryKind.SMOKE, FIRE_ZONE, *CLIMATE[:1])
CO = _alarm("ias-co", "Zigbee carbon monoxide alarm (IAS Zone)", BinaryKind.CO, GAS_ZONE)
GAS = _alarm("ias-gas", "Zigbee gas alarm on mains power (IAS Zone)", BinaryKind.GAS, GAS_ZONE, mains=True)
WATER = _alarm("ias-water", "Zigbee water sensor (IAS Zone)", BinaryKind.WATER, WATER_ZONE)

MOTION: Driver[IeeeSettings, ZigbeePort] = Driver(
    "ias-motion", "Zigbee motion sensor (IAS Zone)", "zigbee", IeeeSettings,
    _session("ias-motion", (MOTION_ZONE,), partial(Zone, BinaryKind.MOTION),
             clear_s={BinaryKind.MOTION: MOTION_CLEAR_S}),
    gives=("motion", *_SELF), silence_s=BATTERY_SILENCE_S, tested=_TESTED)

BED: Driver[BedSettings, ZigbeePort] = Driver(
    "ias-bed", "Zigbee bed or seat mat (IAS Zone)", "zigbee", BedSettings, _bed, gives=("bed", *_SELF),
    silence_s=BATTERY_SILENCE_S, tested=_TESTED)

SOS: Driver[IeeeSettings, ZigbeePort] = Driver(
    "ias-sos", "Zigbee emergency button (IAS Zone)", "zigbee", IeeeSettings,
    _session("ias-sos", (BUTTON_ZONE,), ZonePress), gives=("sos", *_SELF), silence_s=BATTERY_SILENCE_S,
    tested=_TESTED)

ACE_SOS: Driver[IeeeSettings, ZigbeePort] = Driver(
    "ace-sos", "Zigbee emergency button (IAS ACE: TS0215A)", "zigbee", IeeeSettings,
    _session("ace-sos", (BUTTON_ZONE,), ZoneItself, Pressed(IAS_ACE, _ACE_CALLS, Button.SOS)),
    gives=("sos", *_SELF), silence_s=BATTERY_SILENCE_S, tested=_TESTED)
