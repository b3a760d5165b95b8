"""python -m hil.devices.modbus --link LINK --control SOCK [--unit N]...: run the emulated modules until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.modbus.line import Modules
from hil.resources import control


async def serve(link: Path, socket: Path, units: list[int]) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    modules = Modules(link, units)
    modules.line.plug()
    try:
        async with control.serve(socket, modules.handle):
            print(json.dumps({"ready": True, "link": str(link), "control": str(socket), "units": units}), flush=True)
            await stop.wait()
    finally:
        modules.line.unplug()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.modbus", description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="the path under which the line appears")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    parser.add_argument("--unit", type=int, action="append", dest="units", help="a unit on the line; default 1")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.link, arguments.control, arguments.units or [1]))


if __name__ == "__main__":
    main()
