"""BlueUp wearables with an alarm (SafeX, Card, Tag): one advertised bit that stays up while the alarm is on.

Source: docs.blueupbeacons.com, "BlueBeacon Configuration GATT firmware v.6.x", sections BlueUp Advertising Packet and
BlueUp proprietary flags: service data of the battery service (0x180F, percent) and of 0x8800 (flags u8: bit 7
ALARM_ACTIVE, bit 6 ALARM_SUPPORTED). It is advertised every 2 s.

The bit does not tell what raised the alarm: that is configured in the wearable, its button or man-down. So there is a
driver for each, and whoever configures both has to choose as which of the two it is told. The frame that tells them
apart ("Safety") is not described in BlueUp's public documents.
"""

import logging
from collections.abc import Awaitable, Callable

import msgspec

from drivers.devices.gatt_values import DecodeError
from drivers.devices.measured import quantity
from gateway.model.finding import FallSource
from gateway.model.reading import Button, FallFlag, Press, Quantity, QuantityKind
from gateway.spi import Advertisement, Advertiser, AdvertPort, DeviceRejected, Driver, Link, Mark, Tested

log = logging.getLogger(__name__)

FLAGS = "00008800-0000-1000-8000-00805f9b34fb"
BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"
_ACTIVE, _SUPPORTED = 0x80, 0x40
UNHEARD_S = 60.0  # a flag that was not heard for so long and is up may be the next alarm: rather twice than not
SILENCE_S = 120.0


class BlueUpSettings(Advertiser, frozen=True, kw_only=True):
    """[devices.NAME] of a BlueUp wearable."""


class Status(msgspec.Struct, frozen=True):
    """What one advertisement says. `alarm`: None where the model or its configuration has none."""

    alarm: bool | None
    battery: Quantity | None


def decode(service_data: dict[str, bytes]) -> Status | None:
    """Decode BlueUp's own advertisement; None for the beacon frames in between. Raises DecodeError."""
    flags = service_data.get(FLAGS)
    if flags is None:
        return None
    if len(flags) != 1:
        raise DecodeError(f"BlueUp flags of {len(flags)} bytes")
    level = service_data.get(BATTERY, b"")  # what is no level hides no alarm
    alarm = bool(flags[0] & _ACTIVE) if flags[0] & (_SUPPORTED | _ACTIVE) else None
    return Status(alarm, quantity(QuantityKind.BATTERY, level[0]) if len(level) == 1 else None)


class Alarm:
    """When the bit is a new press: as it goes up, and when it is heard up after it was unheard for UNHEARD_S."""

    def __init__(self) -> None:
        self._active, self._heard_mono_s = False, 0.0

    def rises(self, active: bool, mono_s: float) -> bool:
        """Take one advertisement's bit."""
        still = self._active and mono_s - self._heard_mono_s <= UNHEARD_S
        self._active, self._heard_mono_s = active, mono_s
        return active and not still


def _session(means: Button | FallSource) -> Callable[[Link[BlueUpSettings], AdvertPort], Awaitable[None]]:
    async def run(link: Link[BlueUpSettings], port: AdvertPort) -> None:
        alarm, battery, can_alarm = Alarm(), None, False
        async for heard in port.advertisements():
            status = _status(link.device, heard)
            if status is None:
                continue
            if status.alarm is None and can_alarm:
                continue  # damaged or forged: to reject the wearable would leave it unheard for a minute
            if status.alarm is None:
                raise DeviceRejected("this BlueUp beacon has no alarm", "enable its alarm with BlueUp's app, or use a "
                                     "model with a button")
            can_alarm = True
            link.ready()
            link.alive()
            if isinstance(means, FallSource):
                link.emit(FallFlag(means, status.alarm), heard.mono_s)
            elif alarm.rises(status.alarm, heard.mono_s):
                link.emit(Press(means), heard.mono_s)
            if status.battery is not None and status.battery != battery:
                battery = status.battery
                link.emit(battery, heard.mono_s)

    return run


def _status(device: str, heard: Advertisement) -> Status | None:
    try:
        return decode(heard.service_data)
    except DecodeError as error:
        log.debug("bad frame device=%s reason=%r", device, str(error))
        return None


_TESTED = (Tested.VECTORS,)
_MARKS = (Mark(service_data=FLAGS),)  # which of the two is the technician's choice

SOS: Driver[BlueUpSettings, AdvertPort] = Driver(
    "blueup-sos", "BlueUp wearable, its alarm raised by the button", "ble", BlueUpSettings, _session(Button.SOS),
    gives=("sos", "battery"), marks=_MARKS,
    start_s=SILENCE_S, silence_s=SILENCE_S, tested=_TESTED)

FALL: Driver[BlueUpSettings, AdvertPort] = Driver(
    "blueup-fall", "BlueUp wearable, its alarm raised by man-down", "ble", BlueUpSettings,
    _session(FallSource.WEARABLE), gives=("fall", "battery"), marks=_MARKS, falls=FallSource.WEARABLE,
    start_s=SILENCE_S, silence_s=SILENCE_S, tested=_TESTED)
