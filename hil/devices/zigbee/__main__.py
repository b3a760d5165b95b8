"""The bench process: `python -m hil.devices.zigbee --link TTY --control SOCKET --nvram FILE [--devices door,smoke]`.

Prints one JSON line when it is ready. Operations on the control socket (answers in brackets; of what a device does:
whether it went on the air, and CLOCK_MONOTONIC of that, on_air and mono_s):
join profile [ieee] [poll_s] (ieee, nwk) | announce ieee [nwk] | leave ieee | silent ieee [on] | devices |
zone ieee bits | storm ieees rounds first |
battery ieee half_percent | attribute ieee cluster attribute number | report ieee cluster attribute
type hex | points ieee points | press ieee cluster command [hex] |
unplug | plug | hang [on] | reset | fault [drop] [corrupt] [half] | stats.
"""

import argparse
import asyncio
import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.devices.zigbee import (
    system_api,  # noqa: F401 - puts its commands into the chip's table
    zcl,
)
from hil.devices.zigbee.coordinator import Coordinator
from hil.devices.zigbee.end_device import EndDevice
from hil.devices.zigbee.flat import Flat
from hil.devices.zigbee.nvram import Nvram
from hil.resources.control import serve

STICK = "00:12:4b:00:1e:17:ef:a8"
DEVICE_PREFIX = "00:15:8d"


class Bench:
    """Operations of the control socket."""

    def __init__(self, chip: Coordinator, flat: Flat) -> None:
        self._chip, self._flat = chip, flat

    async def handle(self, op: str, given: dict[str, Any]) -> dict[str, Any]:
        """Do one operation. Raises for what cannot be done; the caller gets the message."""
        chip, flat = self._chip, self._flat
        match op:
            case "join":
                device = flat.join(given["profile"], given.get("ieee"), given.get("poll_s", 0.0))
                return {"ieee": device.address, "nwk": device.nwk}
            case "announce":
                flat.announce(given["ieee"], given.get("nwk"))
            case "zone":
                on_air, mono_s = flat.zone(given["ieee"], given["bits"])
                return {"on_air": on_air, "mono_s": mono_s}
            case "storm":
                flat.storm(given["ieees"], given["rounds"], given["first"])
            case "battery":
                return {"on_air": flat.battery(given["ieee"], given["half_percent"])}
            case "attribute":
                return self._act(given, lambda device: device.set_attribute(
                    given["cluster"], given["attribute"], given["number"]))
            case "report":
                value = zcl.Value(given["type"], bytes.fromhex(given["hex"]))
                return self._act(given, lambda device: device.report(given["cluster"], given["attribute"], value))
            case "points":
                return self._act(given, lambda device: device.set_points(given["points"]))
            case "press":
                return self._act(given, lambda device: device.press(
                    given["cluster"], given["command"], bytes.fromhex(given.get("hex", ""))))
            case "leave":
                flat.leave(given["ieee"])
            case "silent":
                flat.get(given["ieee"]).silent = given.get("on", True)
            case "unplug":
                chip.stick.unplug()
                chip.down()
            case "plug":
                chip.stick.plug()
                chip.reset()
            case "hang":
                chip.stick.hung = given.get("on", True)
            case "reset":
                chip.reset()
            case "fault":
                chip.stick.line.drop = given.get("drop", 0.0)
                chip.stick.line.corrupt = given.get("corrupt", 0.0)
                chip.stick.line.half = given.get("half", 0.0)
            case "stats":
                return chip.stick.line.stats | {"unknown_commands": chip.unknown_commands, "open": chip.open,
                                                "running": chip.running, "plugged": chip.stick.plugged}
            case "devices":
                return {"devices": flat.table()}
            case _:
                raise ValueError(f"unknown operation {op!r}")
        return {}

    def _act(self, given: dict[str, Any], what: Callable[[EndDevice], bool]) -> dict[str, Any]:
        on_air, mono_s = self._flat.act(given["ieee"], what)
        return {"on_air": on_air, "mono_s": mono_s}


def address_of(profile: str, number: int) -> str:
    """Return the address of the bench's own device: the same on every start."""
    tail = hashlib.sha256(f"{profile} {number}".encode()).digest()[:5]
    return f"{DEVICE_PREFIX}:{tail.hex(':')}"


async def run(link: Path, control: Path, nvram: Path, devices: list[str], stick_ieee: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    chip = Coordinator(link, Nvram(nvram, bytes.fromhex(stick_ieee.replace(":", ""))[::-1]))
    flat = Flat(chip)
    for number, profile in enumerate(devices):
        if (ieee := address_of(profile, number)) not in flat.devices:
            flat.bring(profile, ieee)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    chip.nvram.save()
    chip.stick.plug()
    try:
        async with serve(control, Bench(chip, flat).handle):
            print(json.dumps({"ready": True, "link": str(link), "control": str(control), "devices": flat.table()}),
                  flush=True)
            await stop.wait()
    finally:
        chip.stick.unplug()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m hil.devices.zigbee")
    parser.add_argument("--link", type=Path, required=True, help="where the tty's symlink appears")
    parser.add_argument("--control", type=Path, required=True, help="control socket")
    parser.add_argument("--nvram", type=Path, required=True, help="the chip's and the flat's memory")
    parser.add_argument("--devices", default="", help="devices that wait to join, as profile names: door,smoke")
    parser.add_argument("--stick-ieee", default=STICK, help="factory address of the chip")
    given = parser.parse_args()
    devices = [name for name in given.devices.split(",") if name]
    asyncio.run(run(given.link, given.control, given.nvram, devices, given.stick_ieee))


if __name__ == "__main__":
    main()
