"""python -m hil.devices.gpio --control SOCK: run the emulated board until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.gpio.board import Board
from hil.resources import control


async def serve(socket: Path) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with control.serve(socket, Board().handle):
        print(json.dumps({"ready": True, "control": str(socket)}), flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.gpio", description=__doc__)
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios and pin factories")
    asyncio.run(serve(parser.parse_args().control))


if __name__ == "__main__":
    main()
