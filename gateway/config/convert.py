"""convert: a TOML table -> a Struct, or every problem in it at once, each with its whole key and its cure. Pure.

msgspec stops at the first bad value, so tables are walked here and it converts one value at a time. What a Struct
checks itself (`__post_init__`) comes last, when all of its keys are good; such an error may begin with its key, as in
"inputs: none given".
"""

import difflib
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.config import advice

T = TypeVar("T", bound=msgspec.Struct)


class _Bad(Exception):
    """The value cannot be used; why stands among the problems."""


def convert(table: dict[str, Any], kind: type[T], where: str, problems: list[str]) -> T | None:
    """`table` as `kind`, None where it cannot be used; what is wrong is added to `problems`. `where`: its key."""
    try:
        usable = _struct(table, kind, where, f"[{where}]", problems)
        return msgspec.convert(usable, kind, dec_hook=path)
    except _Bad:
        return None


def unknown(where: str, name: str, known: Iterable[str], noun: str = "key") -> str:
    """The problem of a name that is none of the known ones."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, 1)
    cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(choices)}"
    return f"{where}: unknown {noun} {name!r}: {cure}"


def path(kind: type, value: object) -> object:
    """Let a text stand where a Path is wanted."""
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise TypeError(f"expected a {'path' if kind is Path else kind.__name__}, got {advice.shown(value)}")


def _value(value: Any, hint: Any, where: str, header: str, problems: list[str]) -> Any:
    """`value` without the keys that nobody knows, checked against `hint`. `header`: the table it stands in."""
    bare, _ = advice.parts(hint)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct) and isinstance(value, dict):
        return _struct(value, bare, where, header, problems)
    inner = typing.get_args(bare)
    if typing.get_origin(bare) is dict and isinstance(value, dict):
        return _each(value.items(), inner[1], "{}.{}", where, header, problems)
    if typing.get_origin(bare) is list and isinstance(value, list):
        usable = _each(enumerate(value), inner[0], "{}[{}]", where, header, problems)
        value = list(usable.values())
    try:
        msgspec.convert(value, hint, dec_hook=path)
    except msgspec.ValidationError as error:
        problems.append(f"{where}: {_wrong(value, hint, error)}: {advice.cure(hint)}")
        raise _Bad from None
    return value


def _struct(table: dict[str, Any], kind: type[msgspec.Struct], where: str, header: str, problems: list[str]) -> Any:
    """`table` with the keys of `kind` alone, checked. Raises _Bad when all of its problems are told."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems += [unknown(f"{where}.{key}", key, fields) for key in table if key not in fields]
    usable, bad = {}, False
    for key, field in fields.items():
        hint = hints[field.name]
        if key in table:
            try:
                usable[key] = _value(table[key], hint, f"{where}.{key}", header, problems)
            except _Bad:
                bad = True
        elif field.required:
            inside = where.removeprefix(header.strip("[]")).removeprefix(".")
            place = f"to {inside} under {header}" if inside else f"under {header}"
            problems.append(f"{where}.{key}: missing: add it {place}{advice.hint_of_missing(hint, key)}")
            bad = True
    if bad:
        raise _Bad
    try:
        msgspec.convert(usable, kind, dec_hook=path)
    except msgspec.ValidationError as error:
        key, _, what = str(error).partition(": ")
        hint = hints[fields[key].name] if key in fields else kind
        told = f"{where}.{error}" if key in fields else f"{where}: {error}"
        problems.append(told if ": " in what else f"{told}: {advice.cure(hint)}")
        raise _Bad from None
    return usable


def _each(items: Iterable[tuple[Any, Any]], hint: Any, form: str, where: str, header: str, problems: list[str]) -> Any:
    """Every member of a table or an array, checked. Raises _Bad when the problems of all of them are told."""
    usable, bad = {}, False
    for key, value in items:
        try:
            usable[key] = _value(value, hint, form.format(where, key), header, problems)
        except _Bad:
            bad = True
    if bad:
        raise _Bad
    return usable


def _wrong(value: Any, hint: Any, error: msgspec.ValidationError) -> str:
    """What is wrong with one value: what was wanted instead, and what stands there."""
    if noun := advice.wanted(hint):
        return f"expected {noun}, got {advice.shown(value)}"
    if advice.choices(hint) or advice.bounds(hint) or advice.example(hint) is not None:
        return f"cannot be {advice.shown(value)}"
    text = str(error).partition(" - at `$")[0].replace("`", "")
    return f"{text[0].lower()}{text[1:]}"
