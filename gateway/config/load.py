"""load: read a file; parse: text -> Config. All problems are told at once, each with its key and its cure."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.config.errors import ConfigError
from gateway.config.schema import City, Config, Detect, Device, Gateway, Voice

T = TypeVar("T", bound=msgspec.Struct)

_SECTIONS = ("gateway", "city", "voice", "detect", "bus", "devices")


def load(path: Path, drivers: Mapping[str, tuple[str, type[msgspec.Struct]]],
         buses: Mapping[str, type[msgspec.Struct]]) -> Config:
    """Read and check the configuration file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        cure = "give --config FILE, or write one (docs/configuration.md has an example)"
        raise ConfigError(path, [f"cannot be read ({error.strerror}): {cure}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"byte {error.start} is not UTF-8: save the file as UTF-8"]) from error
    return parse(text, path, drivers, buses)


def parse(text: str, path: Path, drivers: Mapping[str, tuple[str, type[msgspec.Struct]]],
          buses: Mapping[str, type[msgspec.Struct]]) -> Config:
    """Check TOML `text`. `drivers`: driver name -> (its bus, its settings type); `buses`: bus name -> settings type."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [f"not valid TOML: {error}: mend that place"]) from error
    problems: list[str] = []
    problems += [_unknown(key, key, _SECTIONS) for key in raw if key not in _SECTIONS]
    sections = {
        name: _convert(_table(raw, name, problems), kind, name, problems)
        for name, kind in (("gateway", Gateway), ("city", City), ("voice", Voice), ("detect", Detect))
    }
    devices = _devices(_table(raw, "devices", problems), drivers, problems)
    bus_settings = _buses(_table(raw, "bus", problems), buses, problems)
    for device in devices.values():
        bus = drivers[device.driver][0]
        if bus not in bus_settings and bus in buses and not any(p.startswith(f"bus.{bus}") for p in problems):
            settings = _convert({}, buses[bus], f"bus.{bus}", problems)
            if settings is not None:
                bus_settings[bus] = settings
    if problems:
        raise ConfigError(path, problems)
    return Config(**sections, buses=bus_settings, devices=devices, path=path)  # type: ignore[arg-type]


def _table(raw: dict[str, Any], name: str, problems: list[str]) -> dict[str, Any]:
    table = raw.get(name, {})
    if isinstance(table, dict):
        return table
    problems.append(f"{name}: is no table: write it as [{name}] with keys below")
    return {}


def _devices(tables: dict[str, Any], drivers: Mapping[str, tuple[str, type[msgspec.Struct]]],
             problems: list[str]) -> dict[str, Device]:
    devices: dict[str, Device] = {}
    for name, table in tables.items():
        where = f"devices.{name}"
        if not isinstance(table, dict):
            problems.append(f"{where}: is no table: write it as [devices.{name}] with keys below")
            continue
        own = {key: value for key, value in table.items() if key not in ("driver", "room")}
        driver = table.get("driver")
        if driver is None:
            problems.append(f"{where}.driver: missing: name one of {', '.join(sorted(drivers))}")
            continue
        if driver not in drivers:
            problems.append(_unknown(f"{where}.driver", str(driver), drivers, "driver"))
            continue
        settings = _convert(own, drivers[driver][1], where, problems)
        common = {"name": name, "driver": driver, "room": table.get("room", ""), "settings": {}}
        shell = _convert(common, Device, where, problems)
        if settings is not None and shell is not None:
            devices[name] = msgspec.structs.replace(shell, settings=settings)
    return devices


def _buses(tables: dict[str, Any], buses: Mapping[str, type[msgspec.Struct]], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, table in tables.items():
        where = f"bus.{name}"
        if name not in buses:
            problems.append(_unknown(where, name, buses, "bus"))
        elif not isinstance(table, dict):
            problems.append(f"{where}: is no table: write it as [bus.{name}] with keys below")
        elif (settings := _convert(table, buses[name], where, problems)) is not None:
            found[name] = settings
    return found


def _convert(table: dict[str, Any], kind: type[T], where: str, problems: list[str]) -> T | None:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    strange = [key for key in table if key not in known]
    problems += [_unknown(f"{where}.{key}", key, known) for key in strange]
    try:
        return msgspec.convert({k: v for k, v in table.items() if k not in strange}, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        what, _, place = text.partition(" - at `$")
        key = where + place.rstrip("`")
        if "missing required field" in what:
            field = what.split("`")[1]
            problems.append(f"{where}.{field}: missing: add it under [{where}]")
        else:
            problems.append(f"{key}: {what[0].lower()}{what[1:]}: change the value")
        return None


def _unknown(where: str, name: str, known: Iterable[str], noun: str = "key") -> str:
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, 1)
    cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(choices)}"
    return f"{where}: unknown {noun} {name!r}: {cure}"
