"""Contacts and smoke alarms: bits to measurements, and a session on the fake port."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.ias import CONTACT, SMOKE, Zone
from drivers.devices.zigbee_rules import BATTERY
from drivers.devices.zigbee_session import IeeeSettings
from drivers.testkit.zigbee import FakeZigbeePort
from gateway.model.reading import Binary, BinaryKind, Measurement, Quantity, QuantityKind
from gateway.spi import Attribute, DeviceRejected, LinkLost, Order, ZclCommand, ZoneStatus
from gateway.spi.driver import AnyDriver
from tests.drivers.zigbee.bench import DOOR, opened, running, stick
from tests.drivers.zigbee.bench import SMOKE as SMOKE_IEEE

CONTACT_ZONE, FIRE_ZONE = 0x15, 0x28


class RecordingLink:
    """What the runtime would see of a session."""

    device = "hall"
    settings = IeeeSettings(DOOR)

    def __init__(self) -> None:
        self.log: list[Any] = []

    def ready(self) -> None:
        self.log.append("ready")

    def alive(self) -> None:
        self.log.append("alive")

    def about(self, said: Mapping[str, str]) -> None:
        self.log.append(said)

    def emit(self, value: Measurement, mono_s: float) -> None:
        self.log.append((value, mono_s))

    async def orders(self) -> AsyncIterator[Order]:
        raise AssertionError("a sensor takes no orders")
        yield

    def kinds(self) -> list[tuple[BinaryKind, bool]]:
        return [(entry[0].kind, entry[0].active) for entry in self.log
                if isinstance(entry, tuple) and isinstance(entry[0], Binary)]


def levels(bits: int, kind: BinaryKind) -> list[Binary]:
    return [value for value in Zone(kind).read(ZoneStatus(1.0, bits)) if isinstance(value, Binary)]


def active(bits: int, kind: BinaryKind) -> set[BinaryKind]:
    return {value.kind for value in levels(bits, kind) if value.active}


@pytest.mark.parametrize(("bits", "kinds"), [
    (0x0000, set()),
    (0x0001, {BinaryKind.SMOKE}),
    (0x0002, {BinaryKind.SMOKE}),
    (0x0004, {BinaryKind.TAMPER}),
    (0x0008, {BinaryKind.BATTERY_LOW}),
    (0x0030, set()),  # it only says that it reports periodically and restores
    (0x0040, {BinaryKind.FAULT}),
    (0x0080, {BinaryKind.FAULT}),
    (0x0100, {BinaryKind.TEST}),
    (0x0101, {BinaryKind.TEST}),
    (0x0200, {BinaryKind.FAULT}),
    (0x0009, {BinaryKind.SMOKE, BinaryKind.BATTERY_LOW}),
])
def test_each_bit_of_a_smoke_alarm_has_its_meaning(bits: int, kinds: set[BinaryKind]) -> None:
    assert active(bits, BinaryKind.SMOKE) == kinds


def test_a_door_is_open_in_test_mode_too() -> None:
    assert active(0x0101, BinaryKind.CONTACT) == {BinaryKind.CONTACT, BinaryKind.TEST}


@given(st.integers(0, 0xFFFF), st.sampled_from([BinaryKind.CONTACT, BinaryKind.SMOKE]))
def test_every_status_tells_every_level_once(bits: int, kind: BinaryKind) -> None:
    kinds = [value.kind for value in levels(bits, kind)]
    assert kinds[0] is kind
    assert set(kinds) == {kind, BinaryKind.TEST, BinaryKind.TAMPER, BinaryKind.BATTERY_LOW, BinaryKind.FAULT}
    assert len(kinds) == 5


@given(st.integers(0, 0xFFFF))
def test_no_test_is_ever_told_as_smoke(bits: int) -> None:
    assert BinaryKind.SMOKE not in active(bits | 0x0100, BinaryKind.SMOKE)


@given(st.integers(0, 0xFFFF))
def test_an_alarm_is_smoke_whatever_else_is_set_but_the_test(bits: int) -> None:
    assert BinaryKind.SMOKE in active((bits | 0x0001) & ~0x0100, BinaryKind.SMOKE)


@pytest.mark.parametrize(("value", "expected"), [
    (200, [Quantity(QuantityKind.BATTERY, 100.0)]),
    (77, [Quantity(QuantityKind.BATTERY, 38.5)]),
    (0, [Quantity(QuantityKind.BATTERY, 0.0)]),
    (201, [Quantity(QuantityKind.BATTERY, 100.5, plausible=False)]),
    (0xFF, []),
    ("full", []),
])
def test_a_battery_is_told_in_percent(value: int | str, expected: list[Quantity]) -> None:
    assert list(BATTERY.read(Attribute(1.0, 1, 0x0001, 0x0021, value))) == expected


def test_an_attribute_of_another_cluster_is_no_battery() -> None:
    assert not BATTERY.read(Attribute(1.0, 1, 0x0402, 0x0021, 80))


async def session(driver: AnyDriver, port: FakeZigbeePort) -> RecordingLink:
    """Run one session to the loss of its port."""
    link = RecordingLink()
    port.lose()
    with pytest.raises(LinkLost):
        async with asyncio.timeout(5.0):
            await driver.run(link, port)
    return link


async def test_the_first_status_tells_every_level_and_later_ones_the_changes() -> None:
    port = FakeZigbeePort(zone_type=CONTACT_ZONE)
    for at, bits in ((1.0, 0), (2.0, 1), (3.0, 1), (4.0, 9), (5.0, 0)):
        port.say(ZoneStatus(at, bits))
    link = await session(CONTACT, port)
    assert link.log[0] == "ready"
    assert link.kinds() == [
        (BinaryKind.CONTACT, False), (BinaryKind.TEST, False), (BinaryKind.TAMPER, False),
        (BinaryKind.BATTERY_LOW, False), (BinaryKind.FAULT, False),
        (BinaryKind.CONTACT, True), (BinaryKind.BATTERY_LOW, True),
        (BinaryKind.CONTACT, False), (BinaryKind.BATTERY_LOW, False),
    ]
    assert link.log.count("alive") == 1  # the status that changed nothing
    assert link.log[-1][1] == 5.0


async def test_whatever_a_device_says_is_a_sign_of_life() -> None:
    port = FakeZigbeePort(model="SmokeSensor-EM", zone_type=FIRE_ZONE)
    port.say(ZclCommand(1.0, 1, 0x0020, 0x00, b""))  # a poll control check-in
    port.say(Attribute(2.0, 1, 0x0001, 0x0021, 0xFF))
    assert (await session(SMOKE, port)).log == ["ready", "alive", "alive"]


@pytest.mark.parametrize(("driver", "zone_type", "words"), [
    (SMOKE, CONTACT_ZONE, "ACME X is a contact, not a smoke alarm"),
    (CONTACT, FIRE_ZONE, "ACME X is a smoke alarm, not a contact"),
    (CONTACT, 0x0225, "a zone of type 0x0225"),
    (SMOKE, None, "no IAS Zone sensor"),
])
async def test_the_wrong_sensor_is_rejected_with_a_cure(driver: AnyDriver, zone_type: int | None, words: str) -> None:
    link = RecordingLink()
    with pytest.raises(DeviceRejected, match=words) as rejected:
        await driver.run(link, FakeZigbeePort("ACME", "X", zone_type))
    assert "anju devices add" in rejected.value.cure
    assert link.log == []


@pytest.mark.parametrize("ieee", ["00:15:8d:00:01:02:03", "00158d0001020304", "zz:15:8d:00:01:02:03:04", ""])
def test_an_address_that_is_none_is_refused_by_the_configuration(ieee: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"ieee": ieee}, IeeeSettings)


async def test_the_driver_on_the_emulated_smoke_alarm(home: Path) -> None:
    async with stick(home) as one, running(home) as bus, opened(bus, SMOKE_IEEE) as port:
        link = RecordingLink()
        running_session = asyncio.create_task(SMOKE.run(link, port))
        for bits, wanted in ((0x0101, (BinaryKind.TEST, True)), (0x0001, (BinaryKind.SMOKE, True)),
                             (0x0000, (BinaryKind.SMOKE, False))):
            await one("zone", ieee=SMOKE_IEEE, bits=bits)
            async with asyncio.timeout(5.0):
                while wanted not in link.kinds():
                    await asyncio.sleep(0.01)
        assert link.kinds().count((BinaryKind.SMOKE, True)) == 1
        running_session.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running_session
