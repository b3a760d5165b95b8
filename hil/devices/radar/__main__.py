"""python -m hil.devices.radar --model MODEL --link LINK --control SOCK: run an emulated radar until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.radar.line import MODELS, Radar, running
from hil.resources import control


async def serve(model: str, link: Path, socket: Path) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    radar = Radar(link, model)
    reports = asyncio.create_task(running(radar))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, reports.cancel)
    async with control.serve(socket, radar.handle):
        print(json.dumps({"ready": True, "link": str(link), "control": str(socket), "model": model}), flush=True)
        await asyncio.wait([reports])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.radar", description=__doc__)
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--link", type=Path, required=True, help="the path under which the line appears")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.model, arguments.link, arguments.control))


if __name__ == "__main__":
    main()
