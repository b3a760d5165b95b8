"""The table of devices, which `anju status` and `anju devices` show."""

from typing import Any

from rich.table import Table

from gateway.cli import screen


def devices(found: list[dict[str, Any]]) -> Table:
    """Draw devices as the gateway tells them; the cure stands beside every state that is not well."""
    table = screen.plain_table("device", "room", "driver", "state", "last heard", "what to do")
    for device in found:
        why = device.get("reason") or ""
        cure = device.get("cure") or ""
        table.add_row(device["device"], device.get("room") or "-", device["driver"], screen.state(device["state"]),
                      screen.age(device.get("age_s")), f"{why}: {cure}" if why and cure else why or cure)
    return table
