"""conflicts: devices that claim the same thing on the same bus, such as one address or one pin. Pure.

A settings Struct marks what identifies its device with `msgspec.Meta(extra={"identifies": True})`. Several marked keys
count together; of a table each key counts: two devices may share a Modbus unit, but none of its inputs.
"""

import itertools
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.config import advice
from gateway.config.schema import Device

Claim = tuple[tuple[str, str], ...]


def conflicts(devices: Mapping[str, Device], bus_of: Mapping[str, str]) -> list[str]:
    """One problem for every two devices that claim the same, told of the later one. `bus_of`: driver -> bus."""
    owners: dict[tuple[str, Claim], str] = {}
    told: dict[tuple[str, str], str] = {}
    for name, device in devices.items():
        for claim in _claims(device.settings):
            owner = owners.setdefault((bus_of[device.driver], claim), name)
            if owner != name and (owner, name) not in told:
                words = ", ".join(f"{key} {value}" for key, value in claim)
                told[owner, name] = (f"devices.{name}.{claim[0][0]}: {words} belongs to devices.{owner} already: "
                                     "give each device its own, or remove one of the two")
    return list(told.values())


def _claims(settings: msgspec.Struct) -> Iterator[Claim]:
    """What the settings claim on their bus, in one spelling: addresses in capitals, numbers without leading zeros."""
    hints = typing.get_type_hints(type(settings), include_extras=True)
    marked = [field.name for field in msgspec.structs.fields(settings) if advice.identifies(hints[field.name])]
    values = [[(name, _spelled(value)) for value in _several(getattr(settings, name))] for name in marked]
    return itertools.product(*values) if marked else iter(())


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict | list) else [value]


def _spelled(value: Any) -> str:
    text = str(value).upper()
    return str(int(text)) if text.isascii() and text.isdigit() else text
