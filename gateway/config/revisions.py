"""Revisions: the last configuration that could be used, kept for the day when the present one cannot.

Written to a new file, flushed, renamed over the old one, the folder flushed: after a power cut one of them is whole.
"""

import os
from pathlib import Path

NAME = "last-good.toml"


def keep(text: str, state_dir: Path) -> None:
    """Keep this configuration's text. Raises OSError where the disk does not take it."""
    path = state_dir / NAME
    if _read(path) == text:
        return
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def last_good(state_dir: Path) -> str | None:
    """Text of the configuration kept last, None where there is none."""
    return _read(state_dir / NAME)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
