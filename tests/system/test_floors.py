"""The contracts of the floors bite: each is broken by an import planted into a copy of the tree."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PLANTED = {
    "A floor imports only floors below it": ("gateway/runtime/clock.py", "import gateway.sync.wire"),
    "The gateway knows no driver and no bench": ("gateway/voice/voice.py", "import drivers.testkit"),
    "Drivers know the model and the contract only": ("drivers/devices/ias.py", "import gateway.store"),
    "The bench is independent of what it tests": ("hil/cloud/city.py", "import gateway.model.event"),
    "Floors 0-2 are pure": ("gateway/detect/falls/wrist.py", "import subprocess"),
    "Bluetooth is imported by its bus alone": ("drivers/devices/polar.py", "import bleak"),
    "Zigbee (GPL) is imported by its bus alone": ("drivers/bus/modbus.py", "import zigpy"),
    "Serial lines are imported by their bus alone": ("drivers/bus/gpio.py", "import serial"),
    "Pins are imported by their bus alone": ("drivers/devices/gpio_button.py", "import gpiozero"),
    "SQLite lives in the store": ("gateway/sync/wire.py", "import sqlite3"),
    "MQTT lives in the session and in the bus of Zigbee2MQTT": ("gateway/sync/uplink.py", "import aiomqtt"),
}


def test_every_contract_is_broken_by_what_it_forbids(tmp_path: Path) -> None:
    for package in ("gateway", "drivers", "hil"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.wav"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in PLANTED.values():
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    lint = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([lint, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"})
    verdicts = said.stdout + said.stderr
    kept = [contract for contract in PLANTED if f"{contract} BROKEN" not in verdicts]
    assert not kept, f"{kept} not broken\n{verdicts[-3000:]}"
