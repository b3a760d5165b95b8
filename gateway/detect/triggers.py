"""Readings that are findings by themselves: an SOS press, an alarm contact, a test button.

TRIGGERS is the whole table. Rules
 1. A press is a finding. Where the device numbers its presses, the same number again within REPEAT_S on the same boot
    is the same press, sent again by the radio; later it is a new one, for a changed battery starts counting anew.
 2. A level is a finding when it becomes active: a repeated level says nothing new.
 3. The first level ever heard of a sensor is a finding if it is active: the smoke began while nobody listened.
 4. A device's own test button is a TEST, never the alarm that it tests.
"""

import msgspec

from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Binary, BinaryKind, Button, Press, Reading
from gateway.model.time import Stamp

REPEAT_S = 60.0
"""How long a press's number is remembered: far longer than any radio's retries, shorter than changing a battery."""

TRIGGERS: dict[Button | BinaryKind, tuple[FindingKind, str]] = {
    Button.SOS: (FindingKind.SOS, "the SOS button was pressed"),
    BinaryKind.SMOKE: (FindingKind.SMOKE, "the smoke alarm sounds"),
    BinaryKind.CO: (FindingKind.CO, "the carbon monoxide alarm sounds"),
    BinaryKind.GAS: (FindingKind.GAS, "the gas alarm sounds"),
    BinaryKind.WATER: (FindingKind.WATER, "the water sensor is wet"),
    BinaryKind.TEST: (FindingKind.TEST, "the device's test button was pressed"),
}


class Pressed(msgspec.Struct, frozen=True):
    """The last numbered press of one button."""

    number: int
    at: Stamp


class State(msgspec.Struct, frozen=True):
    """What is known of each sensor: device -> kind -> level, device -> button -> last numbered press."""

    levels: dict[str, dict[BinaryKind, bool]] = {}
    presses: dict[str, dict[Button, Pressed]] = {}


def step(state: State, reading: Reading) -> tuple[State, tuple[Finding, ...]]:
    """Take one reading of any kind; return what is known now and the finding that it is, if any."""
    match reading.value:
        case Binary(kind=kind, active=active) if kind in TRIGGERS:
            known = state.levels.get(reading.device, {})
            if known.get(kind) == active:
                return state, ()
            levels = state.levels | {reading.device: known | {kind: active}}
            return State(levels, state.presses), (_finding(reading, kind),) if active else ()
        case Press(button=button, number=number) if button in TRIGGERS:
            return _press(state, reading, button, number)
        case _:
            return state, ()


def _press(state: State, reading: Reading, button: Button, number: int | None) -> tuple[State, tuple[Finding, ...]]:
    if number is None:
        return state, (_finding(reading, button),)
    known = state.presses.get(reading.device, {})
    last = known.get(button)
    if (last is not None and last.number == number and last.at.boot_id == reading.at.boot_id
            and reading.at.mono_s - last.at.mono_s <= REPEAT_S):
        return state, ()
    presses = state.presses | {reading.device: known | {button: Pressed(number, reading.at)}}
    return State(state.levels, presses), (_finding(reading, button),)


def _finding(reading: Reading, cause: Button | BinaryKind) -> Finding:
    kind, words = TRIGGERS[cause]
    return Finding(kind, reading.device, reading.at, 1.0, words)
