"""Peer: the BlePeer port over a bleak client. The notification callback stamps and enqueues, nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakDBusError, BleakError
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from drivers.bus.ble import bond
from drivers.bus.ble.notebook import Page
from drivers.bus.ble.sightings import Sighting
from gateway.spi import LinkError, LinkLost, Notification, SpiError

log = logging.getLogger(__name__)

CONNECT_S = 40.0
"""Two attempts of bleak-retry-connector at 20 s each.

bleak 3.1 spends the whole of one where BlueZ says le-connection-abort-by-local of a link that never stood: it waits for
the end of that link (bluezdbus/client.py, connect()).
"""
CALL_S = 10.0
CLOSE_S = 5.0

NO_ROOM = "le-connection-concurrent-connection-limit"  # BlueZ, src/error.h: the controller said 0x09
_COME_NEARER = "bring it nearer to the gateway and look at its battery"
_BLEAK_ERRORS = (BleakError, OSError, EOFError, AttributeError, AssertionError)
"""What bleak's calls raise; the last two when the link ends inside of one (its client forgets its D-Bus connection)."""


class NoRoom(LinkError):
    """The controller holds as many links as it can."""


class NoAnswer(LinkError):
    """Nothing came in time: the device is out of reach, or the controller full, which some do not say."""


class Peer:
    """One device, connected by connect(). Once lost it stays lost."""

    def __init__(self, address: str, notes: Page, mono_s: Callable[[], float],
                 missing: Callable[[str], SpiError]) -> None:
        self.address, self.notes = address, notes
        self.rssi_dbm: int | None = None
        self._mono_s, self._missing = mono_s, missing
        self._client: BleakClient | None = None
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}
        self._arrived: asyncio.Queue[Notification | None] = asyncio.Queue()  # None: the link is lost
        self._limits: set[_Limited] = set()
        self._subscribed: set[str] = set()
        self._connected = False
        self._lost: tuple[str, str] | None = None
        self.lacked = False  # somebody asked for a characteristic that is not in the list of services

    # -- the port ---------------------------------------------------------------------------------------------------

    def has(self, uuid: str) -> bool:
        return uuid in self._characteristics

    async def read(self, uuid: str) -> bytes:
        client, characteristic = self._find(uuid)
        with self._errors(f"reading {uuid}"):
            async with self._limited(CALL_S):
                return bytes(await client.read_gatt_char(characteristic))

    async def write(self, uuid: str, data: bytes) -> None:
        client, characteristic = self._find(uuid)
        with self._errors(f"writing {uuid}"):
            async with self._limited(CALL_S):
                await client.write_gatt_char(characteristic, data, response=True)

    async def subscribe(self, uuid: str) -> None:
        client, characteristic = self._find(uuid)
        if uuid in self._subscribed:
            return

        def arrived(_sender: BleakGATTCharacteristic, data: bytearray) -> None:
            if self._lost is None:
                self._arrived.put_nowait(Notification(self._mono_s(), uuid, bytes(data)))

        with self._errors(f"subscribing to {uuid}"):
            async with self._limited(CALL_S):
                await client.start_notify(characteristic, arrived)
        self._subscribed.add(uuid)

    async def notifications(self) -> AsyncIterator[Notification]:
        while (arrival := await self._arrived.get()) is not None:
            yield arrival
        self._arrived.put_nowait(None)
        self._must_be_up()

    # -- the bus's side ---------------------------------------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    async def connect(self, sighting: Sighting, use_cache: bool, options: dict[str, Any]) -> None:
        """Connect to the sighted device. Raises LinkError: NoRoom or NoAnswer where it is known to be that."""
        self.rssi_dbm = sighting.rssi_dbm
        self._must_be_up()
        with self._errors("connecting"):
            async with self._limited(CONNECT_S):
                self._client = client = await establish_connection(
                    BleakClientWithServiceCache, sighting.handle, self.address, self._on_disconnected,
                    max_attempts=2, use_services_cache=use_cache, **options)
        self._connected = True
        if not client.is_connected:
            self.lose("the link ended as soon as it stood", _COME_NEARER)
        self._must_be_up()
        self._characteristics = {c.uuid.lower(): c for c in client.services.characteristics.values()}

    def lose(self, reason: str, cure: str) -> None:
        """End the iterator, every call under way and every call to come with LinkLost."""
        if self._lost is not None:
            return
        self._lost = (reason, cure)
        self._arrived.put_nowait(None)
        for limit in self._limits:
            limit.expire()

    async def close(self) -> None:
        """Disconnect, as far as the other side lets us; the client's own resources are freed in any case."""
        self.lose("the port was closed", "none needed")
        if self._client is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._client.disconnect()
        except (*_BLEAK_ERRORS, TimeoutError) as error:
            log.debug("disconnect failed address=%s error=%r", self.address, error)

    def _on_disconnected(self, _client: BleakClient) -> None:
        if self._connected:  # before that it is a failed attempt, which is tried again
            self.lose("the Bluetooth link was lost", _COME_NEARER)

    def _find(self, uuid: str) -> tuple[BleakClient, BleakGATTCharacteristic]:
        self._must_be_up()
        if uuid not in self._characteristics:
            self.lacked = True
            raise self._missing(uuid)
        assert self._client is not None  # noqa: S101 - characteristics come from it
        return self._client, self._characteristics[uuid]

    def _must_be_up(self) -> None:
        if self._lost is not None:
            raise LinkLost(*self._lost)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Say in the contract's words what went wrong."""
        try:
            yield
        except TimeoutError:
            self._must_be_up()
            raise NoAnswer(f"{what} took too long", _COME_NEARER) from None
        except _BLEAK_ERRORS as error:
            if bond.is_missing(error):
                raise LinkError(*bond.missing(what, self.address)) from error
            self._must_be_up()
            if isinstance(error.__cause__, TimeoutError):
                raise NoAnswer(f"{what} took too long", _COME_NEARER) from error
            if isinstance(error.__cause__, BleakDBusError) and error.__cause__.dbus_error_details == NO_ROOM:
                raise NoRoom("the radio holds as many links as it can",
                             "use fewer Bluetooth devices that stay connected, or a radio that holds more") from error
            raise LinkError(f"{what} failed ({error or type(error).__name__})", _COME_NEARER) from error

    def _limited(self, limit_s: float) -> "_Limited":
        return _Limited(self._limits, limit_s)


class _Limited:
    """asyncio.timeout that lose() can bring forward, and that insists where a call is slow to break off.

    bleak answers the end of a connection attempt by a call of its own, which a bluetoothd that hangs never answers.
    """

    def __init__(self, limits: set["_Limited"], limit_s: float) -> None:
        self._limits = limits
        self._soft, self._hard = asyncio.timeout(limit_s), asyncio.timeout(limit_s + CLOSE_S)

    async def __aenter__(self) -> None:
        await self._hard.__aenter__()
        await self._soft.__aenter__()
        self._limits.add(self)

    async def __aexit__(self, *exc: Any) -> None:
        self._limits.discard(self)
        try:
            await self._soft.__aexit__(*exc)
        except TimeoutError as error:
            await self._hard.__aexit__(TimeoutError, error, None)
            raise
        await self._hard.__aexit__(*exc)

    def expire(self) -> None:
        """End what is under way now."""
        now_s = asyncio.get_running_loop().time()
        for timeout, at_s in ((self._soft, now_s), (self._hard, now_s + CLOSE_S)):
            if not timeout.expired() and (when_s := timeout.when()) is not None and when_s > at_s:
                timeout.reschedule(at_s)
