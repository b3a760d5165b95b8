"""One modem on a line and what a scenario may do to it.

op            arguments               the modem then ...
sim           state                   has a card that is "READY", wants "SIM PIN" or "SIM PUK", or "none"
network       stat                    answers +CREG and +CEREG with this (3GPP TS 27.007, 7.2): 1 home, 2 searching
signal        csq                     has this signal, 0 to 31
refuse        code, times             refuses the next so many messages with this +CMS ERROR
delay         seconds                 takes so long for a message
silent        on                      answers nothing
reports       status, after_s         reports so on each message, after a while; status null: not at all
news          line                    says this unasked, and from now on before every answer; "" ends that
raw           hex                     says exactly this, once
unplug, plug                          goes with its adapter, and comes back
messages                              tells what was sent: number, text, part, mono_s of each
stats                                 tells commands, texts, plugged
"""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hil.devices.modem import pdu
from hil.resources.pty import PtyLine


class Modem:
    """Answers as long as its line is plugged."""

    def __init__(self, link: Path) -> None:
        self.line = PtyLine(link, self._heard)
        self.messages: list[dict[str, Any]] = []
        self._echo, self._silent = True, False
        self._sim, self._network, self._signal = "READY", 1, 21
        self._refusals: list[int] = []
        self._delay_s = 0.0
        self._status: int | None = 0
        self._report_after_s = 0.1
        self._news = ""
        self._buffer = b""
        self._length: int | None = None  # of the message whose text is awaited
        self._reference = 0
        self._stats: Counter[str] = Counter()

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation of a scenario; `mono_s` is when it took effect."""
        match op:
            case "sim":
                self._sim = str(arguments["state"])
            case "network":
                self._network = int(arguments["stat"])
            case "signal":
                self._signal = int(arguments["csq"])
            case "refuse":
                self._refusals = [int(arguments["code"])] * int(arguments["times"])
            case "delay":
                self._delay_s = float(arguments["seconds"])
            case "silent":
                self._silent = bool(arguments["on"])
            case "reports":
                self._status = arguments["status"]
                self._report_after_s = float(arguments.get("after_s", 0.1))
            case "news":
                self._news = str(arguments["line"])
                self._say(self._news)
            case "raw":
                self.line.send(bytes.fromhex(arguments["hex"]))
            case "unplug":
                self.line.unplug()
            case "plug":
                self.line.plug()
            case "messages":
                return {"messages": self.messages}
            case "stats":
                return {"plugged": self.line.plugged, "commands": self._stats["commands"],
                        "texts": self._stats["texts"]}
            case _:
                raise ValueError(f"no operation {op!r}")
        return {"mono_s": time.monotonic()}

    def _heard(self, data: bytes) -> None:
        if self._echo and not self._silent:
            self.line.send(data)
        self._buffer += data
        while True:
            ends = b"\x1a" if self._length is not None else b"\r"
            if self._length is not None and b"\x1b" in self._buffer:
                self._buffer, self._length = self._buffer.partition(b"\x1b")[2], None
                self._answer("OK")
                continue
            line, found, rest = self._buffer.partition(ends)
            if not found:
                return
            self._buffer = rest
            if self._length is None:
                self._command(line.decode("ascii", "replace").strip())
            else:
                self._stats["texts"] += 1
                asyncio.get_running_loop().call_later(self._delay_s, self._message, line.decode("ascii", "replace"),
                                                      self._length)
                self._length = None

    def _command(self, command: str) -> None:
        self._stats["commands"] += 1
        if command == "ATE0":
            self._echo = False
        if command == "AT+CPIN?":
            if self._sim == "none":
                self._answer("+CME ERROR: 10")
            else:
                self._answer(f"+CPIN: {self._sim}", "OK")
        elif command == "AT+CSQ":
            self._answer(f"+CSQ: {self._signal},99", "OK")
        elif command in ("AT+CREG?", "AT+CEREG?"):
            self._answer(f"{command[2:-1]}: 0,{self._network}", "OK")
        elif command.startswith("AT+CMGS="):
            self._length = int(command.removeprefix("AT+CMGS="))
            self._say_raw("\r\n> ")
        elif command in ("AT", "ATE0", "AT+CMEE=1", "AT+CMGF=0", "AT+CNMI=2,0,0,1,0", "AT+CREG=0", "AT+CEREG=0"):
            self._answer("OK")
        else:
            self._answer("ERROR")

    def _message(self, text: str, length: int) -> None:
        if self._refusals:
            self._answer(f"+CMS ERROR: {self._refusals.pop()}")
            return
        message = pdu.parse(text.strip(), length)
        if message is None or self._sim != "READY" or self._network not in (1, 5):
            self._answer("+CMS ERROR: 304" if message is None else "+CMS ERROR: 331")
            return
        self._reference = self._reference % 255 + 1
        self.messages.append({"number": message.number, "text": message.text, "part": message.part,
                              "mono_s": time.monotonic()})
        self._answer(f"+CMGS: {self._reference}", "OK")
        if self._status is not None and message.wants_report:
            asyncio.get_running_loop().call_later(self._report_after_s, self._report, self._reference, message.number,
                                                  self._status)

    def _report(self, reference: int, number: str, status: int) -> None:
        report = pdu.status_report(reference, number, status)
        self._say(f"+CDS: {len(report) // 2 - 1}", report)

    def _answer(self, *lines: str) -> None:
        self._say(*([self._news] if self._news else []), *lines)

    def _say(self, *lines: str) -> None:
        if any(lines):
            self._say_raw("".join(f"\r\n{line}\r\n" for line in lines))

    def _say_raw(self, text: str) -> None:
        if not self._silent:
            self.line.send(text.encode())
