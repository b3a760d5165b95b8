"""Sessions of health monitors over a fake peer: clocks, ages, whose measurement it is, and records fetched once."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.devices import blood_pressure, glucose, oximeter
from drivers.devices.device_information import CHARACTERISTICS
from drivers.devices.gatt_clock import CURRENT_TIME, DATE_TIME, decode_time, encode_time
from drivers.devices.gatt_values import BATTERY_LEVEL
from drivers.devices.monitor import MonitorSettings
from drivers.testkit.advert import FakeNotes
from drivers.testkit.ble import FakePeer
from drivers.testkit.link import RecordedLink
from drivers.testkit.virtual_time import run as run_virtual
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind, SpotCheck
from gateway.spi import BlePeer, Driver, LinkError, LinkLost
from tests.drivers.ble.kit import played

CUFF, METER = blood_pressure.MEASUREMENT, glucose.MEASUREMENT
NOW = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - what a device's clock is set to


def link(user: int | None = None) -> RecordedLink[MonitorSettings]:
    return RecordedLink(MonitorSettings(address="C0:00:00:00:00:01", user=user))


async def during(driver: Driver[MonitorSettings, BlePeer], peer: FakePeer, heard: RecordedLink[MonitorSettings],
                 act: Awaitable[None]) -> BaseException | None:
    """Run a session while `act` plays the device; what ended the session, None if it had to be cancelled."""
    return await played(driver.run(heard, peer), act)


def pressure(taken: datetime | None = None, user: int | None = None) -> bytes:
    """128 over 76, mean 93."""
    flags = (0x02 if taken else 0) | (0x08 if user is not None else 0)
    return (bytes([flags, 0x80, 0, 0x4C, 0, 0x5D, 0]) + (encode_time(DATE_TIME, taken) if taken else b"")
            + (bytes([user]) if user is not None else b""))


def checks(heard: RecordedLink[MonitorSettings]) -> list[tuple[Quantity, ...]]:
    return [value.values for value in heard.values if isinstance(value, SpotCheck)]


def ages(heard: RecordedLink[MonitorSettings]) -> list[float | None]:
    return [value.age_s for check in checks(heard) for value in check if value.kind is QuantityKind.SYSTOLIC]


async def say(peer: FakePeer, *frames: bytes, uuid: str = CUFF) -> None:
    for data in frames:
        peer.notify(uuid, data)
        await asyncio.sleep(0)


def test_a_measurement_is_one_spot_check_with_all_its_values_and_the_battery_is_read() -> None:
    peer, heard = FakePeer({CUFF: b"", BATTERY_LEVEL: b"\x53"}), link()
    assert run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, pressure()))) is None
    assert heard.values == [
        Quantity(QuantityKind.BATTERY, 83), SpotCheck((Quantity(QuantityKind.SYSTOLIC, 128.0),
        Quantity(QuantityKind.DIASTOLIC, 76.0), Quantity(QuantityKind.MEAN_ARTERIAL, 93.0)))]
    assert heard.is_ready.is_set()


def test_what_a_cuff_kept_for_two_hours_is_two_hours_old_by_the_cuffs_own_wrong_clock() -> None:
    wrong = NOW - timedelta(days=400)
    peer, heard = FakePeer({CUFF: b"", CURRENT_TIME: encode_time(CURRENT_TIME, wrong)}), link()
    run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, pressure(wrong - timedelta(hours=2)))))
    assert ages(heard) == [pytest.approx(7200.0, abs=1.0)]
    assert {value.taken_local for check in checks(heard) for value in check} == {
        (wrong - timedelta(hours=2)).isoformat()}


def test_the_clock_of_a_device_is_set_on_connect() -> None:
    peer, heard = FakePeer({CUFF: b"", CURRENT_TIME: encode_time(CURRENT_TIME, NOW - timedelta(days=400))}), link()
    run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer)))
    ((uuid, data),) = peer.written
    set_to = decode_time(data)
    assert uuid == CURRENT_TIME
    assert set_to is not None
    assert abs(set_to - datetime.now()) < timedelta(minutes=2)  # noqa: DTZ005


@pytest.mark.parametrize("ahead", [timedelta(days=400), -timedelta(days=400)])
def test_what_is_taken_after_the_clock_was_set_is_new(ahead: timedelta) -> None:
    peer, heard = FakePeer({CUFF: b"", CURRENT_TIME: encode_time(CURRENT_TIME, NOW + ahead)}), link()

    async def later() -> None:
        await asyncio.sleep(60.0)
        set_to = decode_time(peer.written[0][1])
        assert set_to is not None
        await say(peer, pressure(set_to + timedelta(seconds=58)))

    run_virtual(during(blood_pressure.DRIVER, peer, heard, later()))
    assert ages(heard) == [pytest.approx(2.0, abs=1.9)]  # the clock was set, and the cuff stamps, in whole seconds


def test_without_a_clock_to_compare_the_devices_word_stands_alone() -> None:
    peer, heard = FakePeer({CUFF: b""}), link()
    run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, pressure(NOW))))
    assert {(value.age_s, value.taken_local) for value in checks(heard)[0]} == {(None, NOW.isoformat())}


def test_a_shared_cuff_tells_the_residents_measurements_alone() -> None:
    peer, heard = FakePeer({CUFF: b""}), link(user=1)
    run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, pressure(user=2), pressure(user=1))))
    assert len(ages(heard)) == 1
    assert heard.lives == 1


def test_a_device_that_refuses_what_is_optional_still_measures() -> None:
    class Stubborn(FakePeer):
        async def read(self, uuid: str) -> bytes:
            raise LinkError("not permitted", "pair")

        async def write(self, uuid: str, data: bytes) -> None:
            raise LinkError("not permitted", "pair")

    peer, heard = Stubborn({CUFF: b"", CURRENT_TIME: b"", BATTERY_LEVEL: b"",
                            **dict.fromkeys(CHARACTERISTICS.values(), b"")}), link()
    assert run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, pressure()))) is None
    assert len(ages(heard)) == 1


def test_an_oximeter_needs_one_of_its_two_characteristics() -> None:
    peer, heard = FakePeer({oximeter.CONTINUOUS: b""}), link()
    act = say(peer, bytes.fromhex("0062004800"), uuid=oximeter.CONTINUOUS)
    assert run_virtual(during(oximeter.DRIVER, peer, heard, act)) is None
    assert Quantity(QuantityKind.OXYGEN_SATURATION, 98.0) in heard.values


def test_a_device_without_the_service_is_told_by_the_bus() -> None:
    assert isinstance(run_virtual(during(blood_pressure.DRIVER, FakePeer({}), link(), say(FakePeer({})))), LinkError)


def test_damage_is_dropped_and_without_end_it_is_an_error() -> None:
    peer, heard = FakePeer({CUFF: b""}), link()
    assert run_virtual(during(blood_pressure.DRIVER, peer, heard, say(peer, b"\x00\x80", pressure()))) is None
    assert len(ages(heard)) == 1
    peer = FakePeer({CUFF: b""})
    assert isinstance(run_virtual(during(blood_pressure.DRIVER, peer, link(), say(peer, *[b"\x00"] * 10))), LinkError)


# -- glucose: records ------------------------------------------------------------------------------------------------

class Meter:
    """A meter's memory behind the fake peer: answers the record access control point as 1808, 3.4 says."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers, self.asked = numbers, list[str]()
        self.refuses, self.heeds_numbers = False, True

    def peer(self, notes: FakeNotes) -> FakePeer:
        return FakePeer({METER: b"", glucose.RACP: b""}, self._on_write, notes=notes)

    def _on_write(self, uuid: str, request: bytes) -> list[tuple[str, bytes]]:
        assert uuid == glucose.RACP
        self.asked.append(request.hex(" "))
        if self.refuses:
            return [(glucose.RACP, bytes([6, 0, 1, 2]))]
        chosen: dict[int, Callable[[], list[int]]] = {
            1: lambda: self.numbers, 6: lambda: self.numbers[-1:],
            3: lambda: [n for n in self.numbers
                        if n >= int.from_bytes(request[3:5], "little") or not self.heeds_numbers]}
        found = chosen[request[1]]()
        records = [(METER, bytes([6]) + n.to_bytes(2, "little") + encode_time(DATE_TIME, NOW) + b"\x36\xc0\x11")
                   for n in found]
        return [*records, (glucose.RACP, bytes([6, 0, 1, 1 if found else 6]))]


def fetch(meter: Meter, notes: FakeNotes, seconds: float = 1.0) -> RecordedLink[MonitorSettings]:
    heard = link()
    run_virtual(during(glucose.DRIVER, meter.peer(notes), heard, asyncio.sleep(seconds)))
    return heard


def test_every_stored_record_is_fetched_at_first_and_none_twice_over_sessions_and_restarts() -> None:
    meter, notes = Meter([1, 2, 3]), FakeNotes()
    assert len(fetch(meter, notes).values) == 3
    assert fetch(meter, notes).values == []
    meter.numbers += [4, 5]
    assert len(fetch(meter, notes).values) == 2
    assert meter.asked[0] == "01 01"
    assert meter.asked[-1] == "01 03 01 04 00"


def test_no_record_comes_twice_though_the_gateway_is_killed_right_after_the_fetch(tmp_path: Path) -> None:
    for numbers in (["1", "2", "3"], ["1", "2", "3", "4"]):
        command = [sys.executable, "-m", "tests.drivers.ble.fetcher", str(tmp_path), *numbers]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
            assert gateway.stdout is not None
            measured = gateway.stdout.readline()
            gateway.kill()
        assert measured == f"{len(numbers)}\n"


def test_a_record_without_a_date_may_be_another_one_of_that_number() -> None:
    names = [glucose.measured(glucose.Glucose(number, taken, 5.4)).record
             for number, taken in ((5, None), (5, NOW), (5, NOW + timedelta(days=1)), (6, NOW))]
    assert names[0] == ""
    assert len(set(names)) == 4


def test_a_meter_that_sends_more_than_it_was_asked_for_doubles_nothing() -> None:
    meter, notes = Meter([1, 2]), FakeNotes()
    meter.heeds_numbers = False
    fetch(meter, notes)
    meter.numbers.append(3)
    assert len(fetch(meter, notes).values) == 1


def test_a_record_that_is_added_while_the_link_stands_is_fetched_too() -> None:
    meter, notes, heard = Meter([1]), FakeNotes(), link()

    async def later() -> None:
        await asyncio.sleep(1.0)
        meter.numbers.append(2)
        await asyncio.sleep(glucose.POLL_S)

    run_virtual(during(glucose.DRIVER, meter.peer(notes), heard, later()))
    assert len(heard.values) == 2


def test_a_meter_that_was_reset_is_read_from_the_beginning() -> None:
    meter, notes = Meter([7, 8, 9]), FakeNotes()
    fetch(meter, notes)
    meter.numbers = [0, 1]
    assert len(fetch(meter, notes).values) == 2


def test_the_highest_number_there_can_be_ends_no_meter_and_one_that_was_false_loses_no_record() -> None:
    meter, notes = Meter([0xFFFE, 0xFFFF]), FakeNotes()
    assert len(fetch(meter, notes).values) == 2
    assert fetch(meter, notes, seconds=100.0).values == []
    meter.numbers = [0, 1]
    assert len(fetch(meter, notes).values) == 2


def test_an_empty_meter_is_asked_again_and_again_without_haste() -> None:
    meter = Meter([])
    assert fetch(meter, FakeNotes(), 3 * glucose.POLL_S).values == []
    assert len(meter.asked) == 4


def test_a_meter_that_refuses_or_does_not_answer_is_an_error_with_a_cure() -> None:
    meter = Meter([1])
    meter.refuses = True
    assert isinstance(run_virtual(during(glucose.DRIVER, meter.peer(FakeNotes()), link(), asyncio.sleep(1))), LinkError)
    dumb = FakePeer({METER: b"", glucose.RACP: b""})
    assert isinstance(run_virtual(during(glucose.DRIVER, dumb, link(), asyncio.sleep(60))), LinkError)


def test_a_link_lost_while_waiting_ends_the_session_at_once() -> None:
    peer = Meter([1]).peer(FakeNotes())

    async def lose() -> None:
        await asyncio.sleep(1.0)
        peer.lose()

    assert isinstance(run_virtual(during(glucose.DRIVER, peer, link(), lose())), LinkLost)


def test_a_low_battery_is_told_once() -> None:
    heard, peer = link(), FakePeer({METER: b"", glucose.RACP: b""})
    record = bytes([0x08, 1, 0]) + encode_time(DATE_TIME, NOW) + b"\x01\x00"
    act = say(peer, record, bytes([0x08, 2, 0]) + record[3:], uuid=METER)
    run_virtual(during(glucose.DRIVER, peer, heard, act))
    assert heard.values == [Binary(BinaryKind.BATTERY_LOW, active=True)]
