"""From a press on the air to the pipeline through the real bluetoothd (L3), in a guest of hil/uml.

The floor is the least that can hear the press: a connection to the D-Bus daemon, a scan, a match rule. Product and
floor take turns in one guest, so the guest's own slowness, with one processor for button, radio and all, is in both.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bumble import ll
from bumble.controller import Controller
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.bus.ble import BleBus
from hil.bluez.air import Air
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.devices.beacon import Beacon, beacon
from hil.uml.bluetoothd import bluetoothd
from tests.bench.ble.sos import MEDIAN_MS, PRESSES, Ear, Pipeline, driver, press, presses
from tests.bench.lab import Lab
from tests.bench.result import Row, compared, percentile
from tests.drivers.ble.kit import environment, running

ROUNDS = 6
_FIRST_S = 30.0
_HCI = "/org/bluez/hci0"

Times = list[tuple[float, float, float]]  # pressed, on the air, heard


async def run(lab: Lab) -> list[Row]:
    """Press many times in a guest; nothing where its kernel was never built, which takes minutes."""
    if await _said("hil/uml/kernel", "built") is None:
        lab.say("not measured: an SOS through the real bluetoothd, for want of a kernel for its guest: make hil")
        return []
    said = await _said("hil/uml/boot", sys.executable, "-m", __name__, str(lab.size(PRESSES // ROUNDS, least=3)))
    if said is None:
        raise RuntimeError("the guest ended in an error: see above")
    of: dict[str, list[Times]] = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    ours_ms, bare_ms = ([[1000 * (heard_s - aired_s) for _, aired_s, heard_s in times] for times in of[who]]
                        for who in ("ours", "bare"))
    button_ms = statistics.median(1000 * (aired_s - pressed_s)
                                  for times in of["ours"] for pressed_s, aired_s, _ in times)
    all_ms = [ms for times_ms in ours_ms for ms in times_ms]
    name = "SOS through the real bluetoothd"
    return [Row(f"{name}, median", statistics.median(all_ms), "ms", limit=MEDIAN_MS,
                note=f"in a guest (L3), from the air on; until there the emulated button takes {button_ms:.1f} ms"),
            Row(f"{name}, p99", percentile(all_ms, 99), "ms"),
            compared(f"{name}, rounds' medians, beside a bare listener", "ms",
                     [statistics.median(times_ms) for times_ms in ours_ms],
                     [statistics.median(times_ms) for times_ms in bare_ms])]


async def _said(*command: str) -> str | None:
    """What a command prints; None where it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    return None if process.returncode else said.decode()


# -- in the guest ------------------------------------------------------------------------------------------------------


class TimedAir(Air):
    """Notes when data is on the air for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.aired_s: dict[bytes, float] = {}

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        self.aired_s.setdefault(bytes(getattr(packet, "data", b"")), time.monotonic())
        super().send_advertising_pdu(sender_controller, packet)

    def of(self, data: bytes) -> float:
        return next(aired_s for packet, aired_s in self.aired_s.items() if data in packet)


@asynccontextmanager
async def _ours() -> AsyncIterator[Ear]:
    sink = Pipeline()
    async with running(BleBus("hci0", "bluez", time.monotonic)) as bus, driver(bus, sink):
        yield sink


@asynccontextmanager
async def _bare() -> AsyncIterator[Ear]:
    ear = Ear()
    said = b""

    def signal(message: Message) -> None:
        nonlocal said
        if message.member == "PropertiesChanged" and (services := message.body[1].get("ServiceData")):
            for variant in services.value.values():
                if variant.value != said:
                    said = variant.value
                    ear.hear()

    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.add_message_handler(signal)
    await _call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
                f"type='signal',sender='org.bluez',member='PropertiesChanged',path_namespace='{_HCI}'")
    await _call(bus, "org.bluez", _HCI, "org.bluez.Adapter1", "SetDiscoveryFilter", "a{sv}",
                {"Transport": Variant("s", "le")})
    await _call(bus, "org.bluez", _HCI, "org.bluez.Adapter1", "StartDiscovery", "")
    try:
        yield ear
    finally:
        await _call(bus, "org.bluez", _HCI, "org.bluez.Adapter1", "StopDiscovery", "")
        bus.disconnect()


async def _call(bus: MessageBus, name: str, path: str, interface: str, member: str, signature: str,
                *body: Any) -> None:
    reply = await bus.call(Message(destination=name, path=path, interface=interface, member=member,
                                   signature=signature, body=list(body)))
    if reply is None or reply.message_type is MessageType.ERROR:
        raise RuntimeError(f"{member}: {reply and reply.body}")


async def _until_heard(button: Beacon, ear: Ear, number: int) -> int:
    """Press until it is heard: bluetoothd, adapter and scan have to start. Return the next packet id."""
    async with asyncio.timeout(_FIRST_S):
        while not ear.heard.is_set():
            await button.say(press(number))
            number += 1
            await asyncio.sleep(0.5)
    return number


async def in_guest(count: int) -> dict[str, list[Times]]:
    """Let product and floor take turns; return the rounds of each."""
    air, number = TimedAir(), 0
    listeners: dict[str, Callable[[], Any]] = {"ours": _ours, "bare": _bare}
    rounds: dict[str, list[Times]] = {who: [] for who in listeners}
    async with private_bus() as address, beacon(air) as button:
        with environment(VARIABLE, address):
            async with bluetoothd(air):
                for who in [*listeners] * ROUNDS:
                    air.aired_s.clear()
                    async with listeners[who]() as ear:
                        number = await _until_heard(button, ear, number)
                        packets = range(number, number + count)
                        pressed = await presses(button, ear, packets)
                    number += count
                    rounds[who].append([(pressed_s, air.of(press(packet)), heard_s)
                                        for packet, (pressed_s, heard_s) in zip(packets, pressed, strict=True)])
    return rounds


if __name__ == "__main__":
    print(json.dumps(asyncio.run(in_guest(int(sys.argv[1])))), flush=True)
