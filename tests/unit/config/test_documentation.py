"""What the documents say about the configuration and the dependencies, held against what there is, both ways."""

import re
import tomllib
import typing
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.app.configured import types
from gateway.config import City, Detect, Gateway, Sms, Storage, Vitals, Voice, advice, parse
from gateway.config.load import OF_EVERY_DEVICE
from gateway.runtime.registry import Registry

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
OPTIONAL = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
DRIVERS, BUSES = types(Registry())
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "gateway": Gateway, "city": City, "store": Storage, "voice": Voice, "detect": Detect, "sms": Sms,
    "vitals": Vitals,
    **{f"bus.{name}": kind for name, kind in BUSES.items()},
    **{f"driver {name}": kind for name, (_, kind) in DRIVERS.items()}}


def documented(text: str) -> dict[str, dict[str, Any]]:
    """Section, bus or driver -> its keys with their values."""
    raw = tomllib.loads(text)
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    found |= {name: raw[name] for name in ("gateway", "city", "store", "voice", "detect", "sms")}
    found["vitals"] = raw["vitals"]["resident"]
    found |= {f"bus.{name}": table for name, table in raw["bus"].items()}
    for table in raw["devices"].values():
        found[f"driver {table['driver']}"] |= {
            key: value for key, value in table.items() if key not in OF_EVERY_DEVICE}
    return found


def test_the_example_is_a_good_configuration_as_it_stands_and_with_every_optional_key() -> None:
    for text in (EXAMPLE, OPTIONAL.sub("", EXAMPLE)):
        config = parse(text, Path("anju.toml"), DRIVERS, BUSES)
        assert {device.driver for device in config.devices.values()} == set(DRIVERS)
    assert len(OPTIONAL.findall(EXAMPLE)) > 20


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_documented_and_every_documented_key_exists(section: str) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(SECTIONS[section])}
    assert set(documented(OPTIONAL.sub("", EXAMPLE))[section]) == known


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_page_calls_a_default_is_the_default(section: str) -> None:
    always, whole = documented(EXAMPLE)[section], documented(OPTIONAL.sub("", EXAMPLE))[section]
    kind = SECTIONS[section]
    needed = {field.encode_name: whole[field.encode_name] for field in msgspec.structs.fields(kind) if field.required}
    shown = {key: value for key, value in whole.items() if key not in always}
    defaults = msgspec.to_builtins(msgspec.convert(needed, kind), enc_hook=str)
    assert {key: shown[key] for key in shown if defaults[key] is not None} == {
        key: defaults[key] for key in shown if defaults[key] is not None}


def test_every_choice_stands_on_the_page() -> None:
    for kind in SECTIONS.values():
        for choice in choices(kind):
            assert re.search(rf"[`\"]{choice}[`\"]| {choice}\b", PAGE), choice


def choices(kind: type[msgspec.Struct]) -> list[Any]:
    """The values between which the keys of a Struct, and of the tables in it, let one choose."""
    found: list[Any] = []
    for hint in typing.get_type_hints(kind, include_extras=True).values():
        bare, _ = advice.parts(hint)
        found += [choice for choice in advice.choices(hint) if not isinstance(choice, bool)]
        for inner in typing.get_args(bare) if typing.get_origin(bare) is dict else ():
            found += choices(inner) if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else []
    return found


def test_the_kinds_of_inputs_are_among_the_choices() -> None:
    assert {"smoke", "battery_low", "cancel", "zh", "O", 26} <= {
        choice for kind in SECTIONS.values() for choice in choices(kind)}


def test_each_dependency_is_named_in_the_decision_about_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values(),
             *project["dependency-groups"].values()]
    names = {re.split(r"[^A-Za-z0-9_.-]", one)[0] for some in lists for one in some if isinstance(one, str)}
    assert len(names) > 25
    decision = (ROOT / "docs/decisions/0005-dependencies.md").read_text(encoding="utf-8")
    assert {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", decision)} == set()
