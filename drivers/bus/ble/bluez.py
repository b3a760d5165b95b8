"""The host's Bluetooth service over D-Bus, beside bleak: is it there, is the adapter on, which links did it keep?

bleak asks the same questions but keeps the answers of a bluetoothd that has died (its connection is to the D-Bus
daemon, which lives on). Here every question is asked anew, and the death of the name org.bluez is an event.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from bleak.backends.device import BLEDevice
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

from drivers.bus.ble.ladder import Symptom
from drivers.bus.ble.recovery import RadioFault
from gateway.spi import BusUnavailable

log = logging.getLogger(__name__)

CALL_S = 10.0
POWER_S = 10.0

_BLUEZ = "org.bluez"
_ADAPTER, _DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
_DBUS = "org.freedesktop.DBus"
_GONE = {f"{_DBUS}.Error.ServiceUnknown", f"{_DBUS}.Error.NameHasNoOwner", f"{_DBUS}.Error.NoReply",
         f"{_DBUS}.Error.Spawn.ExecFailed", f"{_DBUS}.Error.Spawn.ChildExited"}
_UNKNOWN = {f"{_DBUS}.Error.{what}" for what in ("UnknownObject", "UnknownMethod", "UnknownInterface")}


class Refusal(RadioFault):
    """bluetoothd answered a call with an error; `name` is that error's on D-Bus."""

    def __init__(self, name: str, reason: str, cure: str) -> None:
        super().__init__(Symptom.BROKEN, reason, cure)
        self.name = name


class BlueZ:
    """One connection to the system bus, made by connect()."""

    def __init__(self, bus: MessageBus, adapter: str) -> None:
        self._bus, self._adapter = bus, adapter
        self._path = f"/org/bluez/{adapter}"
        self._died = asyncio.Event()

    async def dead(self, within_s: float) -> bool:
        """Wait so long for bluetoothd to go away; tell whether it did. Its successor, if any, knows nothing of ours."""
        try:
            async with asyncio.timeout(within_s):
                await self._died.wait()
        except TimeoutError:
            return not self._bus.connected
        return True

    async def ready(self) -> bool:
        """Make sure that the adapter is there and on; tell whether it was on already. Raises BusUnavailable."""
        if await self._is_on():
            return True
        await self._power(True)
        return False

    async def power_cycle(self) -> None:
        """Switch the adapter off and on; every link on it ends. Raises BusUnavailable."""
        await self._power(False)
        await self._power(True)

    async def kept(self) -> list[BLEDevice]:
        """Devices that BlueZ holds connected on this adapter, whoever connected them."""
        found = []
        for path, device in (await self._devices()).items():
            if path.startswith(self._path + "/") and device.get("Connected"):
                found.append(BLEDevice(device["Address"], device.get("Name"), {"path": path, "props": device}))
        return found

    async def device(self, address: str) -> tuple[str, dict[str, Any]]:
        """Path and properties of a device; no properties where bluetoothd does not know it."""
        path = f"{self._path}/dev_{address.replace(':', '_')}"
        return path, (await self._devices()).get(path, {})

    async def unpair(self, path: str) -> None:
        """Remove a device with all that bluetoothd keeps of it: its bond, its list of services."""
        await self.call(self._path, _ADAPTER, "RemoveDevice", "o", [path])

    @contextmanager
    def answering(self, handler: Callable[[Message], Message | bool | None]) -> Iterator[Callable[[Message], object]]:
        """Let `handler` see every message that arrives, and answer; yield what sends an answer later."""
        self._bus.add_message_handler(handler)
        try:
            yield self._bus.send
        finally:
            self._bus.remove_message_handler(handler)

    async def forget(self, address: str) -> None:
        """Remove a device, and with it the cached list of its services; it is gone when this returns.

        Not a bonded one, whose bond would go with it: BlueZ reads its list anew when the device says that it changed.
        Raises BusUnavailable.
        """
        path, known = await self.device(address)
        if known and not (known.get("Paired") or known.get("Bonded")):
            await self.unpair(path)

    async def _power(self, on: bool) -> None:
        await self.call(self._path, f"{_DBUS}.Properties", "Set", "ssv", [_ADAPTER, "Powered", Variant("b", on)])
        try:
            async with asyncio.timeout(POWER_S):
                while await self._is_on() is not on:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)  # BlueZ answers before the power is really on
        except TimeoutError:
            raise RadioFault(
                Symptom.BROKEN, f"the Bluetooth adapter {self._adapter} cannot be switched {'on' if on else 'off'}",
                "try: rfkill unblock bluetooth; then: systemctl restart bluetooth") from None

    async def _is_on(self) -> bool:
        try:
            on = (await self.call(self._path, f"{_DBUS}.Properties", "Get", "ss", [_ADAPTER, "Powered"]))[0]
        except Refusal as error:
            if error.name not in _UNKNOWN:
                raise
            raise RadioFault(Symptom.LOST, f"no Bluetooth adapter {self._adapter}",
                             "plug it in, or enable the Pi's own (dtoverlay), then check with: bluetoothctl list"
                             ) from None
        return bool(on.value)

    async def _devices(self) -> dict[str, dict[str, Any]]:
        """Properties of every device that bluetoothd knows, by path."""
        objects = (await self.call("/", f"{_DBUS}.ObjectManager", "GetManagedObjects"))[0]
        return {path: {name: value.value for name, value in interfaces[_DEVICE].items()}
                for path, interfaces in objects.items() if _DEVICE in interfaces}

    async def call(self, path: str, interface: str, member: str, signature: str = "",
                   body: list[Any] | None = None, limit_s: float = CALL_S) -> list[Any]:
        """Call one of bluetoothd's methods. Raises Refusal where it answers with an error, BusUnavailable where not."""
        message = Message(destination=_BLUEZ, path=path, interface=interface, member=member, signature=signature,
                          body=body or [])
        try:
            async with asyncio.timeout(limit_s):
                reply = await self._bus.call(message)
        except TimeoutError:
            raise RadioFault(Symptom.GONE, "bluetoothd does not answer",
                             "restart it: systemctl restart bluetooth") from None
        except (OSError, EOFError, DBusFastError) as error:
            raise _no_dbus(error) from error
        if reply is None or reply.message_type is MessageType.ERROR:
            name = reply.error_name if reply else None
            if name in _GONE:
                raise RadioFault(Symptom.GONE, "bluetoothd does not run", "start it: systemctl enable --now bluetooth")
            raise Refusal(str(name), f"bluetoothd refused {member}: {name} {reply.body if reply else ''}",
                          "try: rfkill unblock bluetooth; then: systemctl restart bluetooth")
        body_: list[Any] = reply.body
        return body_

    async def _watch(self) -> None:
        reply = await self._bus.call(Message(
            destination=_DBUS, path="/org/freedesktop/DBus", interface=_DBUS, member="AddMatch", signature="s",
            body=[f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{_BLUEZ}'"]))
        if reply is None or reply.message_type is MessageType.ERROR:
            raise _no_dbus(OSError("the D-Bus daemon refused a match rule"))
        self._bus.add_message_handler(self._heard)

    def _heard(self, message: Message) -> None:
        if message.member == "NameOwnerChanged" and message.body[0] == _BLUEZ and message.body[1]:
            self._died.set()  # it had an owner: whatever that one knew is gone, even if another has taken over


@asynccontextmanager
async def connect(adapter: str) -> AsyncIterator[BlueZ]:
    """Watch BlueZ while the context is open. Raises BusUnavailable."""
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
    except DBusFastError as error:
        raise _no_dbus(error) from error
    try:
        try:
            async with asyncio.timeout(CALL_S):
                await bus.connect()
                bluez = BlueZ(bus, adapter)
                await bluez._watch()
        except (OSError, EOFError, TimeoutError, DBusFastError) as error:
            raise _no_dbus(error) from error
        await bluez.ready()
        yield bluez
    finally:
        bus.disconnect()


def _no_dbus(error: BaseException) -> BusUnavailable:
    return BusUnavailable(f"no D-Bus system bus ({error or type(error).__name__})",
                          "start it: systemctl enable --now dbus; and look that the service user may reach it")
