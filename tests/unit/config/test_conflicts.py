"""Devices that claim the same on one bus are told, and both go on."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from gateway.config import salvage

ID = msgspec.Meta(extra={"identifies": True})


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    address: Annotated[str, ID]


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    unit: Annotated[int, ID]
    inputs: Annotated[dict[str, str], ID]


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pin: Annotated[int | str, ID]
    pull_up: bool = True


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    address: str


class Bus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


DRIVERS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "band": ("ble", Band), "scale": ("ble", Band), "tag": ("zigbee", Band), "panel": ("modbus", Panel),
    "button": ("gpio", Pin), "light": ("gpio", Pin), "plain": ("ble", Plain)}
BUSES: dict[str, type[msgspec.Struct]] = dict.fromkeys(("ble", "zigbee", "modbus", "gpio"), Bus)
HEAD = '[gateway]\nid = "a"\n[city]\nhost = "care.example"\n'


def told(first: str, second: str) -> list[str]:
    text = f"{HEAD}[devices.a]\n{first}\n[devices.b]\n{second}\n"
    config, problems = salvage(text, Path("anju.toml"), DRIVERS, BUSES)
    assert config is not None
    assert set(config.devices) == {"a", "b"}, "a conflict must not leave a device unwatched"
    return problems


@pytest.mark.parametrize(("first", "second", "what"), [
    ('driver = "band"\naddress = "A0:9E"', 'driver = "scale"\naddress = "a0:9e"', "address: address A0:9E"),
    ('driver = "button"\npin = 17', 'driver = "light"\npin = 17\npull_up = false', "pin: pin 17"),
    ('driver = "panel"\nunit = 1\ninputs.0 = "x"\ninputs.1 = "x"', 'driver = "panel"\nunit = 1\ninputs.01 = "y"',
     "unit: unit 1, inputs 1"),
])
def test_two_devices_that_claim_the_same_are_told(first: str, second: str, what: str) -> None:
    assert told(first, second) == [
        f"devices.b.{what} belongs to devices.a already: give each device its own, or remove one of the two"]


@pytest.mark.parametrize(("first", "second"), [
    ('driver = "band"\naddress = "A0:9E"', 'driver = "band"\naddress = "A0:9F"'),
    ('driver = "band"\naddress = "A0:9E"', 'driver = "tag"\naddress = "A0:9E"'),
    ('driver = "panel"\nunit = 1\ninputs.0 = "x"', 'driver = "panel"\nunit = 1\ninputs.1 = "x"'),
    ('driver = "panel"\nunit = 1\ninputs.0 = "x"', 'driver = "panel"\nunit = 2\ninputs.0 = "x"'),
    ('driver = "plain"\naddress = "A0:9E"', 'driver = "plain"\naddress = "A0:9E"'),
])
def test_what_differs_or_lies_on_another_bus_or_identifies_nothing_is_no_conflict(first: str, second: str) -> None:
    assert told(first, second) == []
