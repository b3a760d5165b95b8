"""A real daemon as a process, with a board of GPIO pins and a Modbus module, its broker and its city."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.resources import control
from hil.resources.process import Program
from hil.strategies.gateway import Gateway
from tests.system.broker import CityHandle, Mosquitto, city, mosquitto

GATEWAY = "flat-12"
SOS_PIN, LIGHT_PIN = 17, 27

BASE = """
[gateway]
id = "{id}"
state_dir = "{state}"
run_dir = "{folder}/run"
[city]
host = "localhost"
port = {port}
tls = false
[voice]
output = "wav:{folder}/voice.wav"
[devices.sos]
driver = "gpio-button"
pin = 17
[devices.light]
driver = "gpio-light"
pin = 27
"""

PANEL = """
[bus.modbus]
port = "{folder}/tty-modbus"
[devices.panel]
driver = "modbus-inputs"
room = "kitchen"
unit = 1
inputs.0 = {{ kind = "smoke" }}
inputs.1 = {{ kind = "contact" }}
"""


@dataclass
class Flat:
    """One daemon and what is around it."""

    folder: Path
    gateway: Gateway
    broker: Mosquitto
    city: CityHandle
    programs: dict[str, Program]
    environment: dict[str, str]

    async def do(self, whom: str, op: str, /, **arguments: Any) -> dict[str, Any]:
        return await control.call(self.folder / f"{whom}.sock", op, **arguments)

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.gateway.ask("status")
        return answer

    async def until(self, condition: Callable[[dict[str, Any]], Any], timeout_s: float = 45.0) -> dict[str, Any]:
        """Wait until the status satisfies `condition`; return it."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(timeout_s):
                while not status or not condition(status):
                    await asyncio.sleep(0.05)
                    status = await self.status()
        except TimeoutError:
            shown = [status.get(part) for part in ("city", "faults", "devices")]
            raise AssertionError(f"not in {timeout_s} s: {shown}") from None
        return status

    async def press_sos(self) -> None:
        await self.do("gpio", "press", pin=SOS_PIN, hold_s=0.05)

    async def city_has(self, kind: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until the city has a raised alarm of this kind."""
        async with asyncio.timeout(timeout_s):
            while True:
                for event in (await self.city("events", type="anju.alarm.raised"))["events"]:
                    if event["data"]["kind"] == kind:
                        return dict(event)
                await asyncio.sleep(0.05)

    def log(self) -> str:
        return self.gateway.program.log.read_text()


def device(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(d for d in status["devices"] if d["device"] == name)


def fault(status: dict[str, Any], what: str) -> dict[str, Any] | None:
    return next((f for f in status["faults"] if f["what"] == what), None)


@asynccontextmanager
async def flat(folder: Path, config: str = BASE + PANEL, *, state: Path | None = None, start: bool = True,
               broker: Mosquitto | None = None, city_there: bool = True) -> AsyncIterator[Flat]:
    """A flat with everything running; the daemon and the city too unless told otherwise."""
    async with AsyncExitStack() as stack:
        broker = broker or await stack.enter_async_context(mosquitto(folder))
        programs = {
            "gpio": Program.module("hil.devices.gpio", "--control", folder / "gpio.sock", log=folder / "gpio.log"),
            "modbus": Program.module("hil.devices.modbus", "--control", folder / "modbus.sock", "--link",
                                     folder / "tty-modbus", "--unit", 1, log=folder / "modbus.log"),
        }
        for program in programs.values():
            stack.push_async_callback(program.stop)
            await program.start_ready()
        town = CityHandle(folder / "city.sock")
        if city_there:
            town = await stack.enter_async_context(city(folder, broker.port))
        (folder / "run").mkdir(exist_ok=True)
        path = folder / "anju.toml"
        path.write_text(config.format(id=GATEWAY, folder=folder, state=state or folder / "state", port=broker.port))
        environment = {
            "ANJU_BENCH_GPIO": str(folder / "gpio.sock"), "GPIOZERO_PIN_FACTORY": "bench",
            "STATE_DIRECTORY": str(state or folder / "state"), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere",
        }
        gateway = Gateway(path, folder / "run", folder / "gateway.log", environment)
        stack.push_async_callback(gateway.program.stop)
        if start:
            await gateway.start()
        yield Flat(folder, gateway, broker, town, programs, environment)
