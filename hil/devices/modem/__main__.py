"""python -m hil.devices.modem --link LINK --control SOCK: run an emulated modem until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.modem.line import Modem
from hil.resources import control


async def serve(link: Path, socket: Path) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    modem = Modem(link)
    modem.line.plug()
    try:
        async with control.serve(socket, modem.handle):
            print(json.dumps({"ready": True, "link": str(link), "control": str(socket)}), flush=True)
            await stop.wait()
    finally:
        modem.line.unplug()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.modem", description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="the path under which the line appears")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.link, arguments.control))


if __name__ == "__main__":
    main()
