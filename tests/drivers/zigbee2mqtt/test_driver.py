"""What the messages of a device mean: levels, presses, numbers; what is old, repeated or a test is no alarm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee2mqtt.messages import MalformedMessage, decode_state
from drivers.devices.zigbee2mqtt import BINARIES, REPEAT_S, TEST_S, Reader, Zigbee2MqttSettings
from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind
from gateway.spi.exposed import Exposed, Told
from tests.drivers.zigbee2mqtt.kit import IEEE
from tests.drivers.zigbee2mqtt.test_messages import JSON

ON_OFF = Exposed(True, False)
SOS = Press(Button.SOS)


def reader(*names: str, exposes: dict[str, Exposed] | None = None, **settings: Any) -> Reader:
    return Reader(dict.fromkeys(names, ON_OFF) | (exposes or {}), Zigbee2MqttSettings(ieee=IEEE, **settings))


def says(one: Reader, at_s: float = 100.0, *, kept: bool = False, echo: bool = False, age_s: float | None = None,
         **values: Any) -> list[Measurement]:
    return one.read(Told(at_s, values, kept, echo, age_s))


@pytest.mark.parametrize(("name", "kind"), BINARIES.items())
def test_each_two_state_value_of_the_table_is_told_when_it_changes(name: str, kind: BinaryKind) -> None:
    one = reader(name)
    assert says(one, **{name: True}) == [Binary(kind, active=True)]
    assert says(one, **{name: True}) == []
    assert says(one, **{name: False}) == [Binary(kind, active=False)]


@pytest.mark.parametrize("value", [None, 1, 0, "true", "ON", [], {}, 1.0])
def test_a_value_that_is_neither_of_the_two_that_were_exposed_says_nothing(value: object) -> None:
    assert says(reader("smoke"), smoke=value) == []


def test_what_a_device_does_not_expose_means_nothing() -> None:
    assert says(reader("battery_low"), smoke=True, sos=True) == []


def test_an_action_is_a_press_each_time_and_an_old_or_unknown_one_is_none() -> None:
    one = reader(exposes={"action": Exposed(choices=("emergency", "single"))})
    assert says(one, action="emergency") == says(one, action="emergency") == [SOS]
    for values in ({"action": ""}, {"action": None}, {"action": "single"}, {"action": ["emergency"]}):
        assert says(one, **values) == []
    assert says(one, kept=True, action="emergency") == []


def test_presses_of_the_settings_give_an_action_its_meaning() -> None:
    scene = {"action": Exposed(choices=("single", "hold"))}
    assert not reader(exposes=scene).means_anything
    one = reader(exposes=scene, presses={"single": Button.SERVICE, "hold": Button.SOS})
    assert one.means_anything
    assert (says(one, action="single"), says(one, action="hold")) == ([Press(Button.SERVICE)], [SOS])


def test_kinds_of_the_settings_say_what_else_a_value_watches() -> None:
    one = reader("occupancy", "vibration", kinds={"occupancy": BinaryKind.BED, "vibration": BinaryKind.BED})
    assert says(one, occupancy=True, vibration=False) == [Binary(BinaryKind.BED, active=True)]
    assert says(one, occupancy=False, vibration=True) == []
    assert says(one, vibration=False) == [Binary(BinaryKind.BED, active=False)]


def test_a_level_that_means_a_press_is_one_when_it_goes_up() -> None:
    one = reader("sos")
    assert [says(one, at_s, sos=level) for at_s, level in ((0.0, False), (1.0, True), (2.0, False), (3.0, True))] == [
        [], [SOS], [], [SOS]]


def test_a_button_without_restore_is_pressed_again_when_nothing_else_explains_its_message() -> None:
    one = reader("sos", exposes={"battery": Exposed(unit="%")})
    says(one, 0.0, sos=True, battery=80, linkquality=100)
    assert says(one, REPEAT_S - 1, sos=True, battery=80, linkquality=90) == []  # the radio's repeat
    assert says(one, REPEAT_S + 1, sos=True, battery=80, linkquality=80) == [SOS]
    assert says(one, 60.0, sos=True, battery=79) == [Quantity(QuantityKind.BATTERY, 79.0)]
    assert says(one, 120.0, echo=True, sos=True, battery=79) == []
    assert says(one, 180.0, kept=True, sos=True, battery=79) == []


def test_a_smoke_alarm_under_test_tells_of_the_test_and_of_no_fire() -> None:
    one = reader("smoke", "test")
    assert says(one, smoke=True, test=True) == [Binary(BinaryKind.SMOKE, active=False),
                                                Binary(BinaryKind.TEST, active=True)]
    assert says(one, smoke=True, test=False) == [Binary(BinaryKind.SMOKE, active=True),
                                                 Binary(BinaryKind.TEST, active=False)]


def test_a_test_that_never_ends_hides_no_fire() -> None:
    one = reader("smoke", "test")
    says(one, 0.0, smoke=False, test=True)
    assert says(one, TEST_S + 1, smoke=True, test=True) == [Binary(BinaryKind.SMOKE, active=True)]


def test_a_test_that_was_kept_is_over() -> None:
    assert says(reader("test"), kept=True, test=True) == []


@pytest.mark.parametrize(("name", "unit", "value", "expected"), [
    ("battery", "%", 101, Quantity(QuantityKind.BATTERY, 101.0, plausible=False)),
    ("temperature", "°C", -41, Quantity(QuantityKind.TEMPERATURE, -41.0, plausible=False)),
    ("humidity", "%", 55.5, Quantity(QuantityKind.HUMIDITY, 55.5)),
    ("power", "W", 0, Quantity(QuantityKind.POWER, 0.0)), ("energy", "kWh", 3.5, Quantity(QuantityKind.ENERGY, 3.5))])
def test_numbers_are_told_in_their_unit_and_marked_where_they_cannot_be(
        name: str, unit: str, value: float, expected: Quantity) -> None:
    assert says(reader(exposes={name: Exposed(unit=unit)}), **{name: value}) == [expected]


def test_a_number_in_another_unit_or_that_is_none_says_nothing() -> None:
    assert says(reader(exposes={"power": Exposed(unit="kW")}), power=1.8) == []
    for value in ("5", True, None, 10**400, float("inf"), float("nan")):
        assert says(reader(exposes={"power": Exposed(unit="W")}), power=value) == []


def test_an_old_number_keeps_its_age() -> None:
    one = reader(exposes={"battery": Exposed(unit="%")})
    assert says(one, kept=True, age_s=3600.0, battery=50) == [Quantity(QuantityKind.BATTERY, 50.0, age_s=3600.0)]


EVERYTHING = dict.fromkeys([*BINARIES, "sos", "emergency"], ON_OFF) | {
    "action": Exposed(choices=("emergency",)), "power": Exposed(unit="W"), "battery": Exposed(unit="%")}


@given(messages=st.lists(st.binary(max_size=80) | JSON.map(lambda one: json.dumps(one).encode()) | st.dictionaries(
    st.sampled_from([*EVERYTHING]), JSON.filter(lambda one: not isinstance(one, bool) and one != "emergency"),
).map(lambda one: json.dumps(one).encode()), max_size=10))
def test_no_payload_that_is_not_an_alarm_is_one(messages: list[bytes]) -> None:
    one = reader(exposes=EVERYTHING)
    for payload in messages:
        try:
            values = decode_state(payload)
        except MalformedMessage:
            continue
        said = one.read(Told(100.0, values))
        assert not [value for value in said if isinstance(value, Press) or (isinstance(value, Binary) and value.active)]
