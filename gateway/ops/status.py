"""Status: everything `anju status` shows, put together from what each part says of itself. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from gateway.detect.cover import GRACE_S
from gateway.model.device import WELL

Fault = dict[str, str]

DAY_S = 86400.0


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of the daemon say of themselves; every dict is JSON-able.

    `faults` are those that no other part shows (configuration, plug-ins, detectors). A device that is not `up`, and a
    bus, the city, the store or the voice with a `reason`, add their own; so does whoever should watch over falls and
    has not for GRACE_S (detect/cover.py, whose words `cover` has).
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
    cover: list[dict[str, Any]]
    routine: dict[str, Any]  # how far the resident's days are watched: reduced, reasons
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
        if device["state"] not in WELL:
            reason = device["reason"] or device["state"]
            yield {"what": f"device {device['device']}", "reason": reason, "cure": device["cure"]}
    for cover in parts.cover:
        of = f"{cover['what']} of {cover['wearer']}" if cover.get("wearer") else cover["what"]
        left = f"only {' and '.join(cover['by'])} watches over {of}" if cover["covered"] else f"{of} are not watched"
        for one in cover["reasons"]:
            if one["for_s"] >= GRACE_S:
                reason = f"{one['device']} {one['words']} {_since(one['for_s'], parts.clock)}: {left}"
                yield {"what": "cover", "reason": reason, "cure": one["cure"]}


def _since(for_s: float, clock: Mapping[str, Any]) -> str:
    """Since when, by the home's own clock; how long, where nobody has set it."""
    if clock["quality"] == "unset" or clock["wall_s"] is None:
        return f"for {for_s / 60:.0f} min"
    began = datetime.fromtimestamp(clock["wall_s"] - for_s).astimezone()
    return began.strftime("since %H:%M" if for_s < DAY_S else "since %Y-%m-%d %H:%M")
