"""The configuration: every mistake is told with file, key and cure, all of them at once."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from gateway.app.settings import people
from gateway.config import ConfigError, Detect, load, parse, salvage
from gateway.detect.vitals.limits import DEFAULTS, NOBODY, Limit
from gateway.model.reading import QuantityKind

PATH = Path("/etc/anju/anju.toml")


class Bracelet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    rate_hz: Literal[26, 52] = 52


class Ble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    adapter: str = "hci0"


class Zigbee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: str


class Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ieee: str


DRIVERS: dict[str, tuple[str, type[msgspec.Struct]]] = {"polar": ("ble", Bracelet), "ias-contact": ("zigbee", Door)}
BUSES: dict[str, type[msgspec.Struct]] = {"ble": Ble, "zigbee": Zigbee}

GOOD = """
[gateway]
id = "cq-0001"
[city]
host = "city.example"
[devices.wrist]
driver = "polar"
room = "bedroom"
address = "C0:11:22:33:44:55"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, PATH, DRIVERS, BUSES)
    assert all(line.startswith(f"{PATH}: ") for line in str(caught.value).splitlines())
    return caught.value.problems


def test_a_good_file_gives_typed_values_and_the_buses_that_its_devices_need() -> None:
    config = parse(GOOD, PATH, DRIVERS, BUSES)
    assert config.devices["wrist"].settings == Bracelet("C0:11:22:33:44:55", 52)
    assert config.devices["wrist"].room == "bedroom"
    assert config.buses == {"ble": Ble()}
    assert config.city.port == 8883
    assert config.city.tls


@pytest.mark.parametrize(("change", "expected"), [
    (("host =", "hots ="), "city.hots: unknown key 'hots': did you mean host?"),
    (("city.example", ""), 'city.host: expected a host name, got "": write for example "care.example"'),
    (("city.example", "mqtts://city.example"),
     'city.host: expected a host name, got "mqtts://city.example": write for example "care.example"'),
    (("driver = \"polar\"", "driver = [1]"),
     "devices.wrist.driver: unknown driver '[1]': known are ias-contact, polar"),
    (("driver = \"polar\"", "driver = \"pola\""), "devices.wrist.driver: unknown driver 'pola': did you mean polar?"),
    (("address", "adress"), "devices.wrist.adress: unknown key 'adress': did you mean address?"),
    (("[city]", "[city]\nport = 99999"), "city.port: cannot be 99999: write a whole number from 1 to 65535"),
    (("[city]", "[city]\nport = \"8883\""), 'city.port: cannot be "8883": write a whole number from 1 to 65535'),
    (("id = \"cq-0001\"", ""), 'gateway.id: missing: add it under [gateway], for example id = "cq-0001"'),
    (("driver = \"polar\"", ""), "devices.wrist.driver: missing: name one of ias-contact, polar"),
    (("room = \"bedroom\"", "rate_hz = 50"), "devices.wrist.rate_hz: cannot be 50: write one of 26, 52"),
    (("[city]", "[detect]\ninactivity_h = 0\n[city]"),
     "detect.inactivity_h: cannot be 0: write a number above 0"),
    (("id = \"cq-0001\"", "id = \"cq-0001\"\ntime_zone = \"Asia/Chongqin\""),
     'gateway.time_zone: no time zone \'Asia/Chongqin\' is known here: write an IANA name, '
     'for example "Asia/Shanghai"'),
    (("id = \"cq-0001\"", "id = \"cq-0001\"\ntime_zone = \"../etc/passwd\""),
     'gateway.time_zone: no time zone \'../etc/passwd\' is known here: write an IANA name, '
     'for example "Asia/Shanghai"'),
    (("[city]", "[detect]\nnight = \"22-6\"\n[city]"),
     'detect.night: expected two times of day, got "22-6": write for example "22:30-06:30"'),
    (("[city]", "[detect.left_on_min]\nwrits = 30\n[city]"),
     "detect.left_on_min.writs: unknown device 'writs': did you mean wrist?"),
    (("[city]", "[cloud]\n[city]"), "cloud: unknown key 'cloud': did you mean voice?"),
    (("[city]", "[bus.bel]\n[city]"), "bus.bel: unknown bus 'bel': did you mean ble?"),
    (("[devices.wrist]", "[devices.\"My Wrist!\"]"),
     'devices.My Wrist!.name: expected a name of up to 32 lower case letters, digits, - and _, got "My Wrist!": '
     'write for example "front-door"'),
])
def test_a_mistake_is_told_with_key_and_cure(change: tuple[str, str], expected: str) -> None:
    told = problems(GOOD.replace(*change))
    key = expected.split(":")[0]
    assert any(line.split(":")[0] == key for line in told), told
    if "cloud" not in key:
        assert expected in told


def test_all_mistakes_are_told_at_once() -> None:
    told = problems(GOOD.replace("host", "hots").replace("polar", "pola"))
    assert any("hots" in line for line in told)
    assert any("pola" in line for line in told)


def test_a_bus_that_needs_settings_is_asked_for_when_a_device_uses_it() -> None:
    told = problems(GOOD + '[devices.door]\ndriver = "ias-contact"\nieee = "00:15:8d:00:01:02:03:04"\n')
    assert told == ["bus.zigbee.port: missing: add it under [bus.zigbee]"]


def test_what_is_no_toml_names_the_place() -> None:
    (told,) = problems("[gateway\nid = 1")
    assert "not valid TOML" in told
    assert "line 1" in told


@pytest.mark.parametrize("text", ["devices = 3", "gateway = 1", "[devices]\nwrist = 1", "[bus]\nble = 2"])
def test_a_value_where_a_table_belongs_is_told(text: str) -> None:
    assert any("is no table" in line for line in problems(text))


def test_a_file_that_is_not_there_is_an_error_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read.*--config"):
        load(tmp_path / "none.toml", DRIVERS, BUSES)


def test_a_file_that_is_no_text_is_an_error_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "a.toml", DRIVERS, BUSES)


def test_any_device_may_say_whose_it_is_and_its_driver_hears_nothing_of_that() -> None:
    config = parse(GOOD + 'wearer = "Li"\n', PATH, DRIVERS, BUSES)
    (device,) = config.devices.values()
    assert device.wearer == "Li"
    assert parse(GOOD, PATH, DRIVERS, BUSES).devices[device.name].wearer == ""


def test_one_bad_device_does_not_keep_the_others_from_watching() -> None:
    text = GOOD + "[devices.other]\ndriver = 'pola'\n[detect]\ninactivity_h = -1\n"
    config, told = salvage(text, PATH, DRIVERS, BUSES)
    assert config is not None
    assert set(config.devices) == {"wrist"}
    assert config.detect == Detect()
    assert len(told) == 2


def test_a_device_whose_bus_cannot_be_used_is_left_out() -> None:
    text = GOOD + "[bus.zigbee]\nport = 3\n[devices.door]\ndriver = 'ias-contact'\nieee = 'x'\n"
    config, told = salvage(text, PATH, DRIVERS, BUSES)
    assert config is not None
    assert set(config.devices) == {"wrist"}
    assert told == ['bus.zigbee.port: expected str, got int: write text in quotation marks, "..."']


def test_nothing_is_salvaged_without_a_gateway_or_a_city() -> None:
    assert salvage(GOOD.replace('id = "cq-0001"', ""), PATH, DRIVERS, BUSES)[0] is None
    assert salvage("[[[", PATH, DRIVERS, BUSES)[0] is None


def test_vital_signs_are_watched_for_whom_it_stands_and_for_nobody_else() -> None:
    assert parse(GOOD, PATH, DRIVERS, BUSES).vitals == {}
    text = (GOOD + 'wearer = "Li"\nposition = "wrist"\n[vitals.Li]\ndefaults = true\nspeak = true\n'
            'oxygen_saturation = { alarm_below = 88 }\nglucose = {}\n')
    person = people(parse(text, PATH, DRIVERS, BUSES))["wrist"]
    assert (person.name, person.position, person.speak) == ("Li", "wrist", True)
    assert person.limits == DEFAULTS | {QuantityKind.OXYGEN_SATURATION: Limit(alarm_below=88),
                                        QuantityKind.GLUCOSE: Limit()}
    assert people(parse(GOOD, PATH, DRIVERS, BUSES))["wrist"] == NOBODY
    alone = people(parse(GOOD + "[vitals.resident]\nheart_rate = { alarm_above = 120 }\n", PATH, DRIVERS, BUSES))
    assert alone["wrist"].limits == {QuantityKind.HEART_RATE: Limit(alarm_above=120)}


@pytest.mark.parametrize(("section", "expected"), [
    ("[vitals.Lee]\ndefaults = true\n", "vitals.Lee: unknown wearer 'Lee': known are Li, resident"),
    ("[vitals.Li]\nheart_rate = { alarm_over = 3 }\n", "vitals.Li.heart_rate.alarm_over: unknown key"),
    ("[vitals.Li]\nheart_rate = { times = 0 }\n", "vitals.Li.heart_rate.times: cannot be 0"),
    ("[vitals]\nLi = 3\n", "vitals.Li: is no table")])
def test_a_slip_in_what_is_watched_is_told_with_its_cure(section: str, expected: str) -> None:
    told = problems(GOOD + 'wearer = "Li"\n' + section)
    assert [one for one in told if expected in one], told
