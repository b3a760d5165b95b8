"""docs/devices.md says what the drivers declare, and no more."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import asdict

from drivers.devices import polar
from drivers.devices_page import NO_HARDWARE, first_party, main, page
from gateway import spi
from gateway.model.reading import BinaryKind, QuantityKind
from gateway.spi.driver import AnyDriver

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"
WORDS = {*BinaryKind, *QuantityKind, "accel", "sos", "cancel", "service", "fall"}


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text("utf-8") == page(first_party()), "run: make devices"


def test_the_page_is_written_where_it_is_asked_to_be(tmp_path: Path) -> None:
    main(["--write", str(tmp_path / "devices.md")])
    assert (tmp_path / "devices.md").read_text("utf-8") == page(first_party())


def test_no_driver_claims_hardware_that_there_was_not() -> None:
    assert NO_HARDWARE in page(first_party())
    assert not [driver.name for driver in first_party() if spi.Tested.HARDWARE in driver.tested]


def test_a_claim_of_hardware_would_change_the_page() -> None:
    assert NO_HARDWARE not in page([replace(polar.DRIVER, tested=(spi.Tested.HARDWARE,))])


BLE = [driver for driver in first_party() if driver.bus == "ble"]


@pytest.mark.parametrize("driver", BLE, ids=lambda driver: driver.name)
def test_what_a_bluetooth_driver_gives_is_in_the_models_words(driver: AnyDriver) -> None:
    assert set(driver.gives) <= WORDS
    assert driver.tested
    assert "address" in asdict(driver.settings(address="C0:00:00:00:00:01"))
