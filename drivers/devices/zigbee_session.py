"""A session of a Zigbee device by its rules: levels when they change, all else when it comes.

A device that sleeps is never asked for anything: it speaks when it has something to say, and its driver's silence_s
says how long it may be quiet. One on mains power is asked now and then, for most have no heartbeat of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

import msgspec

from drivers.devices.zigbee_models import driver_of
from drivers.devices.zigbee_rules import Rule, meaning
from gateway.model.reading import Binary, BinaryKind, Measurement
from gateway.spi import DeviceRejected, Link, LinkError, ZigbeePort

# Silence: the heartbeat of each class of model, and time for a lost one.
BATTERY_SILENCE_S = 25 * 3600.0  # a supervision signal at least every 24 h (EN 50134-2, radio triggers)
LUMI_SILENCE_S = 3 * 3600.0  # LUMI devices report every 50 to 60 minutes
MAINS_ASK_S, MAINS_SILENCE_S = 300.0, 1800.0

WRONG_DRIVER = "give it the driver that `anju devices add` proposes, or another ieee"


class IeeeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ieee`: the device's EUI-64 as `anju devices add` shows it, 00:15:8d:00:01:02:03:04."""

    ieee: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{2}:){7}[0-9a-fA-F]{2}$", description="an IEEE address",
                                      examples=["00:15:8d:00:01:02:03:04"], extra={"identifies": True})]


class Asked(NamedTuple):
    """What a device on mains power is asked when a session begins, and how often then; None: no more."""

    cluster: int
    attributes: tuple[int, ...]
    every_s: float | None = MAINS_ASK_S


ALIVE = Asked(0x0000, (0x0000,))
"""ZCL version of Basic, which every device has (ZCL 3.2.2.2.1)."""


def check_model(driver: str, port: ZigbeePort, *, only_known: bool) -> None:
    """Raise DeviceRejected where the table of models gives the device to another driver, or, `only_known`, to none."""
    known = driver_of(port.manufacturer, port.model)
    if known == driver or (known is None and not only_known):
        return
    told = f"is read by {known}" if known else "is none of its products"
    raise DeviceRejected(f"{driver} does not fit: {port.manufacturer} {port.model} {told}", WRONG_DRIVER)


class Teller:
    """Emits the news among measurements; `clear_s`: kinds whose active level ends by itself after so long unheard."""

    def __init__(self, link: Link[Any], clear_s: dict[BinaryKind, float] | None = None) -> None:
        self._link, self._clear_s = link, clear_s or {}
        self._levels: dict[BinaryKind, bool] = {}
        self._ends: dict[BinaryKind, asyncio.TimerHandle] = {}

    def tell(self, values: Sequence[Measurement], mono_s: float) -> None:
        """Emit what is new; where nothing is, it was a sign of life all the same."""
        news = False
        for value in values:
            if isinstance(value, Binary):
                self._start_clock(value, mono_s)
                if self._levels.get(value.kind) == value.active:
                    continue
                self._levels[value.kind] = value.active
            self._link.emit(value, mono_s)
            news = True
        if not news:
            self._link.alive()

    def close(self) -> None:
        for end in self._ends.values():
            end.cancel()

    def _start_clock(self, value: Binary, mono_s: float) -> None:
        if value.kind in self._ends:
            self._ends.pop(value.kind).cancel()
        if value.active and value.kind in self._clear_s:
            after_s = self._clear_s[value.kind]
            self._ends[value.kind] = asyncio.get_running_loop().call_later(
                after_s, self._clear, value.kind, mono_s + after_s)

    def _clear(self, kind: BinaryKind, mono_s: float) -> None:
        """End a level on our own account: no sign of life."""
        self._levels[kind] = False
        self._link.emit(Binary(kind, False), mono_s)


async def ask(port: ZigbeePort, asked: Asked) -> None:
    """Ask as often as is wanted, at least until it is answered. That one is missed is nothing: silence_s judges."""
    while True:
        with suppress(LinkError):
            await port.read(asked.cluster, asked.attributes)
            if asked.every_s is None:
                return
        await asyncio.sleep(asked.every_s or MAINS_ASK_S)


async def listen(link: Link[Any], port: ZigbeePort, rules: Sequence[Rule], *,
                 clear_s: dict[BinaryKind, float] | None = None, asked: Sequence[Asked] = (),
                 beside: Callable[[], Awaitable[None]] | None = None) -> None:
    """Serve a device until it is lost. `asked`: only of one on mains; `beside`: what else the session does."""
    teller = Teller(link, clear_s)
    link.ready()
    others = [asyncio.ensure_future(work) for work in (
        *(ask(port, one) for one in asked), *([beside()] if beside else []))]
    try:
        async for message in port.messages():
            teller.tell(meaning(message, rules), message.mono_s)
    finally:
        teller.close()
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
