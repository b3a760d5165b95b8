"""`python -m tests.bench.ble.wrists COUNT FRAME_SAMPLES`: many bracelets behind an emulated BlueZ, on their own.

Prints {"bus": address} when ready; at a line on stdin it stops the wearers and prints {"sent": {address: samples}}; at
the end of stdin, so also when its parent dies, it ends with its D-Bus daemon. A daemon that outlived it would keep
bleak, which has one connection for a whole process, away from the next one.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.bluez.private_bus import private_bus
from hil.bluez.service import fake_bluez
from hil.devices.bracelet import verity as bracelet
from hil.devices.bracelet.motion import RATE_HZ
from hil.devices.bracelet.wearer import Wearer


def address_of(number: int) -> str:
    return f"A0:9E:1A:00:00:{number:02X}"


async def main(count: int, frame_samples: int) -> None:
    bracelet._FRAME_SAMPLES = frame_samples
    bracelet._TICK_S = min(bracelet._TICK_S, frame_samples / RATE_HZ)  # or notifications would come in bursts
    air = Air()
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(private_bus())
        worn = [await stack.enter_async_context(bracelet.verity(air, Wearer(number), address_of(number)))
                for number in range(count)]
        await stack.enter_async_context(fake_bluez(await central(air, slots=count), bus))
        print(json.dumps({"bus": bus}), flush=True)
        if not await asyncio.to_thread(sys.stdin.readline):
            return
        for one in worn:
            one.measurement.running = False
        await asyncio.sleep(0.5)  # what is on its way arrives
        print(json.dumps({"sent": {one.address: one.samples_sent for one in worn}}), flush=True)
        await asyncio.to_thread(sys.stdin.read)  # the links stand while the other end counts


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
