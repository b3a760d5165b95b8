"""One RFXtrx433 on a line and what a scenario may let it hear.

op            arguments                        the receiver then ...
security1     subtype, id, status, battery     hears a security sensor; status, battery: the raw field
lighting2     id, unit, command                hears a remote or a door magnet of the AC kind
lighting5     id, unit, command                hears one of the LightwaveRF kind
              times: of each of the three      hears it so many times, as senders repeat themselves
noise         hex                              puts exactly these bytes on the line
deaf          on                               answers nothing, as a hung one
unplug, plug                                   goes, and comes back
stats                                          tells packets, commands, plugged

Source: RFXCOM, RFXtrx User Guide: packet layouts, interface commands and responses.
"""

import time
from pathlib import Path
from typing import Any

from hil.resources.pty import PtyLine

FIRMWARE, MHZ_433_92 = 0x41, 0x53


class Rfxtrx:
    """Answers commands, and says what it hears once it was told to listen."""

    def __init__(self, link: Path) -> None:
        self.line = PtyLine(link, self._heard)
        self._asked = b""
        self._sequence = 0
        self._deaf = self._listening = False
        self.packets = self.commands = 0

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation of a scenario; `mono_s` is when it took effect."""
        match op:
            case "security1":
                sender = bytes.fromhex(arguments["id"])
                body = sender + bytes([int(arguments["status"]), 0x70 | int(arguments.get("battery", 9))])
                self._hears(0x20, int(arguments["subtype"]), body, arguments)
            case "lighting2":
                body = self._lighting(arguments, 15)
                self._hears(0x11, 0, body, arguments)
            case "lighting5":
                body = self._lighting(arguments, 0)
                self._hears(0x14, 0, body, arguments)
            case "noise":
                self.line.send(bytes.fromhex(arguments["hex"]))
            case "deaf":
                self._deaf = bool(arguments["on"])
            case "unplug":
                self._listening = False
                self.line.unplug()
            case "plug":
                self.line.plug()
            case "stats":
                return {"packets": self.packets, "commands": self.commands, "plugged": self.line.plugged}
            case _:
                raise ValueError(f"no operation {op!r}")
        return {"mono_s": time.monotonic()}

    @staticmethod
    def _lighting(arguments: dict[str, Any], level: int) -> bytes:
        return bytes.fromhex(arguments["id"]) + bytes([int(arguments["unit"]), int(arguments["command"]), level, 0x70])

    def _hears(self, kind: int, subtype: int, body: bytes, arguments: dict[str, Any]) -> None:
        for _ in range(int(arguments.get("times", 1))):
            if self._listening and not self._deaf:
                self.packets += 1
                self._say(kind, subtype, body)

    def _say(self, kind: int, subtype: int, body: bytes) -> None:
        packet = bytes([kind, subtype, self._sequence]) + body
        self._sequence = (self._sequence + 1) % 256
        self.line.send(bytes([len(packet)]) + packet)

    def _heard(self, data: bytes) -> None:
        self._asked += data
        while len(self._asked) >= 14:
            asked, self._asked = self._asked[:14], self._asked[14:]
            self.commands += 1
            if self._deaf:
                continue
            match asked[4]:
                case 0:
                    self._sequence, self._listening = 0, False
                case 2:
                    self._say(0x01, 0, bytes([2, MHZ_433_92, FIRMWARE]).ljust(10, b"\x00"))
                case 7:
                    self._listening = True
                    self._say(0x01, 7, b"\x07Copyright RFXCOM".ljust(17, b"\x00"))
