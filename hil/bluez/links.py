"""Links: org.bluez.Device1 connections and the GATT objects below them."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from bleak.assigned_numbers import gatt_char_props_to_strs
from bumble import att, core, hci
from bumble.device import Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy, ServiceProxy
from dbus_fast import Message, Variant

from hil.bluez.adapter import DEVICE, Adapter, long_uuid
from hil.bluez.bonds import Bonds
from hil.bluez.faults import BlueZError
from hil.bluez.tree import Tree

SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"

CONNECT_S = 20.0
_MTU = 517
_NO_ROOM = "le-connection-concurrent-connection-limit"  # BlueZ, src/error.h
_UNPROTECTED = (att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR, att.ATT_INSUFFICIENT_ENCRYPTION_ERROR)
_GAP = "00001800"  # BlueZ keeps this service to itself

Reply = tuple[str, list[Any], list[int]] | None


class Links:
    """Every link of the adapter. `spawn` starts work that outlives a call."""

    def __init__(self, tree: Tree, host: Device, adapter: Adapter, bonds: Bonds,
                 spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._tree, self._host, self._adapter, self._bonds, self._spawn = tree, host, adapter, bonds, spawn
        self._links: dict[str, Connection] = {}
        self._resolved: dict[str, asyncio.Event] = {}
        self._attributes: dict[str, Any] = {}  # path -> Bumble's proxy; only while the link stands
        self._subscribers: dict[str, dict[str, socket.socket | None]] = {}  # path -> client -> socket, if any
        self._connecting: set[str] = set()

    # -- Device1 ----------------------------------------------------------------------------------------------------

    async def connect(self, message: Message) -> None:
        path = str(message.path)
        if path in self._links:
            return
        if self._connecting:
            raise BlueZError("org.bluez.Error.InProgress", "Operation already in progress")
        self._connecting.add(path)
        try:
            link = await self._host.connect(self._adapter.addresses[path], timeout=CONNECT_S)
        except hci.HCI_Error as error:
            full = error.error_code == hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR
            raise BlueZError("org.bluez.Error.Failed", _NO_ROOM if full else "le-connection-unknown") from error
        except (core.TimeoutError, core.ConnectionError, TimeoutError) as error:
            raise BlueZError("org.bluez.Error.Failed", "le-connection-abort-by-local") from error
        finally:
            self._connecting.discard(path)
        await self._bonds.encrypt(path, link)
        self._links[path] = link
        self._resolved[path] = asyncio.Event()
        self._adapter.kept.add(path)
        link.on("disconnection", lambda _reason: self._ended(path))
        self._tree.set(path, DEVICE, {"Connected": Variant("b", True)})
        self._spawn(self._resolve(path, link))

    async def pair(self, message: Message) -> None:
        path = str(message.path)
        self._bonds.must_be_free(path)
        try:
            await self.connect(message)
        except BlueZError as error:
            raise BlueZError("org.bluez.Error.ConnectionAttemptFailed", "Page Timeout") from error
        await self._bonds.pair(path, self._links[path], str(message.sender))

    async def disconnect(self, message: Message) -> None:
        path = str(message.path)
        if path not in self._links:
            raise BlueZError("org.bluez.Error.NotConnected", "Not Connected")
        await self._links[path].disconnect()

    async def remove_device(self, message: Message) -> None:
        """Adapter1.RemoveDevice."""
        path = message.body[0]
        if path not in self._tree.objects:
            raise BlueZError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        if path in self._links:
            await self._links[path].disconnect()
        self._adapter.kept.discard(path)
        await self._bonds.forget(path)
        self._tree.remove(path)

    async def end_all(self) -> None:
        """End every link: the adapter goes off, or the process that held them has died."""
        for link in list(self._links.values()):
            with contextlib.suppress(core.BaseBumbleError):
                await link.disconnect()

    def forget_client(self, name: str) -> None:
        """A client has died: BlueZ ends its notifications but keeps its links."""
        for path, clients in self._subscribers.items():
            if name in clients:
                self._spawn(self._unsubscribe(path, name))

    def _ended(self, path: str) -> None:
        self._links.pop(path, None)
        self._resolved.pop(path).set()
        for below in [attribute for attribute in self._attributes if attribute.startswith(f"{path}/")]:
            del self._attributes[below]  # the objects stay, as BlueZ's cache of services does
            for client in self._subscribers.pop(below, {}).values():
                if client is not None:
                    client.close()
        self._tree.set(path, DEVICE, {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)})

    # -- the list of services ---------------------------------------------------------------------------------------

    async def _resolve(self, path: str, link: Connection) -> None:
        with contextlib.suppress(core.BaseBumbleError, asyncio.CancelledError):  # the link ended meanwhile
            peer = Peer(link)
            mtu = await peer.request_mtu(_MTU)
            services = await peer.discover_services()
            for service in services:
                if not long_uuid(service.uuid).startswith(_GAP):
                    await self._resolve_service(path, service, mtu)
            uuids = [long_uuid(service.uuid) for service in services]
            self._tree.set(path, DEVICE, {"UUIDs": Variant("as", uuids), "ServicesResolved": Variant("b", True)})
            self._resolved[path].set()

    async def _resolve_service(self, device_path: str, service: ServiceProxy, mtu: int) -> None:
        path = f"{device_path}/service{service.handle:04x}"
        self._tree.add(path, {SERVICE: {"UUID": Variant("s", long_uuid(service.uuid)), "Primary": Variant("b", True),
                                        "Device": Variant("o", device_path), "Includes": Variant("ao", [])}})
        for characteristic in await service.discover_characteristics():
            await self._resolve_characteristic(path, characteristic, mtu)

    async def _resolve_characteristic(self, service_path: str, characteristic: CharacteristicProxy[Any],
                                      mtu: int) -> None:
        path = f"{service_path}/char{characteristic.handle - 1:04x}"
        flags = list(gatt_char_props_to_strs(int(characteristic.properties)))
        properties = {"UUID": Variant("s", long_uuid(characteristic.uuid)), "Service": Variant("o", service_path),
                      "Value": Variant("ay", b""), "Flags": Variant("as", flags), "MTU": Variant("q", mtu)}
        if {"notify", "indicate"} & set(flags):
            properties |= {"Notifying": Variant("b", False), "NotifyAcquired": Variant("b", False)}
        self._attributes[path] = characteristic
        self._tree.add(path, {CHARACTERISTIC: properties})
        for descriptor in await characteristic.discover_descriptors():
            below = f"{path}/desc{descriptor.handle:04x}"
            self._attributes[below] = descriptor
            self._tree.add(below, {DESCRIPTOR: {
                "UUID": Variant("s", long_uuid(descriptor.type)), "Characteristic": Variant("o", path),
                "Value": Variant("ay", b"")}})

    # -- GATT -------------------------------------------------------------------------------------------------------

    async def read(self, message: Message) -> Reply:
        attribute = await self._attribute(message)
        value = bytes(await self._secured(message, attribute.read_value))
        if CHARACTERISTIC in self._tree.objects[str(message.path)]:
            self._tree.set(str(message.path), CHARACTERISTIC, {"Value": Variant("ay", value)})  # as BlueZ does
        return "ay", [value], []

    async def write(self, message: Message) -> None:
        value, options = message.body
        with_response = options.get("type", Variant("s", "request")).value != "command"
        attribute = await self._attribute(message)
        await self._secured(message, lambda: attribute.write_value(bytes(value), with_response=with_response))

    async def start_notify(self, message: Message) -> None:
        await self._subscribe(message, None)
        self._tree.set(str(message.path), CHARACTERISTIC, {"Notifying": Variant("b", True)})

    async def stop_notify(self, message: Message) -> None:
        await self._unsubscribe(str(message.path), str(message.sender))

    async def acquire_notify(self, message: Message) -> Reply:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        await self._subscribe(message, ours)
        self._tree.set(str(message.path), CHARACTERISTIC, {"NotifyAcquired": Variant("b", True)})
        return "hq", [0, self._tree.get(str(message.path), CHARACTERISTIC, "MTU", 23)], [theirs.detach()]

    async def _subscribe(self, message: Message, client: socket.socket | None) -> None:
        path = str(message.path)
        attribute = await self._attribute(message)
        clients = self._subscribers.setdefault(path, {})
        first = not clients
        clients[str(message.sender)] = client
        if first:
            await self._secured(message, lambda: attribute.subscribe(lambda value: self._notified(path, bytes(value))))

    async def _unsubscribe(self, path: str, sender: str) -> None:
        clients = self._subscribers.get(path, {})
        if clients.pop(sender, None) is not None or clients:
            return
        self._subscribers.pop(path, None)
        if path in self._attributes:
            with contextlib.suppress(core.BaseBumbleError, asyncio.CancelledError):
                await self._attributes[path].unsubscribe(force=True)
        self._tree.set(path, CHARACTERISTIC, {"Notifying": Variant("b", False)})

    def _notified(self, path: str, value: bytes) -> None:
        clients = self._subscribers.get(path, {})
        for client in clients.values():
            if client is not None:
                with contextlib.suppress(OSError):
                    client.send(value)
        if None in clients.values():
            self._tree.set(path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    async def _secured(self, message: Message, touch: Callable[[], Awaitable[Any]]) -> Any:
        """Touch an attribute; where the device wants a better protected link, provide it and try once more."""
        try:
            return await touch()
        except att.ATT_Error as error:
            if error.error_code not in _UNPROTECTED:
                raise
        path = str(message.path).split("/service")[0]
        await self._bonds.elevate(path, self._links[path])
        return await touch()

    async def _attribute(self, message: Message) -> Any:
        device = str(message.path).split("/service")[0]
        if device in self._resolved:
            await self._resolved[device].wait()  # a client with a cache of its own may call before ServicesResolved
        if message.path not in self._attributes:
            raise BlueZError("org.bluez.Error.Failed", "Not connected")
        return self._attributes[message.path]
