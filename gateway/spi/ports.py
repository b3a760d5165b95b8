"""Ports: what a driver talks through. Implemented by drivers/bus, by fakes in drivers/testkit, by third parties.

Common rules, held by the conformance suites of drivers/testkit:
- every value that arrives carries `mono_s`, CLOCK_MONOTONIC at its arrival, taken before anything else is done;
- an iterator yields in order of arrival, drops nothing, and raises LinkLost when the peer is gone;
- every call ends within a time of its own or raises LinkError; nothing waits for ever.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from gateway.spi.advert import Notes


class Notification(msgspec.Struct, frozen=True):
    """One GATT notification or indication."""

    mono_s: float
    uuid: str
    data: bytes


class BlePeer(Protocol):
    """A connected Bluetooth LE peripheral. UUIDs are 128-bit, lower case."""

    @property
    def address(self) -> str: ...

    @property
    def rssi_dbm(self) -> int | None:
        """Signal of the last advertisement heard, None before the first."""

    @property
    def notes(self) -> Notes: ...

    def has(self, uuid: str) -> bool:
        """Tell whether the peer offers this characteristic."""

    async def read(self, uuid: str) -> bytes: ...

    async def write(self, uuid: str, data: bytes) -> None:
        """Write with response."""

    async def subscribe(self, uuid: str) -> None:
        """Let this characteristic's notifications flow into notifications()."""

    def notifications(self) -> AsyncIterator[Notification]: ...


class ModbusPort(Protocol):
    """One unit on a Modbus RTU line. Raises LinkLost when the unit does not answer or answers nonsense."""

    async def read_discrete_inputs(self, address: int, count: int) -> tuple[float, list[bool]]:
        """Return (mono_s of the answer, `count` levels). Modbus application protocol V1.1b3, 6.2."""

    async def read_input_registers(self, address: int, count: int) -> tuple[float, list[int]]:
        """Return (mono_s of the answer, `count` unsigned 16-bit values). V1.1b3, 6.4."""


class SerialPort(Protocol):
    """A serial line that one device has to itself. 8 data bits, no parity, one stop bit."""

    async def read(self, wait_s: float) -> tuple[float, bytes]:
        """Return (mono_s of its arrival, what came), as soon as something has; (now, b"") where nothing came in time.

        What nobody reads is kept up to a limit of the port's own; beyond it the oldest goes, and the bus counts it.
        """

    async def write(self, data: bytes) -> None:
        """Return once the system has all of it."""

    def noise(self, count: int) -> None:
        """Tell the bus that so many bytes belonged to no good frame; its health shows them."""


class GpioPort(Protocol):
    """One pin."""

    def levels(self) -> AsyncIterator[tuple[float, bool]]:
        """Yield (mono_s, active) now and at every edge; polarity is the bus's affair."""

    async def drive(self, active: bool) -> None:
        """Set an output pin."""


class ZoneStatus(msgspec.Struct, frozen=True):
    """IAS Zone status: ZCL 8.2.2.4.1, bits of table 8-5.

    `news`: a notification of its own. False where the attribute was read or reported, or where the radio sent the same
    frame again: the level is as told, but nobody has pressed anything once more.
    """

    mono_s: float
    bits: int
    news: bool = True


class Attribute(msgspec.Struct, frozen=True):
    """A reported or read attribute of a server cluster."""

    mono_s: float
    endpoint: int
    cluster: int
    attribute: int
    value: int | float | bytes | str | bool


class ZclCommand(msgspec.Struct, frozen=True):
    """Any other cluster-specific command that the device sent."""

    mono_s: float
    endpoint: int
    cluster: int
    command: int
    payload: bytes


ZclMessage = ZoneStatus | Attribute | ZclCommand


class ZigbeePort(Protocol):
    """One joined end device; IAS enrolment, binding and reporting are done before the port opens."""

    @property
    def manufacturer(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def zone_type(self) -> int | None:
        """IAS zone type (ZCL 8.2.2.2.1.2), None for a device that has no IAS Zone server."""

    def messages(self) -> AsyncIterator[ZclMessage]: ...

    async def read(self, cluster: int, attributes: Sequence[int]) -> None:
        """Ask for attributes of a server cluster; they arrive in messages(). Raises LinkError without an answer.

        Only for a device that never sleeps: asking one that does takes minutes and drains it.
        """

    async def command(self, cluster: int, command: int, payload: bytes) -> None:
        """Send a command to a server cluster, cluster-specific, no manufacturer's own. Raises LinkError if it fails."""
