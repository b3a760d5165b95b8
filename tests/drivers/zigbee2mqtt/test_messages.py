"""What Zigbee2MQTT publishes is read as documented; whatever else comes is told as malformed."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee2mqtt.bus import Zigbee2MqttBus
from drivers.bus.zigbee2mqtt.messages import (
    MalformedMessage,
    age_s,
    decode_devices,
    decode_online,
    decode_state,
)
from gateway.spi.exposed import Exposed

JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
NAMES = st.sampled_from(["bridge/state", "bridge/devices", "smoke", "smoke/availability", "a/b", "bridge/info", ""])

DOOR = {"ieee_address": "0x00158D0001020304", "type": "EndDevice", "friendly_name": "door", "disabled": False,
        "definition": {"vendor": "SONOFF", "model": "SNZB-04P", "exposes": [
            {"type": "binary", "property": "contact", "value_on": False, "value_off": True},
            {"type": "numeric", "property": "battery", "unit": "%"},
            {"type": "enum", "property": "action", "values": ["single", 7, "double"]},
            {"type": "switch", "features": [
                {"type": "binary", "property": "state", "value_on": "ON", "value_off": "OFF"}]},
            {"type": "composite", "property": "warning", "features": [{"type": "binary", "property": "strobe"}]}, 7]}}


def test_a_device_is_listed_with_what_it_exposes() -> None:
    listed = decode_devices(json.dumps([{"type": "Coordinator", "ieee_address": "0x00"}, DOOR, 3, {}]).encode())
    assert list(listed) == ["0x00158d0001020304"]
    door = listed["0x00158d0001020304"]
    assert (door.name, door.manufacturer, door.model, door.problem) == ("door", "SONOFF", "SNZB-04P", "")
    assert door.exposes == {"contact": Exposed(False, True), "battery": Exposed(unit="%"),
                            "action": Exposed(choices=("single", "double")), "state": Exposed("ON", "OFF")}


@pytest.mark.parametrize(("changed", "problem"), [
    ({"disabled": True}, "it is disabled in Zigbee2MQTT"),
    ({"definition": None}, "Zigbee2MQTT does not know what it means (unsupported, or still being interviewed)")])
def test_a_device_that_cannot_be_used_says_why(changed: dict[str, object], problem: str) -> None:
    (door,) = decode_devices(json.dumps([DOOR | changed]).encode()).values()
    assert (door.problem, bool(door.cure)) == (problem, True)


@pytest.mark.parametrize(("payload", "online"), [
    (b"online", True), (b"offline", False), (b'{"state": "online"}', True), (b'{"state":"offline"}', False),
    (b'"online"', True)])
def test_both_forms_of_availability_are_read(payload: bytes, online: bool) -> None:
    assert decode_online(payload) is online


@pytest.mark.parametrize("payload", [b"", b"on", b"{}", b'{"state": true}', b"{", b"\xff", b'["online"]'])
def test_what_is_neither_online_nor_offline_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_online(payload)


NOW_S = 1_795_000_000.0


@pytest.mark.parametrize(("seen", "age"), [
    ("2026-11-18T11:05:40Z", 60.0), ("2026-11-18T19:05:40+08:00", 60.0), ((NOW_S - 60) * 1000, 60.0),
    ((NOW_S + 60) * 1000, 0.0), ("1970-01-01T00:00:10Z", None), ("yesterday", None), (None, None), (True, None),
    ([], None), (1e300, 0.0)])
def test_last_seen_is_an_age_where_its_clock_can_be_right(seen: object, age: float | None) -> None:
    assert age_s({"last_seen": seen}, NOW_S) == (None if age is None else pytest.approx(age, abs=1.0))


def test_a_message_that_is_no_object_or_endless_is_malformed() -> None:
    for payload in (b"[]", b"7", b"{", b"\xff", b"[" * 10000, b'{"a": "' + b"x" * 70000 + b'"}', b"NaN"):
        with pytest.raises(MalformedMessage):
            decode_state(payload)


@given(messages=st.lists(st.tuples(NAMES, st.binary(max_size=60) | JSON.map(lambda one: json.dumps(one).encode()),
                                   st.booleans()), max_size=12))
def test_no_bytes_on_any_topic_end_the_bus(messages: list[tuple[str, bytes, bool]]) -> None:
    bus = Zigbee2MqttBus("localhost", 1883, "zigbee2mqtt", None, None, time.monotonic)
    for name, payload, retained in messages:
        bus.hear(f"zigbee2mqtt/{name}", payload, retained=retained)
    assert bus.health()["messages"] == len(messages)


@given(entry=st.dictionaries(st.sampled_from([*DOOR]), JSON), exposes=JSON)
def test_any_list_of_devices_is_read_or_malformed(entry: dict[str, object], exposes: object) -> None:
    payload = json.dumps([DOOR | entry, DOOR | {"definition": {"exposes": exposes}}]).encode()
    try:
        listed = decode_devices(payload)
    except MalformedMessage:
        return  # NaN is no JSON
    assert all(one.ieee and one.name for one in listed.values())
