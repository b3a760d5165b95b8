"""FakeBlueZ: the name org.bluez on a bus, with a Bumble host for its radio. It can die and come back, and fail as told.

Not modelled: advertisement monitors (passive scans), advertising by the gateway itself.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bumble import att, core, hci
from bumble.device import Device
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from hil.bluez.adapter import ADAPTER, DEVICE, Adapter
from hil.bluez.agents import MANAGER, Agents
from hil.bluez.bonds import Bonds
from hil.bluez.faults import BlueZError, Faults
from hil.bluez.links import CHARACTERISTIC, DESCRIPTOR, Links, Reply
from hil.bluez.tree import OBJECT_MANAGER, PROPERTIES, Tree

log = logging.getLogger(__name__)

NAME = "org.bluez"
_DBUS = "org.freedesktop.DBus"

Handler = Callable[[Message], Awaitable[Reply]]


class FakeBlueZ:
    """One life after another of a bluetoothd. `faults` outlive it."""

    def __init__(self, host: Device, bus_address: str, adapter: str, temporary_s: float) -> None:
        self._host, self._bus_address, self._adapter_name = host, bus_address, adapter
        self._temporary_s = temporary_s
        self.faults = Faults()
        self._plugged = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._bus: MessageBus | None = None

    async def start(self) -> None:
        """Take the name and show the adapter."""
        self._bus = bus = await MessageBus(bus_address=self._bus_address, negotiate_unix_fd=True).connect()
        self._tree = Tree(bus)
        self._adapter = Adapter(self._tree, self._host, self.faults, self._adapter_name, self._temporary_s)
        self.agents = Agents(bus.call)
        self._bonds = Bonds(self._tree, self._host, self._adapter, self.agents)
        self._links = Links(self._tree, self._host, self._adapter, self._bonds, self._spawn)
        self._methods = self._table()
        self._tree.add("/org/bluez", {MANAGER: {}})
        if self._plugged:
            self._adapter.appear()
        await self._bonds.appear()
        bus.add_message_handler(self._on_message)
        await bus.call(Message(destination=_DBUS, path="/org/freedesktop/DBus", interface=_DBUS, member="AddMatch",
                               signature="s", body=["type='signal',member='NameOwnerChanged'"]))
        await bus.request_name(NAME)
        self._host.on("advertisement", self._adapter.heard)
        self._spawn(self._adapter.expire())

    async def die(self) -> None:
        """Be killed: the name goes at once, and the kernel ends the links whose sockets closed with the process."""
        bus, self._bus = self._bus, None
        if bus is None:
            return
        bus.disconnect()
        with contextlib.suppress(OSError, EOFError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._host.remove_listener("advertisement", self._adapter.heard)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._adapter.quiet()
        await self._links.end_all()

    async def restart(self, down_s: float = 0.5) -> None:
        """Die and come back."""
        await self.die()
        await asyncio.sleep(down_s)
        await self.start()

    async def pull_adapter(self) -> None:
        self._plugged = False
        await self._links.end_all()
        await self._adapter.vanish()

    def plug_adapter(self) -> None:
        self._plugged = True
        self._adapter.appear()

    async def switch(self, on: bool) -> None:
        """Switch the adapter on or off, as rfkill or a client does."""
        if not on:
            await self._links.end_all()
        await self._adapter.powered(on)

    # -- D-Bus ------------------------------------------------------------------------------------------------------

    def _table(self) -> dict[tuple[str, str], Handler]:
        adapter, links, agents = self._adapter, self._links, self.agents

        async def nothing(_message: Message) -> None: ...

        return {
            (OBJECT_MANAGER, "GetManagedObjects"): self._get_objects,
            (PROPERTIES, "Get"): self._get,
            (PROPERTIES, "GetAll"): self._get_all,
            (PROPERTIES, "Set"): self._set,
            (ADAPTER, "SetDiscoveryFilter"): adapter.set_filter,
            (ADAPTER, "StartDiscovery"): adapter.start,
            (ADAPTER, "StopDiscovery"): adapter.stop,
            (ADAPTER, "RemoveDevice"): links.remove_device,
            (DEVICE, "Connect"): links.connect,
            (DEVICE, "Disconnect"): links.disconnect,
            (DEVICE, "Pair"): links.pair,
            (DEVICE, "CancelPairing"): self._bonds.cancel,
            (MANAGER, "RegisterAgent"): agents.register,
            (MANAGER, "UnregisterAgent"): agents.unregister,
            (MANAGER, "RequestDefaultAgent"): agents.make_default,
            (CHARACTERISTIC, "ReadValue"): links.read,
            (CHARACTERISTIC, "WriteValue"): links.write,
            (CHARACTERISTIC, "StartNotify"): links.start_notify,
            (CHARACTERISTIC, "StopNotify"): links.stop_notify,
            (CHARACTERISTIC, "AcquireNotify"): links.acquire_notify,
            (DESCRIPTOR, "ReadValue"): links.read,
            (DESCRIPTOR, "WriteValue"): links.write,
            (f"{_DBUS}.Peer", "Ping"): nothing,
        }

    def _on_message(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _old, new = message.body
            if name.startswith(":") and not new:
                self.agents.gone(name)
                self._bonds.gone(name)
                self._links.forget_client(name)
                self._spawn(self._adapter.end(name))
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self._spawn(self._answer(message))
        return True

    async def _answer(self, message: Message) -> None:
        bus = self._bus
        try:
            reply = Message.new_method_return(message, *(await self._do(message) or ("", [], [])))
        except BlueZError as error:
            reply = Message.new_error(message, error.name, error.text)
        except att.ATT_Error as error:
            text = f"Operation failed with ATT error: 0x{error.error_code:02x}"
            reply = Message.new_error(message, "org.bluez.Error.Failed", text)
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            reply = Message.new_error(message, "org.bluez.Error.Failed", str(error))
        except asyncio.CancelledError:  # Bumble cancels what is under way when a link ends; die() cancels us
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            reply = Message.new_error(message, "org.bluez.Error.Failed", "Not connected")
        if bus is not None and bus.connected:
            await bus.send(reply)

    async def _do(self, message: Message) -> Reply:
        interface = str(message.interface)
        await self.faults.meet(f"{interface.rpartition('.')[2]}.{message.member}")
        handler = self._methods.get((interface, str(message.member)))
        exported = self._tree.objects.get(str(message.path), {})
        if handler is None or (interface.startswith(NAME) and interface not in exported):
            name = "UnknownMethod" if exported or handler is None else "UnknownObject"
            raise BlueZError(f"{_DBUS}.Error.{name}", f"no {interface}.{message.member} at {message.path}")
        return await handler(message)

    async def _get_objects(self, _message: Message) -> Reply:
        return "a{oa{sa{sv}}}", [self._tree.objects], []

    def _properties(self, message: Message) -> dict[str, Variant]:
        if message.path not in self._tree.objects:
            raise BlueZError(f"{_DBUS}.Error.UnknownObject", str(message.path))
        return self._tree.objects[str(message.path)].get(message.body[0], {})

    async def _get(self, message: Message) -> Reply:
        value = self._properties(message).get(message.body[1])
        if value is None:
            raise BlueZError(f"{_DBUS}.Error.InvalidArgs", f"no property {message.body[1]}")
        return "v", [value], []

    async def _get_all(self, message: Message) -> Reply:
        return "a{sv}", [self._properties(message)], []

    async def _set(self, message: Message) -> None:
        self._properties(message)
        interface, name, value = message.body
        if (interface, name) == (ADAPTER, "Powered"):
            await self.switch(value.value)
        else:
            self._tree.set(str(message.path), interface, {name: value})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that ends with this life at the latest; its faults are the bench's, and are told."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("fault in the emulated BlueZ", exc_info=error)


@asynccontextmanager
async def fake_bluez(host: Device, bus_address: str, adapter: str = "hci0",
                     temporary_s: float = 30.0) -> AsyncIterator[FakeBlueZ]:
    """Run org.bluez on a bus while the context is open. `temporary_s`: BlueZ's TemporaryTimeout (main.conf)."""
    bluez = FakeBlueZ(host, bus_address, adapter, temporary_s)
    await bluez.start()
    try:
        yield bluez
    finally:
        await bluez.die()
