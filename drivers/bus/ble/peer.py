"""Peer: the BlePeer port over a bleak client. The notification callback stamps and enqueues, nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from drivers.bus.ble import bond
from drivers.bus.ble.notebook import Page
from drivers.bus.ble.sightings import Sighting
from gateway.spi import LinkError, LinkLost, Notification, SpiError

log = logging.getLogger(__name__)

CONNECT_S = 40.0  # two attempts of bleak-retry-connector at 20 s
CALL_S = 10.0
CLOSE_S = 5.0

_COME_NEARER = "bring it nearer to the gateway and look at its battery"
_BLEAK_ERRORS = (BleakError, OSError, EOFError, AttributeError, AssertionError)
"""What bleak's calls raise; the last two when the link ends inside of one (its client forgets its D-Bus connection)."""


class Peer:
    """One connected device; made by Peer.connect. Once lost it stays lost."""

    def __init__(self, sighting: Sighting, notes: Page, mono_s: Callable[[], float],
                 missing: Callable[[str], SpiError]) -> None:
        self.notes = notes
        self._sighting, self._mono_s, self._missing = sighting, mono_s, missing
        self._client: BleakClient | None = None
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}
        self._arrived: asyncio.Queue[Notification | None] = asyncio.Queue()  # None: the link is lost
        self._limits: set[asyncio.Timeout] = set()
        self._connected = False
        self._lost: tuple[str, str] | None = None
        self.lacked = False  # somebody asked for a characteristic that is not in the list of services

    # -- the port ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return self._sighting.address

    @property
    def rssi_dbm(self) -> int | None:
        return self._sighting.rssi_dbm

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

        def arrived(_sender: BleakGATTCharacteristic, data: bytearray) -> None:
            self._arrived.put_nowait(Notification(self._mono_s(), uuid, bytes(data)))

        with self._errors(f"subscribing to {uuid}"):
            async with self._limited(CALL_S):
                await client.start_notify(characteristic, arrived)

    async def notifications(self) -> AsyncIterator[Notification]:
        while (arrival := await self._arrived.get()) is not None:
            yield arrival
        self._arrived.put_nowait(None)
        self._must_be_up()

    # -- the bus's side ---------------------------------------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    async def connect(self, use_cache: bool, options: dict[str, Any]) -> None:
        """Connect to the sighted device. Raises LinkError."""
        with self._errors("connecting"):
            async with self._limited(CONNECT_S):
                self._client = client = await establish_connection(
                    BleakClientWithServiceCache, self._sighting.handle, self.address, self._on_disconnected,
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
        now_s = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now_s)

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
            raise LinkError(f"{what} took too long", _COME_NEARER) from None
        except _BLEAK_ERRORS as error:
            if bond.is_missing(error):
                raise bond.missing(what, self.address) from error
            self._must_be_up()
            raise LinkError(f"{what} failed ({error or type(error).__name__})", _COME_NEARER) from error

    def _limited(self, limit_s: float) -> "_Limited":
        return _Limited(self._limits, limit_s)


class _Limited:
    """asyncio.timeout that lose() can bring forward."""

    def __init__(self, limits: set[asyncio.Timeout], limit_s: float) -> None:
        self._limits, self._timeout = limits, asyncio.timeout(limit_s)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._limits.add(self._timeout)

    async def __aexit__(self, *exc: Any) -> None:
        self._limits.discard(self._timeout)
        await self._timeout.__aexit__(*exc)
