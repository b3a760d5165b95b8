"""Bus: one transport of this machine. Registered by the entry point group `gateway.buses`."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from gateway.spi.driver import AnyDriver

B = TypeVar("B", bound=msgspec.Struct)


class Bus(Protocol):
    """A running transport."""

    async def run(self) -> None:
        """Keep the transport healthy until cancelled. Raise BusUnavailable where it cannot work now."""

    def open(self, device: str, settings: Any) -> AbstractAsyncContextManager[Any]:
        """Give a port to the device that `settings` (the driver's Struct) address.

        Entering waits, for ever if need be, until the device can be reached; it raises BusUnavailable while the
        transport is down and DeviceRejected where the settings cannot be right. Leaving closes the port.
        """

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Look around for devices nobody configured yet: {"name", "driver" or None, "settings": {...}, ...} each."""

    def health(self) -> dict[str, Any]:
        """Counters and state for `anju status`, JSON-able; `reason` and `cure` where the transport does not work."""


@runtime_checkable
class PairingBus(Protocol):
    """What a bus offers besides where its devices are bonded with on a technician's word."""

    def pair(self, address: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        """Let this one device in within so many seconds; yield each step, {"state": ...}. Raises LinkError.

        Steps: "open", at least every second; "pairing"; "passkey" and "number" ask the technician; "withdrawn", the
        question is void; "paired" is the last one. Closing the iterator ends it all.
        """

    def answer_pairing(self, text: str) -> None:
        """Answer what was asked last: a passkey of six digits, "yes" or "no". Raises LinkError."""


@dataclass(frozen=True, slots=True)
class BusContext:
    """What a bus gets from the runtime: a folder of its own that survives restarts, and the monotonic clock.

    `drivers`: the installed drivers for this bus, by which it may recognise what it discovers. `calm`: no alarm is
    under way. A bus that would end the whole gateway for its own sake waits for that.
    """

    state_dir: Path
    mono_s: Callable[[], float]
    drivers: Callable[[], Sequence[AnyDriver]] = tuple
    calm: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class BusKind(Generic[B]):
    """How to make a bus. `own_process`: it must not share the daemon's process (licence, weight, busy loops)."""

    name: str
    settings: type[B]
    make: Callable[[B, BusContext], Bus]
    own_process: bool = False


AnyBusKind = BusKind[Any]
