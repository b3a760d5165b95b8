"""python -m hil.devices.zigbee2mqtt --port PORT --control SOCK: run an emulated Zigbee2MQTT until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from hil.devices.zigbee2mqtt.bridge import BASE, Bridge
from hil.resources import control


async def serve(port: int, base: str, socket: Path) -> None:
    """Tell that all is ready in one JSON line on stdout, then answer until a signal comes."""
    bridge = Bridge(port, base)
    running = asyncio.create_task(bridge.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    async with control.serve(socket, bridge.handle):
        print(json.dumps({"ready": True, "control": str(socket)}), flush=True)
        await asyncio.wait([running])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.zigbee2mqtt", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the broker's port on this machine")
    parser.add_argument("--base", default=BASE, help="the base topic")
    parser.add_argument("--control", type=Path, required=True, help="the Unix socket for scenarios")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.base, arguments.control))


if __name__ == "__main__":
    main()
