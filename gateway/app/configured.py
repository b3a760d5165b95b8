"""Which configuration runs: the file's, what of it can be used, or the last good one.

A driver host imports this too, and nothing of what only the daemon needs.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.config import Config, ConfigError, read, revisions, salvage
from gateway.runtime.registry import Registry

DriverTypes = Mapping[str, tuple[str, type[msgspec.Struct]]]
BusTypes = Mapping[str, type[msgspec.Struct]]


def types(registry: Registry) -> tuple[DriverTypes, BusTypes]:
    """What the installed drivers and buses let a configuration say."""
    return ({name: (driver.bus, driver.settings) for name, driver in registry.drivers.items()},
            {name: kind.settings for name, kind in registry.buses.items()})


def configured(path: Path, known: tuple[DriverTypes, BusTypes]) -> tuple[Config, str, list[str]]:
    """The configuration to run, its text, and every problem. Raises ConfigError where there is not even an old one.

    `known`: what it may say; what it says of any other bus or device is a problem, and left out.
    """
    try:
        text = read(path)
        config, problems = salvage(text, path, *known)
    except ConfigError as error:
        text, config, problems = "", None, error.problems
    if config is not None:
        return config, text, problems
    old = revisions.last_good(Path(os.environ.get("STATE_DIRECTORY", "/var/lib/anju")))
    config, _ = salvage(old, path, *known) if old else (None, [])
    if old is None or config is None:
        raise ConfigError(path, problems)
    return config, old, [*problems, "cannot be used: the last good configuration runs: mend the file and restart"]
