"""Values and keys as TOML text; the standard library only reads TOML."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # TOML 1.0.0, Keys


def key(name: str) -> str:
    """`name` as a key, in quotation marks where it needs them."""
    return name if _BARE_KEY.fullmatch(name) else value(name)


def value(thing: Any) -> str:
    """`thing` as a value on one line. Raises TypeError for what TOML has no word for."""
    match thing:
        case bool():
            return "true" if thing else "false"
        case int() | float():
            return repr(thing)
        case str():  # a JSON string is a TOML basic string, but for DEL
            return json.dumps(str(thing), ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{key(str(name))} = {value(item)}" for name, item in thing.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(value(item) for item in thing) + "]"
        case _:
            raise TypeError(f"a setting of type {type(thing).__name__} cannot be written as TOML")
