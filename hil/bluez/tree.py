"""Tree: D-Bus objects with interfaces and properties, told by ObjectManager and PropertiesChanged signals."""

from typing import Any

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

Interfaces = dict[str, dict[str, Variant]]


class Tree:
    """The objects that one service exports."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.objects: dict[str, Interfaces] = {}

    def add(self, path: str, interfaces: Interfaces) -> None:
        """Export an object, or replace what an exported one says."""
        self.objects[path] = interfaces
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str) -> None:
        """Withdraw an object and everything below it."""
        for below in sorted(self.below(path), reverse=True):
            interfaces = self.objects.pop(below)
            self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [below, list(interfaces)])

    def below(self, path: str) -> list[str]:
        return [other for other in self.objects if other == path or other.startswith(f"{path}/")]

    def get(self, path: str, interface: str, name: str, default: Any = None) -> Any:
        value = self.objects.get(path, {}).get(interface, {}).get(name)
        return default if value is None else value.value

    def set(self, path: str, interface: str, changed: dict[str, Variant], gone: tuple[str, ...] = ()) -> None:
        """Change properties and tell; an object that has gone meanwhile is left alone."""
        if path not in self.objects:
            return
        properties = self.objects[path][interface]
        properties.update(changed)
        for name in gone:
            properties.pop(name, None)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, list(gone)])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))
