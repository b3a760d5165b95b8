"""Advice: what a key wants, in a technician's words, read off the type that its Struct declares.

A type says more about itself through msgspec.Meta: `description` is a noun for what is wanted ("a MAC address"),
`examples` are good values, bounds and patterns stand as ever. Drivers' settings are told by the same rules.
"""

import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.config import toml

LONGEST = 40  # characters of a wrong value that are shown


def parts(hint: Any) -> tuple[Any, list[msgspec.Meta]]:
    """The bare type and what is said about it; `T | None` is T, since TOML cannot write None."""
    metas: list[msgspec.Meta] = []
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            metas += [one for one in hint.__metadata__ if isinstance(one, msgspec.Meta)]
            hint = hint.__origin__
            continue
        members = _members(hint)
        if len(members) != 1:
            return hint, metas
        hint = members[0]


def wanted(hint: Any) -> str:
    """The noun for what is wanted, empty where the type says none."""
    return next((meta.description for meta in reversed(parts(hint)[1]) if meta.description), "")


def identifies(hint: Any) -> bool:
    """Tell whether the key says which device it is (gateway/config/conflicts.py)."""
    return any((meta.extra or {}).get("identifies") for meta in parts(hint)[1])


def choices(hint: Any) -> list[Any]:
    """The only values there are; empty where they cannot be listed."""
    bare, _ = parts(hint)
    if typing.get_origin(bare) is Literal:
        return list(typing.get_args(bare))
    if isinstance(bare, type) and issubclass(bare, Enum):
        return [member.value for member in bare]
    return [True, False] if bare is bool else []


def example(hint: Any) -> Any:
    """A good value, None where the type gives none."""
    bare, metas = parts(hint)
    for meta in reversed(metas):
        if meta.examples:
            return meta.examples[0]
    if only := choices(hint):
        return only[0]
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        hints = typing.get_type_hints(bare, include_extras=True)
        needed = [field for field in msgspec.structs.fields(bare) if field.required]
        whole = {field.encode_name: example(hints[field.name]) for field in needed}
        return None if None in whole.values() else whole
    return next((found for one in _members(bare) if (found := example(one)) is not None), None)


def cure(hint: Any) -> str:
    """What to write instead: the choices, or the range and an example, or at least the kind of value."""
    if only := choices(hint):
        return f"write one of {', '.join(map(_written, only))}"
    allowed, good = bounds(hint), example(hint)
    if good is not None:
        return f"write {allowed + ', ' if allowed else ''}for example {_written(good)}"
    if allowed:
        return f"write {allowed}"
    bare, metas = parts(hint)
    plain = {str: 'text in quotation marks, "..."', int: "a whole number", float: "a number",
             Path: 'a path in quotation marks, "/..."'}
    return f"write {plain[bare]}" if bare in plain and not metas else "change the value"


def hint_of_missing(hint: Any, key: str) -> str:
    """What follows on "add it": the choices or an example, empty where the type gives none."""
    if only := choices(hint):
        return f", one of {', '.join(map(_written, only))}"
    allowed, good = bounds(hint), example(hint)
    if good is None:
        return f", {allowed}" if allowed else ""
    return f", for example {toml.key(key)} = {_written(good)}"


def bounds(hint: Any) -> str:
    """The range of a number, empty where there is none."""
    bare, metas = parts(hint)
    noun = "a whole number" if bare is int else "a number"
    for meta in metas:
        low, high = (meta.ge if meta.ge is not None else meta.gt), (meta.le if meta.le is not None else meta.lt)
        if low is not None and high is not None:
            return f"{noun} from {low} to {high}"
        if low is not None:
            return f"{noun} {'from' if meta.ge is not None else 'above'} {low}"
        if high is not None:
            return f"{noun} {'up to' if meta.le is not None else 'below'} {high}"
    return next((found for one in _members(bare) if (found := bounds(one))), "")


def shown(value: Any) -> str:
    """A wrong value as the file has it, cut where it is long."""
    text = _written(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _written(value: Any) -> str:
    try:
        return toml.value(value)
    except TypeError:  # a date or a time, or what a stranger's Meta gives
        return str(value)


def _members(hint: Any) -> list[Any]:
    """The members of a union but for None; nothing for any other type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [one for one in typing.get_args(hint) if one is not type(None)]
    return []
