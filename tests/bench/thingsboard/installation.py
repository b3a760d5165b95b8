"""Installation: the peer in a virtual environment of its own, made on first use and kept in the user's cache."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

VERSION = "3.8.5"
DRIVER = Path(__file__).parent / "peer" / "driver.py"
_MADE = ".installed"  # the last thing to be written: a half-made environment is made again
_INSTALL_S = 600


class NoPeer(Exception):
    """The peer cannot be installed here; the message ends with the cure."""


def folder() -> Path:
    """Return where the environment lies, made or not (XDG Base Directory Specification, $XDG_CACHE_HOME)."""
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "anju-bench" / f"thingsboard-{VERSION}"


@cache
def python() -> str:
    """Return the environment's interpreter; make the environment if it is missing. Raises NoPeer."""
    place = folder()
    if not (place / _MADE).exists():
        print(f"installing thingsboard-gateway {VERSION} into {place}", file=sys.stderr, flush=True)
        _make(place)
        (place / _MADE).touch()
    return str(place / "bin" / "python")


def _make(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    base = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    _run([base if Path(base).exists() else sys.executable, "-m", "venv", str(place)],
         "install the Debian package python3-venv")
    _run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check",
          f"thingsboard-gateway=={VERSION}"],
         "there must be a network to PyPI or to a mirror that pip is configured for; run it again then")


def _run(command: list[str], cure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPeer(f"ThingsBoard IoT Gateway {VERSION} could not be installed ({error}): {cure}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise NoPeer(f"ThingsBoard IoT Gateway {VERSION} could not be installed ({last}): {cure}")
