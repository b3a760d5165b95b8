"""Which drivers and buses are installed: entry points, so that a third party's stand beside our own.

A broken plug-in is kept in `broken` and shown in `anju status`; it never stops the daemon.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

import msgspec

from gateway.spi import BusKind, Driver
from gateway.spi.bus import AnyBusKind
from gateway.spi.driver import AnyDriver

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that cannot be used."""

    name: str
    reason: str
    cure: str


class Plugins(Mapping[str, T], Generic[T]):
    """Name -> plug-in of one entry point group, imported when first asked for; a broken one counts as absent."""

    def __init__(self, group: str, kind: type[T], broken: list[Broken]) -> None:
        self._kind = kind
        self._broken = broken
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            self._load(self._points[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        if name in self._loaded:
            return True
        return name in self._points and self._load(self._points[str(name)])

    def __iter__(self) -> Iterator[str]:
        return (name for name in sorted(self._points) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, point: EntryPoint) -> bool:
        try:
            plugin = point.load()
            if isinstance(plugin, self._kind):
                _usable(plugin.settings)  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything while it is imported
            reason = f"{type(error).__name__}: {error}"
        else:
            if isinstance(plugin, self._kind) and plugin.name == point.name:  # type: ignore[attr-defined]
                self._loaded[point.name] = plugin
                return True
            reason = f"{point.value} is no {self._kind.__name__} named {point.name!r}"
        del self._points[point.name]
        log.error("plug-in broken name=%s reason=%r", point.name, reason)
        self._broken.append(Broken(point.name, reason, "reinstall or remove the package that brings it"))
        return False


def _usable(settings: type[msgspec.Struct]) -> None:
    """Raise TypeError where msgspec cannot convert a table into these settings at all."""
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert({}, settings)


@dataclass(frozen=True)
class Registry:
    """Everything installed."""

    broken: list[Broken] = field(default_factory=list)
    drivers: Mapping[str, AnyDriver] = field(init=False)
    buses: Mapping[str, AnyBusKind] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "drivers", Plugins("gateway.drivers", Driver, self.broken))
        object.__setattr__(self, "buses", Plugins("gateway.buses", BusKind, self.broken))
