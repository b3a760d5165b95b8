"""`anju outbox`: what still waits for the city."""

import time
from pathlib import Path
from typing import Any

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def outbox(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What still waits for the city, lane by lane, and how old the oldest of it is."""
    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        result = client.ask("outbox")
        if as_json:
            screen.print_json(result)
            return
        table = screen.plain_table("lane", "waiting", "oldest")
        boot_id = BOOT_ID.read_text(encoding="ascii").strip()
        for name, lane in result["lanes"].items():
            oldest = age_s(lane["oldest"], boot_id, time.monotonic(), time.time())
            words = "unknown" if lane["oldest"] and oldest is None else "-" if oldest is None else screen.age(oldest)
            table.add_row(name, str(lane["waiting"]), words)
        out = screen.console()
        out.print(table)
        if result.get("unsaved"):
            out.print(f"{result['unsaved']} more in memory only: the disk has not taken them", style="red")
        if result.get("reason"):
            out.print(f"{result['reason']}: {result.get('cure', '')}", style="red")


def age_s(stamp: dict[str, Any] | None, boot_id: str, mono_s: float, wall_s: float) -> float | None:
    """How long ago a stamp was; of another boot by a wall time that was synced; None where nobody can know."""
    if stamp is None:
        return None
    if stamp["boot_id"] == boot_id:
        return mono_s - float(stamp["mono_s"])
    if stamp["quality"] != "synced" or stamp["wall_s"] is None or wall_s < stamp["wall_s"]:
        return None
    return wall_s - float(stamp["wall_s"])
