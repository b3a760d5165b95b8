"""Settings of the first-party drivers and buses: what is wrong is told with an example of what is right."""

from pathlib import Path

import msgspec
import pytest

from drivers.bus.ble import BUS as BLE
from drivers.bus.gpio import BUS as GPIO
from drivers.bus.modbus import BUS as MODBUS
from drivers.bus.serial import BUS as SERIAL
from drivers.bus.zigbee import BUS as ZIGBEE
from drivers.devices import bthome_sensor, glucose, gpio_button, gpio_light, ias, ld2410, modbus_inputs, modem, polar
from gateway.config import salvage

BUSES: dict[str, type[msgspec.Struct]] = {bus.name: bus.settings for bus in (BLE, GPIO, MODBUS, SERIAL, ZIGBEE)}
DRIVERS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    driver.name: (driver.bus, driver.settings) for driver in (
        bthome_sensor.SENSOR, glucose.DRIVER, gpio_button.DRIVER, gpio_light.DRIVER, ias.CONTACT, ias.SMOKE,
        modbus_inputs.DRIVER, ld2410.DRIVER, modem.DRIVER, polar.DRIVER)}
HEAD = ('[gateway]\nid = "a"\n[city]\nhost = "care.example"\n[bus.modbus]\nport = "/dev/a"\n'
        '[bus.zigbee]\nport = "/dev/b"\n')


def told(*devices: str) -> list[str]:
    tables = "\n".join(f"[devices.d{number}]\n{keys}" for number, keys in enumerate(devices))
    return salvage(HEAD + tables, Path("anju.toml"), DRIVERS, BUSES)[1]


@pytest.mark.parametrize(("keys", "expected"), [
    ('driver = "polar"\naddress = "A0:9E"',
     'address: expected a MAC address, got "A0:9E": write for example "A0:9E:1A:12:34:56"'),
    ('driver = "glucose"\naddress = "A0:9E"',
     'address: expected a MAC address, got "A0:9E": write for example "A0:9E:1A:12:34:56"'),
    ('driver = "bthome"\naddress = "A0:9E:1A:12:34:56"\nkey = "abc"',
     'key: expected a bind key of 32 hex digits, got "abc": write for example "231d39c1d7cc1ab1aee224cd096db932"'),
    ('driver = "ias-smoke"\nieee = "00:15"',
     'ieee: expected an IEEE address, got "00:15": write for example "00:15:8d:00:01:02:03:04"'),
    ('driver = "gpio-button"\npin = 28', "pin: cannot be 28: write a whole number from 0 to 27, for example 17"),
    ('driver = "gpio-light"\npin = -1', "pin: cannot be -1: write a whole number from 0 to 27, for example 17"),
    ('driver = "modbus-inputs"\nunit = 248\ninputs.0 = { kind = "smoke" }',
     "unit: cannot be 248: write a whole number from 1 to 247"),
    ('driver = "modbus-inputs"\ninputs.0 = { kind = "smoke" }',
     "unit: missing: add it under [devices.d0], a whole number from 1 to 247"),
    ('driver = "modbus-inputs"\nunit = 1\ninputs = {}',
     'inputs: none given: write for example { 0 = { kind = "smoke" } }'),
])
def test_a_wrong_setting_is_told_with_what_to_write(keys: str, expected: str) -> None:
    assert told(keys) == [f"devices.d0.{expected}"]


@pytest.mark.parametrize(("first", "second", "where"), [
    ('driver = "polar"\naddress = "A0:9E:1A:12:34:56"', 'driver = "polar"\naddress = "a0:9e:1a:12:34:56"', "address"),
    ('driver = "ias-smoke"\nieee = "00:15:8d:00:01:02:03:04"',
     'driver = "ias-contact"\nieee = "00:15:8D:00:01:02:03:04"', "ieee"),
    ('driver = "gpio-button"\npin = 17', 'driver = "gpio-light"\npin = 17', "pin"),
    ('driver = "modbus-inputs"\nunit = 1\ninputs.0 = { kind = "co" }',
     'driver = "modbus-inputs"\nunit = 1\ninputs.0 = { kind = "gas" }', "unit"),
    ('driver = "ld2410"\nport = "/dev/serial/by-id/a"', 'driver = "modem"\nport = "/dev/serial/by-id/a"', "port"),
])
def test_two_devices_at_one_address_are_told(first: str, second: str, where: str) -> None:
    (problem,) = told(first, second)
    assert problem.startswith(f"devices.d1.{where}: ")
    assert "belongs to devices.d0 already" in problem


def test_one_module_may_serve_two_rooms_with_different_inputs() -> None:
    assert told('driver = "modbus-inputs"\nunit = 1\ninputs.0 = { kind = "contact" }\nroom = "hall"',
                'driver = "modbus-inputs"\nunit = 1\ninputs.1 = { kind = "contact" }\nroom = "bath"') == []
