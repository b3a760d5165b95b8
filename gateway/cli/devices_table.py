"""The table of devices, which `anju status` and `anju devices` show."""

from typing import Any

from rich.table import Table

from gateway.cli import screen


def devices(found: list[dict[str, Any]]) -> Table:
    """Draw devices as the gateway tells them; the cure stands beside every state that is not well."""
    table = screen.plain_table("device", "room", "driver", "state", "last heard", "battery", "what to do")
    for device in found:
        why = device.get("reason") or ""
        cure = device.get("cure") or ""
        table.add_row(device["device"], device.get("room") or "-", model(device), screen.state(device["state"]),
                      screen.age(device.get("age_s")), battery(device.get("battery")),
                      f"{why}: {cure}" if why and cure else why or cure)
    return table


def model(device: dict[str, Any]) -> str:
    """The driver, and in brackets what the device says it is."""
    about = device.get("about") or {}
    said = [" ".join(about[what] for what in ("maker", "model") if what in about)]
    said += [f"{what} {about[what]}" for what in ("firmware", "serial") if what in about]
    words = ", ".join(filter(None, said))
    return f"{device['driver']} ({words})" if words else str(device["driver"])


def battery(known: dict[str, Any] | None) -> str:
    """Words for a battery: "62 %, empty in 9 h (6 h to 14 h)"; "-" where nothing is known of one."""
    if not known:
        return "-"
    ahead = known["forecast"]
    if known["charging"] or ahead is None:
        return f"{known['percent']:.0f} %" + (", charging" if known["charging"] else "")
    until = "?" if ahead["latest_h"] is None else screen.age(ahead["latest_h"] * 3600)
    return (f"{known['percent']:.0f} %, empty in {screen.age(ahead['flat_in_h'] * 3600)} "
            f"({screen.age(ahead['earliest_h'] * 3600)} to {until})")
