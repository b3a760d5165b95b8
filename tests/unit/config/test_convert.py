"""convert: every problem of a table at once, with the whole key, what stands there, and what to write instead."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from gateway.config.convert import convert


class Kind(StrEnum):
    SMOKE = "smoke"
    DOOR = "door"


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kind: Kind
    inverted: bool = False


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    unit: Annotated[int, msgspec.Meta(ge=1, le=247)]
    inputs: Annotated[dict[str, Input], msgspec.Meta(examples=[{"0": {"kind": "smoke"}}])]
    poll_s: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    channels: list[Annotated[int, msgspec.Meta(ge=11, le=26)]] = []
    address: Annotated[str, msgspec.Meta(pattern="^..$", description="a code", examples=["a1"])] = "a1"
    shape: Annotated[str, msgspec.Meta(pattern="^..$")] = "a1"
    parity: Literal["N", "E"] = "N"
    pin: Annotated[int, msgspec.Meta(ge=0, le=27)] | str = 17
    file: Path | None = None
    text: str = ""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: none given")
        if self.unit == 200:
            raise ValueError("unit: 200 is the line's own: write another")
        if self.unit == 201:
            raise ValueError("unit 201 and this file do not go together")


GOOD = {"unit": 1, "inputs": {"0": {"kind": "smoke"}, "1": {"kind": "door", "inverted": True}}}


def told(**changes: object) -> list[str]:
    problems: list[str] = []
    convert(GOOD | changes, Panel, "devices.p", problems)
    return problems


def test_a_good_table_becomes_its_struct() -> None:
    problems: list[str] = []
    assert convert(GOOD | {"file": "/a"}, Panel, "devices.p", problems) == Panel(
        unit=1, inputs={"0": Input(kind=Kind.SMOKE), "1": Input(kind=Kind.DOOR, inverted=True)}, file=Path("/a"))
    assert problems == []


@pytest.mark.parametrize(("changes", "expected"), [
    ({"inputs": {"0": {}}},
     'devices.p.inputs.0.kind: missing: add it to inputs.0 under [devices.p], one of "smoke", "door"'),
    ({"inputs": {"0": {"kind": "smok"}}}, 'devices.p.inputs.0.kind: cannot be "smok": write one of "smoke", "door"'),
    ({"inputs": {"0": 3}}, 'devices.p.inputs.0: cannot be 3: write for example { kind = "smoke" }'),
    ({"inputs": 3}, 'devices.p.inputs: cannot be 3: write for example { 0 = { kind = "smoke" } }'),
    ({"inputs": {"0": {"kind": "smoke", "inverted": 1}}},
     "devices.p.inputs.0.inverted: cannot be 1: write one of true, false"),
    ({"channels": [15, 30]}, "devices.p.channels[1]: cannot be 30: write a whole number from 11 to 26"),
    ({"poll_s": -1}, "devices.p.poll_s: cannot be -1: write a number above 0"),
    ({"address": "abc"}, 'devices.p.address: expected a code, got "abc": write for example "a1"'),
    ({"shape": "abc"}, "devices.p.shape: expected str matching regex '^..$': change the value"),
    ({"parity": "O"}, 'devices.p.parity: cannot be "O": write one of "N", "E"'),
    ({"pin": 28}, "devices.p.pin: cannot be 28: write a whole number from 0 to 27"),
    ({"file": ""}, 'devices.p.file: expected a path, got "": write a path in quotation marks, "/..."'),
    ({"text": 5}, 'devices.p.text: expected str, got int: write text in quotation marks, "..."'),
    ({"address": "x" * 90}, f'devices.p.address: expected a code, got "{"x" * 39}...: write for example "a1"'),
])
def test_a_wrong_value_is_told_with_its_whole_key_and_what_to_write(changes: dict[str, object], expected: str) -> None:
    assert told(**changes) == [expected]


def test_all_bad_values_of_a_table_and_of_the_tables_in_it_are_told_at_once() -> None:
    keys = [line.partition(":")[0] for line in told(
        unit=0, inputs={"0": {"kind": 1}, "1": {"inverted": "x"}}, channels=[1, 15, 99], parity="X", strange=1)]
    assert sorted(keys) == [f"devices.p.{key}" for key in (
        "channels[0]", "channels[2]", "inputs.0.kind", "inputs.1.inverted", "inputs.1.kind", "parity", "strange",
        "unit")]


def test_an_unknown_key_is_told_and_the_rest_used_in_an_inner_table_too() -> None:
    problems: list[str] = []
    inputs = {"0": {"kind": "smoke", "invertd": True}}
    panel = convert(GOOD | {"inputs": inputs}, Panel, "devices.p", problems)
    assert panel is not None
    assert panel.inputs == {"0": Input(kind=Kind.SMOKE)}
    assert problems == ["devices.p.inputs.0.invertd: unknown key 'invertd': did you mean inverted?"]


@pytest.mark.parametrize(("changes", "expected"), [
    ({"inputs": {}}, 'devices.p.inputs: none given: write for example { 0 = { kind = "smoke" } }'),
    ({"unit": 200}, "devices.p.unit: 200 is the line's own: write another"),
    ({"unit": 201}, "devices.p: unit 201 and this file do not go together: change the value"),
    ({"unit": 200, "poll_s": 0}, "devices.p.poll_s: cannot be 0: write a number above 0"),
])
def test_what_a_struct_checks_itself_comes_when_its_keys_are_good(changes: dict[str, object], expected: str) -> None:
    assert told(**changes) == [expected]
