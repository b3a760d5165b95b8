"""Readings that are findings by themselves: an SOS press, an alarm contact, a test button, a device's own fall flag.

TRIGGERS is the whole table. Rules
 1. A press is a finding. Where the device numbers its presses, the same number again within REPEAT_S on the same boot
    is the same press, sent again by the radio; later it is a new one, for a changed battery starts counting anew.
 2. A level is a finding when it becomes active: a repeated level says nothing new.
 3. The first level ever heard of a sensor is a finding if it is active: the smoke began while nobody listened.
 4. A device's own test button is a TEST, never the alarm that it tests.
 5. A fall flag is a finding when it goes up, when its number changes while it is up, and when it is heard up after
    REPEAT_S in which it was not heard at all: rather a fall told twice than one not told. A flag that stays up is none.
"""

import msgspec
from msgspec.structs import replace

from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.reading import Binary, BinaryKind, Button, FallFlag, Press, Reading
from gateway.model.time import Stamp

REPEAT_S = 60.0
"""How long a press or a flag is remembered: far longer than any radio's retries, shorter than changing a battery."""

FLAG_SCORE = 0.5
"""A device's own word is as likely a fall as not, until that family of devices has been measured."""

Cause = Button | BinaryKind | FallSource

TRIGGERS: dict[Cause, tuple[FindingKind, str]] = {
    Button.SOS: (FindingKind.SOS, "the SOS button was pressed"),
    BinaryKind.SMOKE: (FindingKind.SMOKE, "the smoke alarm sounds"),
    BinaryKind.CO: (FindingKind.CO, "the carbon monoxide alarm sounds"),
    BinaryKind.GAS: (FindingKind.GAS, "the gas alarm sounds"),
    BinaryKind.WATER: (FindingKind.WATER, "the water sensor is wet"),
    BinaryKind.TEST: (FindingKind.TEST, "the device's test button was pressed"),
    FallSource.WEARABLE: (FindingKind.FALL, "the wearable itself tells of a fall"),
    FallSource.WRIST: (FindingKind.FALL, "the wearable tells of a fall"),  # no driver's word, but none may be lost
    FallSource.RADAR: (FindingKind.FALL, "the radar tells of a fall"),
}


class Pressed(msgspec.Struct, frozen=True):
    """The last numbered press of one button."""

    number: int
    at: Stamp


class Flagged(msgspec.Struct, frozen=True):
    """The last word of one fall flag, and when it was last heard."""

    active: bool
    number: int | None
    at: Stamp


class State(msgspec.Struct, frozen=True):
    """What is known of each sensor.

    Device -> kind -> level, device -> button -> last numbered press, device -> source -> fall flag.
    """

    levels: dict[str, dict[BinaryKind, bool]] = {}
    presses: dict[str, dict[Button, Pressed]] = {}
    flags: dict[str, dict[FallSource, Flagged]] = {}


def step(state: State, reading: Reading) -> tuple[State, tuple[Finding, ...]]:
    """Take one reading of any kind; return what is known now and the finding that it is, if any."""
    match reading.value:
        case Binary(kind=kind, active=active) if kind in TRIGGERS:
            known = state.levels.get(reading.device, {})
            if known.get(kind) == active:
                return state, ()
            levels = state.levels | {reading.device: known | {kind: active}}
            return replace(state, levels=levels), (_finding(reading, kind),) if active else ()
        case Press(button=button, number=number) if button in TRIGGERS:
            return _press(state, reading, button, number)
        case FallFlag() as flag:
            return _flag(state, reading, flag)
        case _:
            return state, ()


def _press(state: State, reading: Reading, button: Button, number: int | None) -> tuple[State, tuple[Finding, ...]]:
    if number is None:
        return state, (_finding(reading, button),)
    known = state.presses.get(reading.device, {})
    last = known.get(button)
    if last is not None and last.number == number and _lately(last.at, reading.at):
        return state, ()
    presses = state.presses | {reading.device: known | {button: Pressed(number, reading.at)}}
    return replace(state, presses=presses), (_finding(reading, button),)


def _flag(state: State, reading: Reading, flag: FallFlag) -> tuple[State, tuple[Finding, ...]]:
    """Rule 5."""
    known = state.flags.get(reading.device, {})
    last = known.get(flag.source)
    still = last is not None and last.active and last.number == flag.number and _lately(last.at, reading.at)
    flags = state.flags | {reading.device: known | {flag.source: Flagged(flag.active, flag.number, reading.at)}}
    return replace(state, flags=flags), (_finding(reading, flag.source),) if flag.active and not still else ()


def _lately(before: Stamp, now: Stamp) -> bool:
    return before.boot_id == now.boot_id and now.mono_s - before.mono_s <= REPEAT_S


def _finding(reading: Reading, cause: Cause) -> Finding:
    kind, words = TRIGGERS[cause]
    if isinstance(cause, FallSource):
        return Finding(kind, reading.device, reading.at, FLAG_SCORE, words, source=cause)
    return Finding(kind, reading.device, reading.at, 1.0, words)
