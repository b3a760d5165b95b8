"""Rungs of the ladder that need root, asked of systemd over D-Bus, which asks polkit whether the service may.

The daemon itself has no privilege and cannot get one; systemd/polkit gives it these three units and nothing else.
"""

import asyncio

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

from drivers.bus.ble.ladder import Rung
from drivers.bus.ble.recovery import Action, NotPermitted
from gateway.spi import BusUnavailable

CALL_S = 25.0  # systemd asks polkit, which may have to start first

_SYSTEMD, _MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
_ERROR = "org.freedesktop.DBus.Error."
_NO_RIGHT = {f"{_ERROR}AccessDenied", f"{_ERROR}InteractiveAuthorizationRequired"}
_NO_UNIT = {f"{_SYSTEMD}.NoSuchUnit", f"{_SYSTEMD}.LoadFailed"}
_NO_SYSTEMD = {f"{_ERROR}ServiceUnknown", f"{_ERROR}NameHasNoOwner", f"{_ERROR}Spawn.ExecFailed"}


def actions(adapter: str) -> dict[Rung, Action]:
    """What systemd can do for this adapter."""
    return {
        Rung.RESTART: lambda: _ask("RestartUnit", "bluetooth.service"),
        Rung.REBIND: lambda: _ask("RestartUnit", f"anju-bluetooth-rebind@{adapter}.service"),
        Rung.REBOOT: lambda: _ask("StartUnit", "reboot.target"),
    }


async def _ask(verb: str, unit: str) -> None:
    """Have systemd queue a job. Raises NotPermitted where that cannot be, BusUnavailable where it failed this time."""
    mode = "replace-irreversibly" if unit == "reboot.target" else "replace"
    message = Message(destination=_SYSTEMD, path="/org/freedesktop/systemd1", interface=_MANAGER, member=verb,
                      signature="ss", body=[unit, mode])
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(CALL_S):
                await bus.connect()
                reply = await bus.call(message)
        finally:
            bus.disconnect()
    except (OSError, EOFError, TimeoutError, DBusFastError) as error:
        raise BusUnavailable(f"systemd was not asked to start {unit} ({error or type(error).__name__})",
                             "look at: systemctl status dbus") from error
    if reply is not None and reply.message_type is not MessageType.ERROR:
        return
    name = reply.error_name if reply else None
    if name in _NO_RIGHT:
        raise NotPermitted(f"the service may not start {unit}",
                           "install systemd/polkit/50-anju.rules into /etc/polkit-1/rules.d (package polkitd)")
    if name in _NO_UNIT:
        raise NotPermitted(f"there is no {unit}", f"install it: systemd/{unit.split('@')[0]}*, or the package bluez")
    if name in _NO_SYSTEMD:
        raise NotPermitted("there is no systemd on the D-Bus system bus", "restart bluetoothd by hand")
    raise BusUnavailable(f"systemd refused to start {unit}: {name}", f"look at: systemctl status {unit}")
