"""BACKEND: a scanner and a client for bleak over a Bumble host, whose controller is reached by HCI over TCP.

The address of the controller stands in ANJU_BENCH_HCI ("tcp-client:127.0.0.1:9100"). The host connects when it is
first needed, and again when its transport was lost. One host serves a whole event loop.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
    BleakGATTProtocolError,
)
from bumble import att, core, hci
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration, Peer
from bumble.transport import open_transport
from bumble.transport.common import Transport

from hil.bluez.adapter import advertised, long_uuid
from hil.bluez.air import address_of

VARIABLE = "ANJU_BENCH_HCI"
_CONNECT_S = 10.0
_MTU = 247

T = TypeVar("T")


class _Host:
    """The Bumble host of one event loop."""

    def __init__(self) -> None:
        self._device: Device | None = None
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()

    async def device(self) -> Device:
        """A powered host. Raises BleakBluetoothNotAvailableError."""
        async with self._lock:
            if self._device is None:
                await self._open()
            assert self._device is not None
            return self._device

    async def _open(self) -> None:
        spec = os.environ.get(VARIABLE)
        if spec is None:
            raise _not_available(f"{VARIABLE} is not set")
        try:
            async with asyncio.timeout(_CONNECT_S):
                self._transport = transport = await open_transport(spec)
                device = Device.from_config_with_hci(
                    DeviceConfiguration(name="gateway", address=hci.Address("C0:00:00:00:00:FE")),
                    transport.source, transport.sink)
                await device.power_on()
        except (OSError, TimeoutError, core.BaseBumbleError) as error:
            raise _not_available(f"no controller at {spec}: {error or type(error).__name__}") from error
        device.host.on("flush", self._transport_lost)
        self._device = device

    def _transport_lost(self) -> None:
        """End every link: Bumble leaves them standing when its transport goes."""
        device, self._device = self._device, None
        if device is None:
            return
        device.scanning = False
        for link in list(device.connections.values()):
            link.emit(link.EVENT_DISCONNECTION, int(hci.HCI_ErrorCode.HARDWARE_FAILURE_ERROR))

    async def close(self) -> None:
        transport, self._transport, self._device = self._transport, None, None
        if transport is not None:
            await transport.close()


_hosts: dict[asyncio.AbstractEventLoop, _Host] = {}


def _host() -> _Host:
    return _hosts.setdefault(asyncio.get_running_loop(), _Host())


def use(device: Device) -> None:
    """Let this event loop's host be a powered one at hand: in virtual time there are no sockets to wait for."""
    _host()._device = device


async def close() -> None:
    """Let go of this event loop's controller: for tests, which end their loops."""
    if host := _hosts.pop(asyncio.get_running_loop(), None):
        await host.close()


def _not_available(text: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(text, BleakBluetoothNotAvailableReason.NO_BLUETOOTH)


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner; properties of a device add up over its reports, as under BlueZ."""

    def __init__(self, detection_callback: AdvertisementDataCallback | None, service_uuids: list[str] | None,
                 scanning_mode: Literal["active", "passive"], **_other: Any) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._device: Device | None = None
        self._known: dict[str, dict[str, Any]] = {}

    async def start(self) -> None:
        device = await _host().device()
        if device.is_scanning:
            raise BleakError("a scan is in progress")
        self.seen_devices = {}
        device.on("advertisement", self._heard)
        self._device = device
        await device.start_scanning(legacy=True, active=self._active)

    async def stop(self) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        device.remove_listener("advertisement", self._heard)
        if device.is_scanning:
            try:
                await device.stop_scanning(legacy=True)
            except (core.BaseBumbleError, hci.HCI_Error) as error:
                raise BleakError(str(error)) from error

    def _heard(self, report: Advertisement) -> None:
        address = address_of(report.address)
        known = self._known.setdefault(address, {})
        known |= {name: value.value for name, value in advertised(report.data, report.rssi).items()}
        makers = {code: bytes(value.value) for code, value in known.get("ManufacturerData", {}).items()}
        services = {uuid: bytes(value.value) for uuid, value in known.get("ServiceData", {}).items()}
        if not self.is_allowed_uuid(known.get("UUIDs", [])):
            return
        data = AdvertisementData(known.get("Name"), makers, services, known.get("UUIDs", []), known.get("TxPower"),
                                 report.rssi, (report,))
        device = self.create_or_update_device(address, address, known.get("Name"), {"bumble": report.address}, data)
        self.call_detection_callbacks(device, data)


class BumbleClient(BaseBleakClient):
    """bleak's client; connects only to devices that the scanner gave."""

    def __init__(self, address_or_ble_device: BLEDevice | str, *,
                 disconnected_callback: Callable[[], None] | None = None, timeout: float = 30.0, **_other: Any) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        if not isinstance(address_or_ble_device, BLEDevice):
            raise BleakError("this backend connects to devices of its own scanner only")
        self._peer_address: hci.Address = address_or_ble_device.details["bumble"]
        self._name = address_or_ble_device.name
        self._link: Connection | None = None

    @property
    def name(self) -> str:
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._link.att_mtu if self._link else 23

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    async def connect(self, pair: bool, timeout: float | None = None, **_other: Any) -> None:  # noqa: ASYNC109 - bleak's
        if pair:
            raise BleakError("this backend does not pair")
        device = await _host().device()
        limit_s = timeout or self._timeout
        try:
            async with self._errors(), asyncio.timeout(limit_s + 1):  # Bumble's limit first: it tells the controller
                link = await device.connect(self._peer_address, timeout=limit_s)
                self._link = link
                link.on("disconnection", self._on_disconnection)
                peer = Peer(link)
                await peer.request_mtu(_MTU)
                self.services = await _services(peer, lambda: self.mtu_size - 3)
        except BaseException:
            self._disconnected_callback, told = None, self._disconnected_callback
            await self.disconnect()
            self._disconnected_callback = told
            raise

    async def disconnect(self) -> None:
        if self._link is not None:
            async with self._errors():
                await self._link.disconnect()

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        raise BleakError("this backend does not pair")

    async def unpair(self) -> None:
        raise BleakError("this backend does not pair")

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_other: Any) -> bytearray:
        return bytearray(await self._ask(characteristic.obj.read_value()))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_other: Any) -> bytearray:
        return bytearray(await self._ask(descriptor.obj.read_value()))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:
        await self._ask(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Any) -> None:
        await self._ask(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback,
                           **_other: Any) -> None:
        await self._ask(characteristic.obj.subscribe(lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._ask(characteristic.obj.unsubscribe(force=True))

    def _on_disconnection(self, _reason: int) -> None:
        self._link = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        if self._link is None:
            work.close()
            raise BleakError("Not connected")
        async with self._errors():
            return await work

    @asynccontextmanager
    async def _errors(self) -> Any:
        """Say in bleak's words what Bumble met."""
        try:
            yield
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except core.TimeoutError as error:
            raise TimeoutError from error
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            raise BleakError(str(error)) from error
        except asyncio.CancelledError as error:  # Bumble cancels a request whose link ends
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            raise BleakError("disconnected") from error


async def _services(peer: Peer, max_write: Callable[[], int]) -> BleakGATTServiceCollection:
    """Read the whole list of services."""
    found = BleakGATTServiceCollection()
    for service in await peer.discover_services():
        bleak_service = BleakGATTService(service, service.handle, long_uuid(service.uuid))
        found.add_service(bleak_service)
        for characteristic in await service.discover_characteristics():
            properties = list(gatt_char_props_to_strs(int(characteristic.properties)))
            bleak_characteristic = BleakGATTCharacteristic(
                characteristic, characteristic.handle, long_uuid(characteristic.uuid), properties, max_write,
                bleak_service)
            found.add_characteristic(bleak_characteristic)
            for descriptor in await characteristic.discover_descriptors():
                found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, long_uuid(descriptor.type),
                                                         bleak_characteristic))
    return found


class _Backend:
    """What the entry point group `gateway.ble_backends` asks for."""

    scanner = BumbleScanner
    client = BumbleClient


BACKEND = _Backend()
