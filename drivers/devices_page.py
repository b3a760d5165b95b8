"""The list of devices, made from what the drivers declare: `python -m drivers.devices_page` prints it, `--write FILE`
writes it (docs/devices.md).
"""

import sys
from importlib.metadata import entry_points
from pathlib import Path

from gateway.model.finding import FallSource
from gateway.spi import Advertiser, Tested
from gateway.spi.driver import AnyDriver

HEAD = """\
# Devices

Made from the drivers' own declarations: change those, then run `make devices`.

*Tested* says with what: vectors worked out by hand from the maker's or the Bluetooth SIG's specification; an emulated
device behind the real bus; the real device. {hardware}

| Driver | Device | Bus | Gives | Takes | Watches falls | Tested |
|---|---|---|---|---|---|---|
"""
NO_HARDWARE = "No driver has been tried on a real device so far."
SOME_HARDWARE = "Only where it says so has a driver been tried on a real one."
_FALLS = {FallSource.WRIST: "the gateway, at the wrist", FallSource.WEARABLE: "the wearable itself",
          FallSource.RADAR: "the radar"}


def first_party() -> list[AnyDriver]:
    """Every driver of this package, by bus and name."""
    found = [point.load() for point in entry_points(group="gateway.drivers") if point.value.startswith("drivers.")]
    return sorted(found, key=lambda driver: (driver.bus, driver.name))


def page(drivers: list[AnyDriver]) -> str:
    """Return the page as Markdown."""
    hardware = SOME_HARDWARE if any(Tested.HARDWARE in driver.tested for driver in drivers) else NO_HARDWARE
    return HEAD.format(hardware=hardware) + "".join(_row(driver) for driver in drivers)


def _row(driver: AnyDriver) -> str:
    bus = f"{driver.bus}, only heard" if issubclass(driver.settings, Advertiser) else driver.bus
    bus += ", asleep between measurements" if driver.portable else ""
    cells = (f"`{driver.name}`", driver.title, bus, ", ".join(driver.gives), ", ".join(driver.takes),
             _FALLS[driver.falls] if driver.falls else "", ", ".join(driver.tested) or "not declared")
    return "| " + " | ".join(cells) + " |\n"


def main(arguments: list[str]) -> None:
    """Print the page, or write it."""
    text = page(first_party())
    if arguments[:1] == ["--write"] and len(arguments) == 2:
        Path(arguments[1]).write_text(text, encoding="utf-8")
    elif arguments:
        sys.exit("usage: python -m drivers.devices_page [--write FILE]")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
