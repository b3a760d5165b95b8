"""The bracelet's bench process: everything on the radio's side of the gateway.

    python -m hil.devices.bracelet --control SOCK --mode l2 [--bus-address-file FILE] [--falls NPZ]
    python -m hil.devices.bracelet --control SOCK --mode l1 [--hci-port N] [--falls NPZ]

l2 runs a private D-Bus daemon and an emulated org.bluez on it; l1 serves HCI over TCP. When ready it prints one line of
JSON: `mode`, `address` of the bracelet, and `dbus_address` (l2) or `hci` (l1), each ready to be put into the
environment of the process under test. It runs until SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.bluez.hci_server import hci_server
from hil.bluez.private_bus import private_bus
from hil.bluez.service import fake_bluez
from hil.devices.bracelet.control import Control
from hil.devices.bracelet.recordings import Recordings
from hil.devices.bracelet.verity import ADDRESS, verity
from hil.devices.bracelet.wearer import Wearer
from hil.resources import control


async def main(arguments: argparse.Namespace) -> None:
    """Run until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    recordings = await asyncio.to_thread(Recordings, arguments.falls) if arguments.falls else None
    async with AsyncExitStack() as stack:
        air = Air(arguments.seed)
        bracelet = await stack.enter_async_context(verity(air, Wearer(arguments.seed), arguments.address))
        bluez = None
        told = {"mode": arguments.mode, "address": bracelet.address}
        if arguments.mode == "l2":
            told["dbus_address"] = bus_address = await stack.enter_async_context(private_bus())
            bluez = await stack.enter_async_context(fake_bluez(await central(air), bus_address))
            if arguments.bus_address_file:
                await asyncio.to_thread(arguments.bus_address_file.write_text, bus_address, "utf-8")
        else:
            told["hci"] = f"tcp-client:127.0.0.1:{await stack.enter_async_context(hci_server(air, arguments.hci_port))}"
        desk = Control(bracelet, bluez, recordings)
        await stack.enter_async_context(control.serve(arguments.control, desk.handle))
        print(json.dumps(told), flush=True)
        await stop.wait()


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hil.devices.bracelet")
    parser.add_argument("--control", type=Path, required=True, help="control socket to serve")
    parser.add_argument("--mode", choices=("l1", "l2"), required=True)
    parser.add_argument("--bus-address-file", type=Path, help="l2: where to write the D-Bus address")
    parser.add_argument("--hci-port", type=int, default=0, help="l1: TCP port, 0 for any")
    parser.add_argument("--falls", type=Path, help="npz of recordings; without it falls are made up")
    parser.add_argument("--address", default=ADDRESS, help="the bracelet's Bluetooth address")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    return parser.parse_args(words)


if __name__ == "__main__":
    asyncio.run(main(parse(sys.argv[1:])))
