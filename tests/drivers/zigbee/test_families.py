"""Families of Zigbee devices without a radio: what is odd about each, their heartbeats, and any bytes from the air."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee.zcl import MalformedFrame, decode
from drivers.devices import ias, lumi, occupancy, plug, scene_button, siren, tuya
from drivers.devices.zigbee_models import Setup, driver_of, setup_of
from drivers.devices.zigbee_rules import BATTERY, CLIMATE, meaning
from drivers.testkit import virtual_time
from drivers.testkit.link import RecordedLink
from drivers.testkit.zigbee import FakeZigbeePort
from gateway.config import Device
from gateway.model.light import LightPattern
from gateway.model.reading import Binary, BinaryKind, Button, Press, Quantity, QuantityKind
from gateway.runtime.session import Sessions
from gateway.spi import Attribute, DeviceRejected, Light, LinkLost, ZclCommand, ZoneStatus
from gateway.spi.driver import AnyDriver
from hil.devices.zigbee.profiles import PROFILES
from tests.drivers.zigbee.test_table import DRIVERS
from tests.unit.runtime.kit import Sink, means

IEEE = "00:15:8d:00:01:02:03:04"
PRODUCT_OF = {driver_of(one.manufacturer, one.model): (one.manufacturer, one.model) for one in PROFILES.values()}
SMOKE_DP = bytes.fromhex("0011 01 04 0001 00")  # a recorded report: datapoint 1 is 0, which is ALARM
RULES = (*tuya.SMOKE_RULES, *siren.NEO_RULES, *occupancy.FDS315_RULES, *occupancy.HS2FD_RULES, *scene_button.RULES,
         *CLIMATE, BATTERY, lumi.LUMI_BATTERY, ias.Zone(BinaryKind.SMOKE), ias.ZonePress())


def settings_of(driver: AnyDriver, **more: Any) -> Any:
    return msgspec.convert({"ieee": IEEE} | more, driver.settings)


def played(driver: AnyDriver, tell: Callable[[FakeZigbeePort, RecordedLink[Any]], Awaitable[None]],
           **more: Any) -> tuple[RecordedLink[Any], FakeZigbeePort]:
    """Run one session of a driver's own product in virtual time."""
    link, port = RecordedLink(settings_of(driver, **more)), FakeZigbeePort(*PRODUCT_OF[driver.name])

    async def main() -> None:
        session = asyncio.ensure_future(driver.run(link, port))
        await link.is_ready.wait()
        await tell(port, link)
        port.lose()
        with pytest.raises(LinkLost):
            await session

    virtual_time.run(main())
    return link, port


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_a_device_that_is_silent_past_the_deadline_of_its_class_is_told_as_silent(name: str) -> None:
    driver, sink = DRIVERS[name], Sink()
    assert driver.silence_s is not None
    port = FakeZigbeePort(*PRODUCT_OF[name])
    port.deaf = True

    class Bus:
        @asynccontextmanager
        async def open(self, device: str, settings: Any) -> AsyncIterator[FakeZigbeePort]:
            yield port

    async def main() -> None:
        device = Device(name="one", driver=name, settings=settings_of(driver))
        sessions = asyncio.ensure_future(Sessions(device, driver, Bus(), means(sink)).run())  # type: ignore[arg-type]
        await asyncio.sleep(driver.silence_s - 1)
        assert sink.states("one")[-1] == "up"
        await asyncio.sleep(2)
        assert sink.states("one")[-1] == "silent"
        port.say(Attribute(0.0, 1, 0, 0, 3))
        await asyncio.sleep(60)
        assert sink.states("one")[-1] == "up"
        sessions.cancel()
        await asyncio.gather(sessions, return_exceptions=True)

    virtual_time.run(main())


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_only_devices_on_mains_power_are_ever_asked(name: str) -> None:
    async def hours(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        await asyncio.sleep(7200)

    _, port = played(DRIVERS[name], hours)
    mains = {"ias-gas", "ias-siren", "zigbee-presence", "fds315", "hs2fd", "zigbee-plug"}
    assert bool(port.asked) == (name in mains)


@pytest.mark.parametrize(("name", "state", "every"), [
    ("ias-gas", (0x0500, (0x0002,)), True), ("zigbee-presence", (0x0406, (0x0000,)), True),
    ("fds315", (0xFD00, (0x0000,)), False), ("hs2fd", (0x0406, (0x0000,)), False)])
def test_a_device_on_mains_power_is_asked_for_its_state_when_a_session_begins(
        name: str, state: tuple[int, tuple[int, ...]], every: bool) -> None:
    async def hour(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        await asyncio.sleep(1.0)
        assert state in port.asked
        await asyncio.sleep(3600)

    _, port = played(DRIVERS[name], hour)
    assert (port.asked.count(state) > 1) == every  # a fall that is told again would be an alarm again


@pytest.mark.parametrize(("name", "clear_s"), [("ias-motion", 300.0), ("lumi-motion", 90.0)])
def test_a_motion_ends_by_itself_where_the_sensor_does_not_say_so(name: str, clear_s: float) -> None:
    said = ZoneStatus(1.0, 1) if name == "ias-motion" else Attribute(1.0, 1, 0x0406, 0, 1)

    async def move_twice(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        port.say(said)
        await asyncio.sleep(clear_s - 1)
        port.say(msgspec.structs.replace(said, mono_s=clear_s))
        await asyncio.sleep(clear_s - 1)
        assert Binary(BinaryKind.MOTION, False) not in link.values
        await asyncio.sleep(2)

    link, _ = played(DRIVERS[name], move_twice)
    motions = [(at, value) for at, value in link.said if isinstance(value, Binary) and value.kind is BinaryKind.MOTION]
    assert motions == [(1.0, Binary(BinaryKind.MOTION, True)), (2 * clear_s, Binary(BinaryKind.MOTION, False))]


def test_a_press_is_a_notification_and_neither_its_echo_nor_a_level_read_back() -> None:
    async def press(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        for message in (ZoneStatus(1.0, 1), ZoneStatus(2.0, 1, news=False), ZoneStatus(3.0, 2), ZoneStatus(4.0, 0x101)):
            port.say(message)
        await asyncio.sleep(1)

    link, _ = played(ias.SOS, press)
    assert [at for at, value in link.said if value == Press(Button.SOS)] == [1.0, 3.0]
    assert (4.0, Binary(BinaryKind.TEST, True)) in link.said


@pytest.mark.parametrize("kind", [BinaryKind.SMOKE, BinaryKind.CO, BinaryKind.GAS, BinaryKind.WATER])
def test_an_alarms_test_button_is_a_test_and_no_alarm(kind: BinaryKind) -> None:
    told = ias.Zone(kind).read(ZoneStatus(1.0, 0x0101))
    assert Binary(kind, False) in told
    assert Binary(BinaryKind.TEST, True) in told


def test_a_test_that_never_ends_hides_no_fire_and_no_call() -> None:
    smoke, button = ias.Zone(BinaryKind.SMOKE), ias.ZonePress()
    for mono_s, told in ((0.0, False), (ias.TEST_S, False), (ias.TEST_S + 1, True)):
        assert Binary(BinaryKind.SMOKE, told) in smoke.read(ZoneStatus(mono_s, 0x0101))
        assert (Press(Button.SOS) in button.read(ZoneStatus(mono_s, 0x0101))) == told
    smoke.read(ZoneStatus(ias.TEST_S + 2, 0x0000))
    assert Binary(BinaryKind.SMOKE, False) in smoke.read(ZoneStatus(ias.TEST_S + 3, 0x0101))  # a new test
    assert Binary(BinaryKind.SMOKE, True) in smoke.read(ZoneStatus(ias.TEST_S + 4, 0x0001))  # smoke at once after it


def test_a_mat_wired_the_other_way_says_occupied_when_its_alarm_ends() -> None:
    async def rise(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        port.say(ZoneStatus(1.0, 0))
        port.say(ZoneStatus(2.0, 1))
        await asyncio.sleep(1)

    link, _ = played(ias.BED, rise, occupied_when_alarm=False)
    beds = [value.active for value in link.values if isinstance(value, Binary) and value.kind is BinaryKind.BED]
    assert beds == [True, False]


def test_a_mat_on_the_terminals_of_a_plain_contact_is_a_bed_where_that_is_configured() -> None:
    async def main() -> None:
        link, port = RecordedLink(settings_of(ias.BED)), FakeZigbeePort(*PRODUCT_OF["ias-contact"], 0x15)
        port.say(ZoneStatus(1.0, 1))
        port.lose()
        with pytest.raises(LinkLost):
            await ias.BED.run(link, port)
        assert Binary(BinaryKind.BED, True) in link.values

    virtual_time.run(main())


def test_tuyas_datapoint_1_of_value_0_is_smoke() -> None:
    raw = bytes.fromhex("09 39 02") + SMOKE_DP
    assert meaning(decode(1.0, 1, 0xEF00, raw)[0], tuya.SMOKE_RULES) == [Binary(BinaryKind.SMOKE, True)]
    cleared = ZclCommand(1.0, 1, 0xEF00, 2, SMOKE_DP[:-1] + b"\x01")
    assert meaning(cleared, tuya.SMOKE_RULES) == [Binary(BinaryKind.SMOKE, False)]


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.integers(0, 0xFFFFFFFF))
def test_a_datapoint_that_is_set_is_read_back(sequence: int, number: int, value: int) -> None:
    payload = tuya.setting(sequence, number, tuya.VALUE, value)
    assert list(tuya.points(payload)) == [tuya.Point(number, value)]


def test_a_lumi_report_is_read_through_its_zeros() -> None:
    blob = bytes.fromhex("0121 000b 0328 00 0421 0000")
    (message,) = decode(1.0, 1, 0, bytes((0x1C, 0x5F, 0x11, 7, 0x0A, 0x01, 0xFF, 0x42, len(blob))) + blob)
    assert isinstance(message, Attribute)
    assert message.value == blob
    assert list(lumi.LUMI_BATTERY.read(message)) == [Quantity(QuantityKind.BATTERY, 0.0)]  # 2816 mV


def test_a_plug_that_reports_is_not_asked_and_one_that_does_not_is() -> None:
    async def report(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        port.say(Attribute(1.0, 1, 0x0B04, 0x0605, 10))
        for _ in range(6):
            port.say(Attribute(2.0, 1, 0x0B04, 0x050B, 605))
            await asyncio.sleep(25)
        assert len(port.asked) == 4  # the scales, and the powers once
        await asyncio.sleep(120)
        assert len(port.asked) > 4

    link, port = played(plug.PLUG, report, poll_s=30)
    assert set(link.values) == {Quantity(QuantityKind.POWER, 60.5)}
    first = [cluster for cluster, attributes in port.asked[:4]]
    assert first == [0x0B04, 0x0702, 0x0B04, 0x0702]  # the scales, then the powers


@pytest.mark.parametrize(("cluster", "attribute", "value"), [(0x0B04, 0x050B, -0x8000), (0x0702, 0x0400, -0x800000)])
def test_a_power_that_the_meter_calls_invalid_is_not_told(cluster: int, attribute: int, value: int) -> None:
    assert not plug.Meter().read(Attribute(1.0, 1, cluster, attribute, value))


def test_a_siren_that_did_not_hear_is_told_again_and_one_that_sounds_before_it_ends() -> None:
    async def alarm(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        port.deaf = True
        link.order(Light(LightPattern.FAST))
        await asyncio.sleep(5)
        assert port.told == []
        port.deaf = False
        await asyncio.sleep(3)
        assert port.told == [(0x0502, 0, siren.warning(True, 100))]
        await asyncio.sleep(80)
        assert len(port.told) == 2
        link.order(Light(LightPattern.STEADY))
        await asyncio.sleep(1000)
        assert port.told[2:] == [(0x0502, 0, siren.warning(False, 100))]

    played(siren.IAS, alarm, sound_s=100)


def test_a_siren_that_an_earlier_session_left_sounding_is_told_to_stop() -> None:
    async def over(port: FakeZigbeePort, link: RecordedLink[Any]) -> None:
        link.order(Light(LightPattern.STEADY))
        await asyncio.sleep(1000)
        assert port.told == [(0x0502, 0, siren.warning(False, 100))]

    played(siren.IAS, over, sound_s=100)


@pytest.mark.parametrize("name", sorted(DRIVERS))
async def test_a_product_of_another_driver_is_refused_with_a_cure(name: str) -> None:
    other = "ias-water" if name != "ias-water" else "ias-contact"
    port = FakeZigbeePort(*PRODUCT_OF[other], 0x2A)
    with pytest.raises(DeviceRejected, match=other) as refused:
        await DRIVERS[name].run(RecordedLink(settings_of(DRIVERS[name])), port)
    assert "anju devices add" in refused.value.cure


def test_products_are_known_by_name_before_their_zone() -> None:
    assert driver_of("HEIMAN", "GASSensor-N", 0x2B) == "ias-gas"
    assert driver_of("nobody", "unknown", 0x2B) is None  # gas or carbon monoxide: the technician says which
    assert driver_of("_TZ3000_pjb1ua0m", "TS0203", 0x15) == "ias-bed"
    assert driver_of("_TZ3000_other", "TS0203", 0x15) == "ias-contact"
    assert driver_of("nobody", "unknown", 0x28) == "ias-smoke"
    assert setup_of("_TZE200_unknown", "TS0601") is Setup.SPELL
    assert setup_of("LUMI", "lumi.unknown") is Setup.OWN_RHYTHM


MESSAGES = st.one_of(
    st.builds(ZoneStatus, st.just(1.0), st.integers(0, 0xFFFF), st.booleans()),
    st.builds(Attribute, st.just(1.0), st.integers(1, 240),
              st.sampled_from([0, 1, 6, 0x0402, 0x0406, 0x0702, 0x0B04, 0xFCC0, 0xFD00]),
              st.sampled_from([0, 2, 0x21, 0x0400, 0x050B, 0xF7, 0xFF01]),
              st.one_of(st.integers(-2**63, 2**64), st.floats(), st.binary(max_size=60), st.text(max_size=9),
                        st.booleans())),
    st.builds(ZclCommand, st.just(1.0), st.integers(1, 240), st.sampled_from([5, 6, 8, 0x0501, 0xEF00]),
              st.integers(0, 255), st.binary(max_size=80)))


@given(MESSAGES)
def test_no_message_makes_any_rule_stumble(message: Any) -> None:
    for value in [*meaning(message, RULES), *plug.Meter().read(message)]:
        assert not isinstance(value, Quantity) or value.value == value.value  # never "no number"


CAPTURES = [(0xEF00, bytes.fromhex("093902") + SMOKE_DP), (0x0500, bytes.fromhex("09 07 00 0101 00 17 0000")),
            (0x0000, bytes.fromhex("1c5f11070a01ff42 0a 0121 7d0b 0328 17 0421 0000")),
            (0x0B04, bytes.fromhex("18070a 0b0529 4907")), (0x0406, bytes.fromhex("18070a 0000 18 21"))]


@pytest.mark.parametrize(("cluster", "frame"), CAPTURES)
def test_a_mutated_capture_is_malformed_or_means_something_but_never_stops_a_driver(cluster: int, frame: bytes) -> None:
    dice = random.Random(cluster)
    for _ in range(2000):
        raw = bytearray(frame)
        for _ in range(dice.randint(1, 3)):
            match dice.randrange(3):
                case 0:
                    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
                case 1:
                    del raw[max(1, dice.randrange(len(raw))):]
                case _:
                    raw.insert(dice.randrange(len(raw)), dice.randrange(256))
        try:
            messages = decode(1.0, 1, cluster, bytes(raw))
        except MalformedFrame:
            continue
        for message in messages:
            meaning(message, RULES)
