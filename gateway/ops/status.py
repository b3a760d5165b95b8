"""Status: everything `anju status` shows, put together from what each part says of itself. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Fault = dict[str, str]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of the daemon say of themselves; every dict is JSON-able.

    `faults` are those that no other part shows (configuration, plug-ins, detectors). A device that is not `up`, and a
    bus, the city, the store or the voice with a `reason`, add their own.
    """

    gateway: str
    version: str
    uptime_s: float
    clock: dict[str, Any]
    rss_mb: float
    city: dict[str, Any]
    store: dict[str, Any]
    devices: list[dict[str, Any]]
    buses: dict[str, dict[str, Any]]
    alarms: list[dict[str, Any]]
    voice: dict[str, Any]
    faults: list[Fault]


def status(parts: Parts) -> dict[str, Any]:
    """Return the whole status; `state` is "ok" only where nothing is amiss."""
    faults = [*parts.faults, *_of_parts(parts)]
    whole: dict[str, Any] = msgspec.to_builtins(parts)
    return whole | {"state": "degraded" if faults else "ok", "faults": faults}


def _of_parts(parts: Parts) -> Iterable[Fault]:
    """Faults that stand in a part's own words."""
    named: list[tuple[str, Mapping[str, Any]]] = [("city", parts.city), ("store", parts.store), ("voice", parts.voice)]
    named += [(f"bus {name}", health) for name, health in parts.buses.items()]
    for what, said in named:
        if said.get("reason"):
            yield {"what": what, "reason": str(said["reason"]), "cure": str(said.get("cure", ""))}
    for device in parts.devices:
        if device["state"] != "up":
            reason = device["reason"] or device["state"]
            yield {"what": f"device {device['device']}", "reason": reason, "cure": device["cure"]}
