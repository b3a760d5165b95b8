"""The emulated home: every device, the broker and the city, each a process, and a gateway configured for it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.resources import control
from hil.resources.process import ProcessFailed, Program
from hil.strategies.gateway import Gateway

BRACELET = "C0:5E:A0:00:00:01"
SOS_PIN, CANCEL_PIN, LIGHT_PIN = 17, 22, 27
FLAT_INPUT, CORRIDOR_INPUT = 0, 1

UNIX_PATH_BYTES = 107  # unix(7): sun_path holds 108 with its final zero
_LONGEST = "run/host-zigbee.sock"  # of the sockets below the home's folder

_CONFIG = """\
# The demo's home. Every device in it is emulated and speaks the real one's bytes.

[gateway]
id = "{id}"
state_dir = "{folder}/state"
run_dir = "{folder}/run"

[city]
host = "127.0.0.1"
port = {city_port}
tls = false

[voice]
language = "{language}"
output = "wav:{folder}/voice.wav"

[store]
telemetry_delay_s = 1

[detect]
vitals_period_s = 2

[bus.ble]
backend = "{ble_backend}"

[bus.zigbee]
port = "{folder}/tty-zigbee"

[bus.modbus]
port = "{folder}/tty-modbus"

[devices.bracelet]
driver = "polar"
room = "wrist"
address = "{bracelet}"

[devices.panel]
driver = "modbus-inputs"
room = "kitchen"
unit = 1
inputs.0 = {{ kind = "smoke" }}
inputs.1 = {{ kind = "contact" }}

[devices.sos]
driver = "gpio-button"
room = "bedside"
pin = {sos_pin}

[devices.fine]
driver = "gpio-button"
room = "bedside"
pin = {cancel_pin}
button = "cancel"

[devices.light]
driver = "gpio-light"
room = "bedside"
pin = {light_pin}
"""


@dataclass
class Home:
    """A home in `folder`. `falls`: a file of fall recordings for the bracelet, else it falls by a generator."""

    folder: Path
    falls: Path | None = None
    language: str = "zh"
    gateway_id: str = "demo-home"
    layer: str = ""  # of Bluetooth: l2 (private D-Bus) or l1 (Bumble backend), as the machine allows
    programs: dict[str, Program] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def kit(self) -> AsyncIterator["Home"]:
        """Everything but the gateway, running. Raises ProcessFailed."""
        for name in ("state", "run", "ctl", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop)
            radio = await self._start_all()
            self.gateway = Gateway(self._write_config(), self.folder / "run", self.folder / "log" / "gateway.log",
                                   radio | {"ANJU_BENCH_GPIO": str(self.socket("gpio")),
                                            "GPIOZERO_PIN_FACTORY": "bench"})
            stack.push_async_callback(self.gateway.program.stop)
            yield self

    def socket(self, name: str) -> Path:
        return self.folder / "ctl" / f"{name}.sock"

    @property
    def spoken(self) -> Path:
        """The log of what the gateway's voice said."""
        return self.folder / "voice.wav.jsonl"

    async def do(self, whom: str, op: str, timeout_s: float = 10.0, /, **arguments: Any) -> dict[str, Any]:
        """Do something to a device, the broker or the city."""
        return await control.call(self.socket(whom), op, timeout_s, **arguments)

    async def _start_all(self) -> dict[str, str]:
        """Start the city and every device at once; return the environment that leads the gateway to the radio."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_city())
                bracelet = group.create_task(self._start_bracelet())
                group.create_task(self._start("zigbee", "hil.devices.zigbee", "--link", self.folder / "tty-zigbee",
                                              "--nvram", self.folder / "zigbee-nvram.json"))
                group.create_task(self._start("modbus", "hil.devices.modbus", "--link", self.folder / "tty-modbus",
                                              "--unit", 1))
                group.create_task(self._start("gpio", "hil.devices.gpio"))
        except ExceptionGroup as failures:
            down, faults = failures.split(ProcessFailed)
            if down is None or faults is not None:
                raise
            raise ProcessFailed("\n".join(map(str, down.exceptions))) from None
        return bracelet.result()

    async def _start(self, name: str, module: str, *arguments: object) -> dict[str, Any]:
        program = Program.module(module, "--control", self.socket(name), *arguments,
                                 log=self.folder / "log" / f"{name}.log")
        self.programs[name] = program
        return await program.start_ready()

    async def _start_city(self) -> None:
        """Start the broker, whose `link` port can be cut, and the city on its direct port."""
        ready = await self._start("broker", "hil.cloud.broker")
        self.ports = {"link": ready["port"], "direct": ready["direct_port"]}
        await self._start("city", "hil.cloud", "--port", ready["direct_port"], "--db", self.folder / "city.db")

    async def _start_bracelet(self) -> dict[str, str]:
        """Start the radio side; return the environment that leads the gateway to it."""
        self.layer = "l2" if shutil.which("dbus-daemon") else "l1"
        falls = ("--falls", self.falls) if self.falls else ()
        ready = await self._start("bracelet", "hil.devices.bracelet", "--mode", self.layer, "--address", BRACELET,
                                  *falls)
        if self.layer == "l2":
            return {"DBUS_SYSTEM_BUS_ADDRESS": ready["dbus_address"]}
        return {"ANJU_BENCH_HCI": ready["hci"]}

    def _write_config(self) -> Path:
        path = self.folder / "anju.toml"
        path.write_text(_CONFIG.format(
            id=self.gateway_id, folder=self.folder, city_port=self.ports["link"], language=self.language,
            ble_backend="bluez" if self.layer == "l2" else "bumble", bracelet=BRACELET,
            sos_pin=SOS_PIN, cancel_pin=CANCEL_PIN, light_pin=LIGHT_PIN))
        return path

    async def _stop(self) -> None:
        await asyncio.gather(*(program.stop() for program in self.programs.values()))


def too_long(folder: Path) -> str | None:
    """Say why a home cannot live in this folder, None if it can."""
    over_bytes = len(os.fsencode(folder.resolve() / _LONGEST)) - UNIX_PATH_BYTES
    if over_bytes <= 0:
        return None
    return f"the path {folder} is {over_bytes} bytes too long for the Unix sockets in it: choose a shorter one"


def falls_recordings() -> Path | None:
    """The recordings of real falls beside the project ($ANJU_SHARED or ../shared), None where they are not."""
    shared = Path(os.environ.get("ANJU_SHARED", Path(__file__).parents[3] / "shared"))
    path = shared / "data" / "falls" / "umafall_dev.npz"
    return path if path.exists() else None
