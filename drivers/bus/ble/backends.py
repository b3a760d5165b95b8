"""Backends: how bleak reaches a radio. BlueZ, or a stand-in by the entry point group `gateway.ble_backends`."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from gateway.spi import BusUnavailable

GROUP = "gateway.ble_backends"
BLUEZ = "bluez"


@dataclass(frozen=True, slots=True)
class Backend:
    """What bleak is given as `backend=`; None leaves bleak its own, which on Linux is BlueZ."""

    name: str
    scanner: type[BaseBleakScanner] | None = None
    client: type[BaseBleakClient] | None = None

    @property
    def is_bluez(self) -> bool:
        return self.name == BLUEZ

    def options(self, kind: str, adapter: str) -> dict[str, Any]:
        """Keyword arguments of BleakScanner (kind "scanner") or BleakClient ("client")."""
        if self.is_bluez:
            return {"bluez": {"adapter": adapter}}
        return {"backend": getattr(self, kind)}


def load(name: str) -> Backend:
    """Find a backend by name. Raises BusUnavailable."""
    if name == BLUEZ:
        return Backend(name)
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted({BLUEZ, *entry_points(group=GROUP).names}))
        raise BusUnavailable(f"no Bluetooth backend {name!r} is installed",
                             f"set backend in [bus.ble] to one of {known}")
    try:
        loaded = next(iter(found)).load()
    except (ImportError, AttributeError) as error:
        raise BusUnavailable(f"the Bluetooth backend {name!r} does not load ({error})", "install it anew") from error
    return Backend(name, loaded.scanner, loaded.client)
