"""What decide() asks the runtime to do. Effects are independent: none waits for another."""

import msgspec

from gateway.model.alarm import Alarm
from gateway.model.event import Event
from gateway.model.finding import FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt


class Append(msgspec.Struct, frozen=True):
    """Commit these events, which may be none, and the alarm's snapshot in one transaction."""

    events: tuple[Event, ...]
    alarm: Alarm


class Say(msgspec.Struct, frozen=True):
    """Speak a prompt about this alarm, whose kind the resident hears."""

    prompt: Prompt
    kind: FindingKind
    alarm: str


class Show(msgspec.Struct, frozen=True):
    """Let every status light show this pattern until the next Show."""

    pattern: LightPattern


class Tell(msgspec.Struct, frozen=True):
    """Commit these events, which may be none, and the snapshot of their alarm, whose state is as it was.

    `alarm`: None where it is no longer open.
    """

    events: tuple[Event, ...]
    alarm: Alarm | None


class SendText(msgspec.Struct, frozen=True):
    """Let a modem send this text; `id` names the order, `number` is who gets it."""

    id: str
    number: str
    text: str


Effect = Append | Say | Show | Tell | SendText
