"""433 MHz sensors that an RFXtrx hears: door contacts, smoke alarms, panic buttons.

They have no supervision: one whose battery is flat, that is broken, jammed or out of range is as silent as one to which
nothing happens, and stays `up`. Do not let one be the only thing that watches. Anybody near can send what they send.

Rules
 1. A sensor sends each message several times: a press within REPEAT_S of the last packet of one is the same press, and
    a level that is repeated says the same again.
 2. Smoke alarms send while they sound, and most say nothing when they stop: SMOKE ends CLEAR_S after the last alarm.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from drivers.devices import rfx_packets as rfx
from drivers.devices.rfx_packets import Packet, Protocol
from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press
from gateway.spi import Driver, Link, Tested
from gateway.spi.frames import FramePort

REPEAT_S = 4.0
CLEAR_S = 180.0
SMOKE_ALARMS = frozenset({rfx.KD101, rfx.SA30, rfx.RM174})
DOORS = frozenset({rfx.X10_DOOR, rfx.VISONIC_DOOR, rfx.VISONIC_AUX, rfx.MEIANTECH})


class RfxtrxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`protocol`, `id` (hex digits) and `unit` as `anju devices add` shows them; a security1 device has no unit."""

    protocol: Annotated[Protocol, msgspec.Meta(extra={"identifies": True})]
    id: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$", examples=["d3dc54"],
                                    description="an id of 6 or 8 hex digits", extra={"identifies": True})]
    unit: Annotated[int, msgspec.Meta(ge=0, le=255, extra={"identifies": True})] = 0

    def owns(self, packet: Packet) -> bool:
        """Tell whether the device sent this."""
        return (packet.protocol, packet.id, packet.unit) == (self.protocol, self.id.lower(), self.unit)


class RfxtrxButtonSettings(RfxtrxSettings, frozen=True, kw_only=True):
    """`button`: what a press asks for."""

    button: Button = Button.SOS


class Level:
    """A two-state sensor, and what it says of itself. Pure. `clear_s`: its level ends by itself after so long."""

    def __init__(self, kind: BinaryKind, subtypes: frozenset[int], clear_s: float | None = None) -> None:
        self._kind, self._subtypes, self._clear_s = kind, subtypes, clear_s
        self._told: dict[BinaryKind, bool] = {}
        self._on_mono_s = 0.0

    def heard(self, packet: Packet, mono_s: float) -> list[Measurement]:
        if packet.protocol == "security1" and packet.subtype not in self._subtypes:
            return []
        if packet.on:
            self._on_mono_s = mono_s
        told = {self._kind: packet.on, BinaryKind.TAMPER: packet.tamper, BinaryKind.BATTERY_LOW: packet.battery_low}
        return self._changes({kind: level for kind, level in told.items() if level is not None})

    def passed(self, mono_s: float) -> list[Measurement]:
        """Rule 2."""
        over = self._clear_s is not None and self._told.get(self._kind) and mono_s - self._on_mono_s >= self._clear_s
        return self._changes({self._kind: False}) if over else []

    def _changes(self, levels: dict[BinaryKind, bool]) -> list[Measurement]:
        news = [Binary(kind, level) for kind, level in levels.items() if self._told.get(kind) is not level]
        self._told |= levels
        return [*news]


class Presses:
    """A button. Pure."""

    def __init__(self, button: Button) -> None:
        self._button = button
        self._last_mono_s: float | None = None

    def heard(self, packet: Packet, mono_s: float) -> list[Measurement]:
        """Rule 1."""
        if not packet.on:
            return []
        last_s, self._last_mono_s = self._last_mono_s, mono_s
        return [] if last_s is not None and mono_s - last_s < REPEAT_S else [Press(self._button)]

    def passed(self, mono_s: float) -> list[Measurement]:
        del mono_s
        return []


async def _listen(link: Link[RfxtrxSettings], port: FramePort, sensor: Level | Presses) -> None:
    """Listen until the receiver is gone. Ready at once: a sensor is silent for months."""
    link.about({"model": "433 MHz, no supervision"})
    link.ready()
    while True:
        mono_s, frame = await port.read(1.0)
        packet = rfx.decode(frame) if frame else None
        values = sensor.passed(mono_s) if packet is None else sensor.heard(packet, mono_s)
        for value in values:
            link.emit(value, mono_s)
        if packet is not None and not values:
            link.alive()


def _level(kind: BinaryKind, subtypes: frozenset[int], clear_s: float | None = None
           ) -> Callable[[Link[RfxtrxSettings], FramePort], Awaitable[None]]:
    async def run(link: Link[RfxtrxSettings], port: FramePort) -> None:
        await _listen(link, port, Level(kind, subtypes, clear_s))

    return run


async def press(link: Link[RfxtrxButtonSettings], port: FramePort) -> None:
    await _listen(link, port, Presses(link.settings.button))


_TESTED = (Tested.VECTORS, Tested.EMULATED)

CONTACT: Driver[RfxtrxSettings, FramePort] = Driver(
    "rfxtrx-contact", "433 MHz door contact (X10, Visonic, KlikAanKlikUit), no supervision", "rfxtrx", RfxtrxSettings,
    _level(BinaryKind.CONTACT, DOORS), gives=("contact", "tamper", "battery_low"), tested=_TESTED)
SMOKE: Driver[RfxtrxSettings, FramePort] = Driver(
    "rfxtrx-smoke", "433 MHz smoke alarm (KD101, SA30, RM174), no supervision", "rfxtrx", RfxtrxSettings,
    _level(BinaryKind.SMOKE, SMOKE_ALARMS, CLEAR_S), gives=("smoke",), tested=_TESTED)
BUTTON: Driver[RfxtrxButtonSettings, FramePort] = Driver(
    "rfxtrx-button", "433 MHz panic button (X10, Visonic, KlikAanKlikUit, LightwaveRF), no supervision", "rfxtrx",
    RfxtrxButtonSettings, press, gives=("press",), tested=_TESTED)
