"""Recognise: which drivers know a device by what it advertises. Pure; the drivers' own declarations decide."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.spi import Advertisement, Mark
from gateway.spi.driver import AnyDriver

Drivers = Callable[[], Sequence[AnyDriver]]


def recognise(heard: Advertisement | None, drivers: Iterable[AnyDriver]) -> dict[str, Any]:
    """Return {"driver": the one that fits best or None, "drivers": all that fit equally well, by name}."""
    fits = {driver.name: max((weight(mark, heard) for mark in driver.marks), default=0)
            for driver in drivers} if heard is not None else {}
    best = max(fits.values(), default=0)
    names = sorted(name for name, fit in fits.items() if fit == best > 0)
    return {"driver": names[0] if len(names) == 1 else None, "drivers": names}


def weight(mark: Mark, heard: Advertisement) -> int:
    """How much a mark says about an advertisement; 0 where it does not fit.

    A name is a maker's word for one product and outweighs everything; data have a maker's or a format's own layout; a
    service in the list is the least, for a bracelet may offer the heart rate of any belt beside its own.
    """
    said = ((mark.name != "", (heard.name or "").startswith(mark.name), 8),
            (mark.service_data != "", mark.service_data in heard.service_data, 3),
            (mark.company is not None, mark.company in heard.manufacturer_data, 3),
            (mark.service != "", mark.service in heard.services, 1))
    if not all(there for given, there, _ in said if given):
        return 0
    return sum(worth for given, _, worth in said if given)
