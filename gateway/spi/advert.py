"""AdvertPort: devices that are never connected to, only heard. Their settings derive from Advertiser.

Implemented by drivers/bus/ble and by the fake of drivers/testkit; the rules of gateway/spi/ports.py hold.
"""

from collections.abc import AsyncIterator
from typing import Annotated, ClassVar, Protocol

import msgspec

MacAddress = Annotated[str, msgspec.Meta(
    pattern=r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$", description="a MAC address", examples=["A0:9E:1A:12:34:56"],
    extra={"identifies": True})]


class Addressed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a Bluetooth device that is connected to: the bus gives a BlePeer.

    `urgent`: alarms or falls come from it. A radio holds few connections: such a device gets one before all others.
    """

    urgent: ClassVar[bool] = False

    address: MacAddress


class Advertiser(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of a Bluetooth device that is only heard: the bus gives an AdvertPort, at once."""

    address: MacAddress


class Advertisement(msgspec.Struct, frozen=True):
    """One advertisement, scan response included. UUIDs are 128-bit, lower case; companies are Bluetooth SIG numbers."""

    mono_s: float
    rssi_dbm: int
    name: str | None = None
    service_data: dict[str, bytes] = {}
    manufacturer_data: dict[int, bytes] = {}
    services: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """By what a driver's devices are recognised in the air; whatever is given must be there.

    `name`: what the advertised name begins with; `service`: a UUID in the list of services; `service_data`: one that
    data are advertised for; `company`: whose manufacturer data there are. UUIDs and companies as in Advertisement.
    """

    name: str = ""
    service: str = ""
    service_data: str = ""
    company: int | None = None


class Notes(Protocol):
    """A few bytes of a driver's own about one device, such as the highest number it has seen."""

    def recall(self) -> bytes:
        """Return what was kept last, by this session or an earlier one, over restarts; empty before the first."""

    def keep(self, note: bytes) -> None:
        """Keep this instead. It is on disk some seconds later: a power cut may bring the one before back."""


class AdvertPort(Protocol):
    """What one address advertises. A device that sends only when something happens is there all the time."""

    @property
    def address(self) -> str: ...

    @property
    def notes(self) -> Notes: ...

    def advertisements(self) -> AsyncIterator[Advertisement]:
        """Yield each advertisement. While nobody takes them, repeats of the last one that waits count as that one."""
