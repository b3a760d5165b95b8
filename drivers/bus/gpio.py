"""GPIO: the pins of the Pi's header, over gpiozero (lgpio, or the pin factory that GPIOZERO_PIN_FACTORY names).

A driver's settings address a pin by `pin`, its BCM number or a name that gpiozero knows ("GPIO17", "J8:11").
An input's settings also have `pull_up`: True for a contact to ground (active is low), False for one to 3.3 V.
An output's settings also have `active_high`.

Debouncing: an edge counts at once, then the pin is left alone for BOUNCE_S and its level is read again. So a press is
told without delay, bouncing tells nothing more, and the level told last is the pin's real one. Spikes are the wiring's
affair: a long wire to a button wants its 10 kOhm and 100 nF.

The first level is told BOUNCE_S after the pull was switched on, which has to charge the wire first: at 50 kOhm (BCM2711
datasheet, 5.2) those 100 nF take 5 ms, in which a button at rest reads as pressed. A contact that was closed while
nobody looked is told if it is closed then. What was pressed and released before nobody knows: the kernel keeps no edges
of a line that nobody holds.
"""

import asyncio
import contextlib
import importlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec

from gateway.spi import BusContext, BusKind, BusUnavailable, DeviceRejected, LinkLost

BOUNCE_S = 0.025  # Ganssle, A guide to debouncing: 6.2 ms is the longest of 16 good switches; old ones are worse


class GpioSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.gpio]: nothing to set."""


class OnPin(Protocol):
    """What a driver's settings must say for this bus, besides `pull_up` or `active_high`."""

    @property
    def pin(self) -> int | str: ...


def make_factory() -> Any:
    """Open the GPIO chip. Raises BusUnavailable."""
    try:
        device = importlib.import_module("gpiozero").Device
        if os.environ.get("GPIOZERO_PIN_FACTORY"):
            device.ensure_pin_factory()
            factory, device.pin_factory = device.pin_factory, None
            return factory
        # Not gpiozero's own choice: without lgpio it falls back to "native", which polls and may lose edges.
        return importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory()
    except Exception as error:
        raise BusUnavailable(f"no GPIO here ({type(error).__name__}: {error})",
                             "check that /dev/gpiochip0 is there, the service's user is in the group gpio, lgpio is "
                             "installed, and its working directory ($LG_WD) may be written") from error


class Header:
    """The bus: holds the pin factory, which owns the GPIO chip, and lends its pins."""

    def __init__(self, settings: GpioSettings, context: BusContext, make: Callable[[], Any] = make_factory) -> None:
        del settings
        self._mono_s, self._make = context.mono_s, make
        self._factory: Any = None
        self._fault: BusUnavailable | None = None
        self._changed = asyncio.Event()  # replaced at each change: waiters look again
        self._lent: set[str] = set()

    async def run(self) -> None:
        """Hold the GPIO chip until cancelled. Raises BusUnavailable."""
        try:
            factory = await asyncio.to_thread(self._make)  # importing gpiozero takes its time on a Pi
        except BusUnavailable as fault:
            self._set(None, fault)
            raise
        self._set(factory, None)
        try:
            await asyncio.Event().wait()
        finally:
            self._set(None, None)
            factory.close()

    @asynccontextmanager
    async def open(self, device: str, settings: OnPin) -> AsyncIterator["PinPort"]:
        """Lend a pin. Raises DeviceRejected for a pin that does not exist or is taken."""
        del device
        while self._factory is None:
            if self._fault is not None:
                raise self._fault
            await self._changed.wait()
        gpiozero = importlib.import_module("gpiozero")
        try:
            owner = gpiozero.GPIODevice(settings.pin, pin_factory=self._factory)
        except gpiozero.GPIOPinInUse as error:
            raise DeviceRejected(f"pin {settings.pin} belongs to another device",
                                 "give each device a pin of its own") from error
        except gpiozero.PinInvalidPin as error:
            raise DeviceRejected(f"there is no pin {settings.pin!r}",
                                 "set pin to a BCM number, such as 17 for the header's pin 11") from error
        name = owner.pin.info.name
        self._lent.add(name)
        port = PinPort(owner.pin, settings, self._mono_s)
        try:
            yield port
        finally:
            owner.pin.when_changed = None
            self._lent.discard(name)
            owner.close()

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Find nothing: a pin does not tell what is connected to it."""
        del seconds
        return []

    def health(self) -> dict[str, Any]:
        return {"open": self._factory is not None, "factory": type(self._factory).__name__ if self._factory else None,
                "pins": sorted(self._lent)}

    def _set(self, factory: Any, fault: BusUnavailable | None) -> None:
        self._factory, self._fault = factory, fault
        self._changed.set()
        self._changed = asyncio.Event()


class PinPort:
    """GpioPort of one pin. levels() may be iterated once."""

    def __init__(self, pin: Any, settings: Any, mono_s: Callable[[], float]) -> None:
        self._pin, self._settings, self._mono_s = pin, settings, mono_s
        self._loop = asyncio.get_running_loop()
        self._edges: asyncio.Queue[tuple[float, bool]] = asyncio.Queue()  # at most one entry a BOUNCE_S
        self._told: bool | None = None
        self._edge_mono_s = 0.0
        self._settling: asyncio.TimerHandle | None = None
        self._drives = False

    async def levels(self) -> AsyncIterator[tuple[float, bool]]:
        try:
            self._pin.input_with_pull("up" if self._settings.pull_up else "down")
            self._pin.edges = "both"
            self._pin.when_changed = self._in_thread
        except Exception as error:  # lgpio's own errors have no root in common with gpiozero's
            raise _refused(self._pin, error) from error
        self._settling = self._loop.call_later(BOUNCE_S, self._begin, self._mono_s())
        try:
            while True:
                yield await self._edges.get()
        finally:
            self._pin.when_changed = None
            if self._settling is not None:
                self._settling.cancel()

    async def drive(self, active: bool) -> None:
        level = active is self._settings.active_high
        try:
            if self._drives:
                self._pin.state = level
            else:
                self._pin.output_with_state(level)
                self._drives = True
        except Exception as error:
            raise _refused(self._pin, error) from error

    def _active(self) -> bool:
        return bool(self._pin.state) is not self._settings.pull_up

    def _in_thread(self, ticks: object, state: object) -> None:
        """Take an edge in gpiozero's thread: stamp it and hand it over."""
        mono_s = self._mono_s()
        del ticks  # of a clock that differs from one pin factory to the next
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits for this edge
            self._loop.call_soon_threadsafe(self._edge, mono_s, bool(state) is not self._settings.pull_up)

    def _edge(self, mono_s: float, active: bool) -> None:
        self._edge_mono_s = mono_s
        if self._settling is None:
            if active is not self._told:
                self._tell(mono_s, active)
            self._settling = self._loop.call_later(BOUNCE_S, self._settled)

    def _begin(self, mono_s: float) -> None:
        self._settling = None
        self._tell(mono_s, self._active())

    def _settled(self) -> None:
        self._settling = None
        if (active := self._active()) is not self._told:
            self._tell(self._edge_mono_s, active)
            self._settling = self._loop.call_later(BOUNCE_S, self._settled)

    def _tell(self, mono_s: float, active: bool) -> None:
        self._told = active
        self._edges.put_nowait((mono_s, active))


def _refused(pin: Any, error: Exception) -> LinkLost | DeviceRejected:
    gpiozero = importlib.import_module("gpiozero")
    if isinstance(error, gpiozero.PinFixedPull):
        return DeviceRejected(f"{pin.info.name} has a pull-up of its own", "set pull_up = true or take another pin")
    return LinkLost(f"{pin.info.name} does not obey ({type(error).__name__}: {error})",
                    "look for another program that uses the pin with: gpioinfo")


BUS = BusKind(name="gpio", settings=GpioSettings, make=Header)
