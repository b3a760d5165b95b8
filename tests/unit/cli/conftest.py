"""A home's configuration, a gateway's control socket beside it, and the command line in this process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import commands
from tests.unit.cli.desk import Desk, serving

CONFIG = """\
# The flat on the third floor: a comment that must stay.
[gateway]
id = "cq-0001"
run_dir = "{run_dir}"

[city]
host = "care.example"   # the city's broker

[bus.zigbee]
port = "/dev/ttyUSB0"

[devices.bracelet]
driver = "polar"
address = "A0:9E:1A:00:00:01"
"""


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a device that has an address."""

    address: str


class Ieee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a Zigbee device."""

    ieee: str


class Inputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of an input module."""

    unit: int
    inputs: dict[str, Literal["smoke", "contact"]] = {}


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a bus with a serial port."""

    port: str


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a bus that needs none."""

    adapter: str = "hci0"


DRIVERS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "polar": ("ble", Address), "ias-smoke": ("zigbee", Ieee), "ias-contact": ("zigbee", Ieee),
    "modbus-inputs": ("modbus", Inputs)}
BUSES: dict[str, type[msgspec.Struct]] = {"ble": Radio, "zigbee": Port, "modbus": Port}


def catalogue() -> tuple[dict[str, tuple[str, type[msgspec.Struct]]], dict[str, type[msgspec.Struct]]]:
    return DRIVERS, BUSES


@dataclass
class Shell:
    """Types `anju ...` and reads what it says."""

    config: Path
    started: list[tuple[Path, str | None]]

    def __call__(self, *arguments: object, typed: str | None = None, code: int = 0) -> Result:
        def run(config: Path) -> int:
            self.started.append((config, None))
            return 7

        def host(config: Path, bus: str) -> int:
            self.started.append((config, bus))
            return 8

        app = commands(run=run, host=host, catalogue=catalogue)
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed,
                                    env={"ANJU_CONFIG": str(self.config), "COLUMNS": "200"})
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    config = tmp_path / "anju.toml"
    config.write_text(CONFIG.format(run_dir=tmp_path))
    return Shell(config, [])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with serving(tmp_path / "control.sock") as desk:
        yield desk
