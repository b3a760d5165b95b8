"""plan: what a new configuration changes, so that only that is restarted. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.config.schema import Device


class Change(msgspec.Struct, frozen=True):
    """Devices and buses to stop and to start; a changed one is in both. A stopped bus takes its devices with it."""

    stop_devices: frozenset[str]
    start_devices: frozenset[str]
    stop_buses: frozenset[str]
    start_buses: frozenset[str]


def plan(
    now: tuple[Mapping[str, Any], Mapping[str, Device]],
    wanted: tuple[Mapping[str, Any], Mapping[str, Device]],
    bus_of: Mapping[str, str],
) -> Change:
    """Compare (bus settings, devices) `now` and `wanted`. `bus_of`: driver name -> bus name."""
    (buses, devices), (new_buses, new_devices) = now, wanted
    stop_buses, start_buses = _differences(buses, new_buses)
    stop, start = _differences({name: _run(device) for name, device in devices.items()},
                               {name: _run(device) for name, device in new_devices.items()})
    moved = {name for name, device in devices.items() if bus_of[device.driver] in stop_buses}
    return Change(stop | moved, start | (moved & set(new_devices)), stop_buses, start_buses)


def _run(device: Device) -> tuple[str, Any]:
    """What a running session depends on: another room alone restarts nothing."""
    return device.driver, device.settings


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Names to stop (gone or changed) and to start (new or changed)."""
    return (frozenset(name for name in old if name not in new or new[name] != old[name]),
            frozenset(name for name in new if name not in old or new[name] != old[name]))
