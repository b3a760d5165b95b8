"""A device's block in the configuration file: made, checked, and written so that a power cut leaves one whole file.

The file is only ever added to at its end, so every comment and every line that a person wrote stays as it is.
"""

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.config import salvage, toml
from gateway.config.load import BusTypes, DriverTypes


def block(name: str, driver: str, room: str, settings: Mapping[str, Any]) -> str:
    """Return the `[devices.NAME]` table as TOML text."""
    lines = [f"[devices.{toml.key(name)}]", f"driver = {toml.value(driver)}"]
    if room:
        lines.append(f"room = {toml.value(room)}")
    lines += [f"{toml.key(key)} = {toml.value(value)}" for key, value in settings.items() if value is not None]
    return "\n".join(lines) + "\n"


def added(text: str, more: str) -> str:
    """Return the configuration's text with the block at its end, an empty line before it."""
    return text.rstrip("\n") + "\n\n" + more if text.strip() else more


def mistakes(before: str, after: str, name: str, path: Path, drivers: DriverTypes, buses: BusTypes) -> list[str]:
    """Problems that the new text has and the old one has not; also if the device `name` were left out of it."""
    _, old = salvage(before, path, drivers, buses)
    config, new = salvage(after, path, drivers, buses)
    fresh = [problem for problem in new if problem not in old]
    if not fresh and (config is None or name not in config.devices):
        return old or [f"devices.{name}: cannot be used: configure its bus first"]
    return fresh


def configured(text: str, settings: Mapping[str, Any]) -> str | None:
    """Name of the device that already stands in the configuration with these settings, if any."""
    try:
        tables = tomllib.loads(text).get("devices", {})
    except tomllib.TOMLDecodeError:
        return None
    for name, table in tables.items():
        if settings and all(_same(table.get(key), value) for key, value in settings.items()):
            return str(name)
    return None


def free_name(wish: str, taken: Collection[str]) -> str:
    """A valid device name near to `wish` that is not taken."""
    name = re.sub(r"[^a-z0-9_-]+", "-", wish.lower()).strip("-_")[:28] or "device"
    for number in range(1, len(taken) + 2):
        candidate = name if number == 1 else f"{name}-{number}"
        if candidate not in taken:
            return candidate
    raise AssertionError("more names taken than there are")


def write(path: Path, text: str) -> None:
    """Replace the file by one with this text, of the same owner and rights. Raises OSError; the old one then stays."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, new)
        status = path.stat()
        os.chown(new, status.st_uid, status.st_gid)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _same(one: Any, other: Any) -> bool:
    """Tell whether two settings mean the same; addresses are written in either case."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return bool(one == other)
