"""python -m hil.devices.rfxtrx --link LINK --control SOCK: run an emulated RFXtrx433 until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.rfxtrx.receiver import Rfxtrx
from hil.resources import control


async def serve(link: Path, socket: Path) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    receiver, over = Rfxtrx(link), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    receiver.line.plug()
    async with control.serve(socket, receiver.handle):
        print(json.dumps({"ready": True, "link": str(link), "control": str(socket)}), flush=True)
        await over.wait()
    receiver.line.unplug()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.rfxtrx", description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="the path under which the line appears")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.link, arguments.control))


if __name__ == "__main__":
    main()
