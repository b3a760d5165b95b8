"""load: read a file; parse: text -> Config or ConfigError; salvage: text -> what of it can be used, and what cannot.

All problems are told at once, each with its key and its cure.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.config.conflicts import conflicts
from gateway.config.convert import convert, unknown
from gateway.config.errors import ConfigError, ConfigForbidden
from gateway.config.files import unreadable
from gateway.config.schema import City, Config, Detect, Device, Gateway, Sms, Storage, Vitals, Voice
from gateway.detect.vitals.limits import RESIDENT

DriverTypes = Mapping[str, tuple[str, type[msgspec.Struct]]]
BusTypes = Mapping[str, type[msgspec.Struct]]

OF_EVERY_DEVICE = ("driver", "room", "wearer", "watches", "appliance", "position")
_SECTIONS = ("gateway", "city", "store", "voice", "detect", "sms", "vitals", "bus", "devices")


def read(path: Path) -> str:
    """Text of the configuration file. Raises ConfigError, ConfigForbidden where only the rights are missing."""
    try:
        return path.read_text(encoding="utf-8")
    except PermissionError as error:
        raise ConfigForbidden(path, [f"cannot be read ({error.strerror}): use sudo"]) from error
    except OSError as error:
        cure = "give --config FILE, or write one (docs/configuration.md has an example)"
        raise ConfigError(path, [f"cannot be read ({error.strerror}): {cure}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"byte {error.start} is not UTF-8: save the file as UTF-8"]) from error


def load(path: Path, drivers: DriverTypes, buses: BusTypes) -> Config:
    """Read and check the configuration file, and whether the files that it names can be read. Raises ConfigError."""
    config, problems = salvage(read(path), path, drivers, buses)
    if config is not None:
        problems += unreadable(config.city)
    if config is None or problems:
        raise ConfigError(path, problems)
    return config


def parse(text: str, path: Path, drivers: DriverTypes, buses: BusTypes) -> Config:
    """Check TOML `text`. `drivers`: driver name -> (its bus, its settings type); `buses`: bus name -> settings type."""
    config, problems = salvage(text, path, drivers, buses)
    if config is None or problems:
        raise ConfigError(path, problems)
    return config


def salvage(text: str, path: Path, drivers: DriverTypes, buses: BusTypes) -> tuple[Config | None, list[str]]:
    """What of `text` can be used, and every problem: one bad device must not keep the others from watching.

    A device or a bus with a bad value is left out, an unknown key ignored, [store], [voice], [detect] or [sms] with a
    bad value taken at its defaults; two devices that claim the same address both stay. None where [gateway] or [city]
    cannot be used or the text is no TOML.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [f"not valid TOML: {error}: mend that place"]
    problems = [unknown(key, key, _SECTIONS) for key in raw if key not in _SECTIONS]
    gateway = convert(_table(raw, "gateway", problems), Gateway, "gateway", problems)
    city = convert(_table(raw, "city", problems), City, "city", problems)
    store = convert(_table(raw, "store", problems), Storage, "store", problems)
    voice = convert(_table(raw, "voice", problems), Voice, "voice", problems)
    detect = convert(_table(raw, "detect", problems), Detect, "detect", problems)
    sms = convert(_table(raw, "sms", problems), Sms, "sms", problems)
    devices = _devices(_table(raw, "devices", problems), drivers, problems)
    vitals = _vitals(_table(raw, "vitals", problems), devices, problems)
    bus_settings = _buses(_table(raw, "bus", problems), buses, problems)
    asked = {f"bus.{name}" for name in _table(raw, "bus", [])}
    for bus in sorted({drivers[device.driver][0] for device in devices.values()}):
        if bus in buses and bus not in bus_settings and f"bus.{bus}" not in asked:
            settings = convert({}, buses[bus], f"bus.{bus}", problems)
            if settings is not None:
                bus_settings[bus] = settings
    problems += [unknown(f"detect.left_on_min.{name}", name, raw.get("devices", {}), "device")
                 for name in ((detect and detect.left_on_min) or ()) if name not in raw.get("devices", {})]
    problems += conflicts(devices, {name: bus for name, (bus, _) in drivers.items()})
    if gateway is None or city is None:
        return None, problems
    watched = {name: device for name, device in devices.items() if drivers[device.driver][0] in bus_settings}
    config = Config(gateway=gateway, city=city, store=store or Storage(), voice=voice or Voice(),
                    detect=detect or Detect(), sms=sms or Sms(), vitals=vitals, buses=bus_settings,
                    devices=watched, path=path)
    return config, problems


def _table(raw: dict[str, Any], name: str, problems: list[str]) -> dict[str, Any]:
    table = raw.get(name, {})
    if isinstance(table, dict):
        return table
    problems.append(f"{name}: is no table: write it as [{name}] with keys below")
    return {}


def _vitals(tables: dict[str, Any], devices: dict[str, Device], problems: list[str]) -> dict[str, Vitals]:
    """What is watched of each person; a name that no device bears is a slip of the pen, and would watch nobody."""
    found = {}
    for name, table in tables.items():
        where = f"vitals.{name}"
        if name != RESIDENT and name not in (known := {device.wearer for device in devices.values()} - {""}):
            problems.append(unknown(where, name, {RESIDENT, *known}, "wearer"))
        elif not isinstance(table, dict):
            problems.append(f"{where}: is no table: write it as [vitals.NAME] with keys below")
        elif (one := convert(table, Vitals, where, problems)) is not None:
            found[name] = one
    return found


def _devices(tables: dict[str, Any], drivers: DriverTypes, problems: list[str]) -> dict[str, Device]:
    devices: dict[str, Device] = {}
    for name, table in tables.items():
        where = f"devices.{name}"
        if not isinstance(table, dict):
            problems.append(f"{where}: is no table: write it as [devices.{name}] with keys below")
            continue
        own = {key: value for key, value in table.items() if key not in OF_EVERY_DEVICE}
        driver = table.get("driver")
        if driver is None:
            problems.append(f"{where}.driver: missing: name one of {', '.join(sorted(drivers))}")
            continue
        if not isinstance(driver, str) or driver not in drivers:
            problems.append(unknown(f"{where}.driver", str(driver), drivers, "driver"))
            continue
        settings = convert(own, drivers[driver][1], where, problems)
        common = {"name": name, "driver": driver, "settings": {}}
        common |= {key: table[key] for key in OF_EVERY_DEVICE[1:] if key in table}
        shell = convert(common, Device, where, problems)
        if settings is not None and shell is not None:
            devices[name] = msgspec.structs.replace(shell, settings=settings)
    return devices


def _buses(tables: dict[str, Any], buses: BusTypes, problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, table in tables.items():
        where = f"bus.{name}"
        if name not in buses:
            problems.append(unknown(where, name, buses, "bus"))
        elif not isinstance(table, dict):
            problems.append(f"{where}: is no table: write it as [bus.{name}] with keys below")
        elif (settings := convert(table, buses[name], where, problems)) is not None:
            found[name] = settings
    return found
