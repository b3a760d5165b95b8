"""The dialogue with a modem over AT commands: bytes in, what they mean out. Pure.

    phase     OK        ERROR    "> "     information  anything else
    idle      -         -        -        news         news
    asked     answer    refusal  -        kept         news
    offered   -         refusal  prompt   news         news            (a message is announced, its text not yet wanted)
    told      answer    refusal  -        kept         news            (the text is given)
    "information" is a line with the prefix of the command: what it answers with. News (URCs, 3GPP TS 27.007, 3) may
    come between any two lines, so a line counts as an answer by its prefix and never by its place. A news line "+CDS:
    n" is followed by a line with a status report (27.005, 3.4.1), whatever that begins with.

Sources: ITU-T V.250, 5.7; 3GPP TS 27.007, 9.2 (+CME ERROR) and 27.005, 3.2.5 (+CMS ERROR), both with numbers (+CMEE=1).
"""

from enum import Enum, auto
from typing import NamedTuple

MAX_LINE_BYTES = 1024  # a status report takes less than 400 characters; a longer line is noise


class Phase(Enum):
    IDLE = auto()
    ASKED = auto()
    OFFERED = auto()
    TOLD = auto()


class Token(Enum):
    OK = auto()
    ERROR = auto()
    PROMPT = auto()
    INFORMATION = auto()
    NEWS = auto()


class Answer(NamedTuple):
    """The command was obeyed; `lines` is its information, without the prefix."""

    lines: tuple[str, ...]


class Refusal(NamedTuple):
    """The command was not obeyed. `code`: of +CME or +CMS ERROR, which `source` ("CME", "CMS", "") tells; or None."""

    source: str
    code: int | None


class Prompt(NamedTuple):
    """The modem wants the text."""


class News(NamedTuple):
    """A line that nobody asked for."""

    line: str


class Report(NamedTuple):
    """A status report as hexadecimal digits."""

    pdu: str


Event = Answer | Refusal | Prompt | News | Report

NEXT: dict[tuple[Phase, Token], Phase] = {
    (Phase.ASKED, Token.OK): Phase.IDLE,
    (Phase.ASKED, Token.ERROR): Phase.IDLE,
    (Phase.ASKED, Token.INFORMATION): Phase.ASKED,
    (Phase.OFFERED, Token.ERROR): Phase.IDLE,
    (Phase.OFFERED, Token.PROMPT): Phase.TOLD,
    (Phase.TOLD, Token.OK): Phase.IDLE,
    (Phase.TOLD, Token.ERROR): Phase.IDLE,
    (Phase.TOLD, Token.INFORMATION): Phase.TOLD,
}
"""What a token of the dialogue does to its phase; a pair that is not here is no part of the dialogue."""


class Dialogue:
    """One modem's dialogue: ask() before a command is written, feed() with whatever comes."""

    def __init__(self) -> None:
        self.phase = Phase.IDLE
        self.noise_bytes = 0
        self._prefix = ""
        self._lines: list[str] = []
        self._report_follows = False
        self._rest = b""

    def ask(self, prefix: str = "", *, offers: bool = False) -> None:
        """A command is about to be written; its information begins with `prefix`. `offers`: it announces a text."""
        self.phase, self._prefix, self._lines = Phase.OFFERED if offers else Phase.ASKED, prefix, []

    def give_up(self) -> None:
        """The answer did not come in time: should it come after all, it is nobody's."""
        self.phase = Phase.IDLE

    def feed(self, data: bytes) -> list[Event]:
        """Take what came; return what it means. Never raises, and keeps no more than MAX_LINE_BYTES."""
        events: list[Event] = []
        *whole, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            if len(line) > MAX_LINE_BYTES:
                self.noise_bytes += len(line)
            else:
                events += self._line(line.decode("ascii", "replace").strip())
        if self.phase is Phase.OFFERED and self._rest.lstrip().startswith(b">"):
            self._rest = b""
            events += self._line(">")
        if len(self._rest) > MAX_LINE_BYTES:
            self.noise_bytes += len(self._rest)
            self._rest = b""
        return events

    def _line(self, line: str) -> list[Event]:
        if not line:
            return []
        if self._report_follows:
            self._report_follows = False
            return [Report(line)]
        token = self._token(line)
        if (self.phase, token) not in NEXT:
            self._report_follows = line.startswith("+CDS:")
            return [News(line)] if token in (Token.NEWS, Token.INFORMATION) else []
        self.phase = NEXT[self.phase, token]
        match token:
            case Token.OK:
                return [Answer(tuple(self._lines))]
            case Token.ERROR:
                return [_refusal(line)]
            case Token.PROMPT:
                return [Prompt()]
            case _:
                self._lines.append(line.removeprefix(self._prefix).removeprefix(":").strip())
                return []

    def _token(self, line: str) -> Token:
        if line == "OK":
            return Token.OK
        if line == "ERROR" or line.startswith(("+CME ERROR:", "+CMS ERROR:")):
            return Token.ERROR
        if line == ">":
            return Token.PROMPT
        return Token.INFORMATION if self._prefix and line.startswith(f"{self._prefix}:") else Token.NEWS


def _refusal(line: str) -> Refusal:
    code = line.partition(":")[2].strip()
    return Refusal(line[1:4] if code else "", int(code) if code.isascii() and code.isdecimal() else None)


def numbers(information: str) -> list[int]:
    """The numbers in a line such as "0,1,"1A2B",7": its unquoted whole numbers, in order."""
    fields = [field.strip() for field in information.split(",")]
    return [int(field) for field in fields if field.isascii() and field.isdecimal()]
