"""Driver and Link: one device family, and one session of one device."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from gateway.model.finding import FallSource
from gateway.model.reading import Measurement
from gateway.spi.advert import Mark
from gateway.spi.orders import Order

S_co = TypeVar("S_co", bound=msgspec.Struct, covariant=True)
S = TypeVar("S", bound=msgspec.Struct)
P = TypeVar("P")


class Link(Protocol[S_co]):
    """The runtime's end of one session: where measurements go, and where orders come from."""

    @property
    def device(self) -> str:
        """The device's name in the configuration."""

    @property
    def settings(self) -> S_co: ...

    def ready(self) -> None:
        """Say that the device now delivers. Due within the driver's start deadline."""

    def alive(self) -> None:
        """Say that the device gave a sign of life which is no measurement (a keep-alive, an unchanged poll)."""

    def about(self, said: Mapping[str, str]) -> None:
        """Tell what the device says about itself: `maker`, `model`, `firmware`, `serial`, as far as it does."""

    def emit(self, value: Measurement, mono_s: float) -> None:
        """Hand over one measurement, stamped when its bytes arrived. Never blocks, never raises.

        Samples that come too late to be of use are dropped and counted; whatever `may_drop` forbids never is.
        """

    def orders(self) -> AsyncIterator[Order]:
        """Yield the last Light given, if any, then every further order; a SendSms once."""


class Tested(StrEnum):
    """How a driver was tested, in the words of the list of devices."""

    VECTORS = "vectors of the specification"
    EMULATED = "an emulated device"
    HARDWARE = "the real device"


@dataclass(frozen=True, slots=True)
class Driver(Generic[S, P]):
    """A family of devices. Registered by the entry point group `gateway.drivers`.

    `run(link, port)` is one session: return or raise to end it, and the runtime starts the next after a jittered,
    growing pause. `start_s`: ready() is due so long after the port opened. `silence_s`: the longest time without a
    sign of life before the device counts as silent; None for one that only speaks when something happens and
    has no heartbeat of its own. `gives`: the measurements it makes, for people; `takes`: the orders it follows.
    `marks`: any one
    of them recognises a Bluetooth device that is not configured yet.
    `falls`: by what the device watches over falls: WRIST where it gives a wearer's acceleration, WEARABLE where it
    flags falls itself, RADAR; None where it does not, so that nobody counts on it. `portable`: it sleeps between two
    measurements, so that not hearing it means nothing. `tested`: how, and nothing more.

    `settings`: its keys in the configuration. msgspec.Meta speaks for each to the technician: `description` is a noun
    for what is wanted, `examples` are good values, `extra={"identifies": True}` marks what no two devices may share.
    """

    name: str
    title: str
    bus: str
    settings: type[S]
    run: Callable[[Link[S], P], Awaitable[None]]
    gives: tuple[str, ...]
    takes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    falls: FallSource | None = None
    start_s: float = 10.0
    silence_s: float | None = None
    portable: bool = False
    tested: tuple[Tested, ...] = ()


AnyDriver = Driver[Any, Any]
