"""A device is recognised by what it advertises, as its driver declares it."""

from dataclasses import replace

import pytest

from drivers.bus.ble.recognise import recognise
from drivers.devices import heart_rate
from drivers.devices_page import first_party
from gateway.spi import Advertisement, Mark
from tests.drivers.ble.kit import NEEDS_DBUS, l1, l2

DRIVERS = [driver for driver in first_party() if driver.bus == "ble"]
HEART_RATE, BTHOME, BLUEUP = "180d", "fcd2", "8800"


def long(short: str) -> str:
    return f"0000{short}-0000-1000-8000-00805f9b34fb"


def heard(name: str | None = None, services: tuple[str, ...] = (), data: tuple[str, ...] = (),
          company: int | None = None) -> Advertisement:
    makers = {} if company is None else {company: b"\1"}
    return Advertisement(0.0, -60, name, {long(uuid): b"\0" for uuid in data}, makers, tuple(map(long, services)))


IN_THE_AIR = {  # advertisement of each kind -> its drivers
    "Verity Sense": (heard("Polar Sense 1AC0FFEE", (HEART_RATE,), company=0x6B), ["polar"]),
    "OH1": (heard("Polar OH1 12345678", (HEART_RATE,), company=0x6B), ["polar"]),
    "H10": (heard("Polar H10 A1B2C3D4", (HEART_RATE,), company=0x6B), ["polar-h10"]),
    "belt": (heard("HRM-Pro", (HEART_RATE,)), ["heart-rate"]),
    "oximeter": (heard("Nonin3230", ("1822",)), ["oximeter"]),
    "cuff": (heard("BLESmart_0000", ("1810",)), ["blood-pressure"]),
    "thermometer": (heard(None, ("1809",)), ["thermometer"]),
    "glucose meter": (heard("meter+123", ("1808", "180a")), ["glucose"]),
    "scale": (heard("BF915", ("181d",)), ["scale"]),
    "PineTime": (heard("InfiniTime", ("180d",)), ["infinitime"]),
    "BTHome": (heard(None, data=(BTHOME,)), ["bthome"]),
    "Shelly button": (heard("SBBT-002C", data=(BTHOME,), company=0x0BA9), ["shelly-button"]),
    "Shelly door": (heard("SBDW-002C", data=(BTHOME,), company=0x0BA9), ["bthome"]),
    "BlueUp": (heard(None, data=(BLUEUP, "180f")), ["blueup-fall", "blueup-sos"]),
}


@pytest.mark.parametrize("kind", IN_THE_AIR)
def test_what_a_kind_advertises_tells_its_driver(kind: str) -> None:
    advertisement, drivers = IN_THE_AIR[kind]
    one = drivers[0] if len(drivers) == 1 else None
    assert recognise(advertisement, DRIVERS) == {"driver": one, "drivers": drivers}


def test_every_bluetooth_driver_is_recognised_by_something() -> None:
    assert {name for _, drivers in IN_THE_AIR.values() for name in drivers} == {driver.name for driver in DRIVERS}


@pytest.mark.parametrize("advertisement", [
    None, heard(), heard("Polar"), heard("LE-Kettle", ("180f", "180a")), heard("SBBT-002C"), heard(company=0x4C)])
def test_a_stranger_is_nobodys(advertisement: Advertisement | None) -> None:
    assert recognise(advertisement, DRIVERS) == {"driver": None, "drivers": []}


def test_a_device_of_two_profiles_is_the_technicians_choice() -> None:
    assert recognise(heard("X", ("1809", "1822")), DRIVERS) == {"driver": None, "drivers": ["oximeter", "thermometer"]}


def test_a_company_recognises_what_has_neither_name_nor_service() -> None:
    tag = replace(heart_rate.DRIVER, name="tag", marks=(Mark(company=0x0BA9),))
    assert recognise(heard(company=0x0BA9), [*DRIVERS, tag])["driver"] == "tag"
    assert recognise(heard(company=0x0BAA), [*DRIVERS, tag])["driver"] is None


def test_a_mark_that_names_nothing_fits_nobody() -> None:
    assert recognise(heard("anything", (HEART_RATE,)), [replace(heart_rate.DRIVER, marks=(Mark(),))])["drivers"] == []


@NEEDS_DBUS
async def test_a_bracelet_is_recognised_through_bluez() -> None:
    async with l2() as radio:
        (found,) = await radio.bus.discover(0.5)
        assert (found["address"], found["driver"]) == (radio.bracelet.address, "polar")


async def test_a_bracelet_is_recognised_over_hci() -> None:
    async with l1() as radio:
        (found,) = await radio.bus.discover(0.5)
        assert (found["address"], found["driver"]) == (radio.bracelet.address, "polar")
