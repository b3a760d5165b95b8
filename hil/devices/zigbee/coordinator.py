"""The chip: its state between resets, and the table of MT commands that system_api and air_api fill."""

import asyncio
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from hil.devices.zigbee.frames import AREQ, RPC_ERROR, SREQ, SRSP, SYS, Frame
from hil.devices.zigbee.nvram import Nvram
from hil.devices.zigbee.stick import Stick

TYPE_MASK, SUBSYSTEM_MASK = 0xE0, 0x1F
BAD_COMMAND = 0x02  # RPC error: the command id is not known (MT, 2.1.3)
RESET_S = 0.15
EXTERNAL_RESET = 1  # reason of SYS_RESET_IND (MT, 3.8.2.1)
VERSION = struct.pack("<BBBBB", 2, 1, 2, 7, 1)  # transport 2, product Z-Stack 3.x, release 2.7.1
CODE_REVISION = 20230507

Handler = Callable[["Coordinator", bytes], None]
COMMANDS: dict[tuple[int, int], Handler] = {}


def command(cmd0: int, cmd1: int) -> Callable[[Handler], Handler]:
    """Put a handler into the table of MT commands."""

    def register(handler: Handler) -> Handler:
        COMMANDS[cmd0, cmd1] = handler
        return handler

    return register


class Coordinator:
    """A CC2652 with Z-Stack 3.30; `boot` and `down` bound what a reset forgets."""

    def __init__(self, link: Path, nvram: Nvram) -> None:
        self.nvram = nvram
        self.stick = Stick(link, self._dispatch)
        self.running = False  # the network is up
        self.wants_zdo = False  # ZDO messages are handed to the host
        self.permit_until_s = 0.0  # loop time
        self.endpoints: dict[int, bytes] = {}  # number -> simple descriptor
        self.link_keys: dict[bytes, bytes] = {}  # of devices whose install code the host has told
        self.unknown_commands = 0
        self.opened: Callable[[], None] = lambda: None  # told when the network opens for joining
        self.transmit: Callable[[Request], None] = lambda request: None  # carries requests over the air
        self.broadcast: Callable[[int, bytes], None] = lambda cluster, data: None  # the same for ZDO broadcasts

    @property
    def listening(self) -> bool:
        """True while a frame from the air would reach the host."""
        return self.running and self.stick.alive

    @property
    def open(self) -> bool:
        return self.listening and asyncio.get_running_loop().time() < self.permit_until_s

    def send(self, cmd0: int, cmd1: int, data: bytes = b"") -> float:
        return self.stick.send(Frame(cmd0, cmd1, data))

    def respond(self, subsystem: int, cmd1: int, data: bytes = b"\x00") -> None:
        """Answer a synchronous request; by default with status SUCCESS."""
        self.send(SRSP | subsystem, cmd1, data)

    def down(self) -> None:
        """Lose everything that is not in NVRAM."""
        self.running = self.wants_zdo = False
        self.permit_until_s = 0.0
        self.endpoints.clear()
        self.link_keys.clear()

    def reset(self) -> None:
        """Restart, and say so as soon as the firmware is up again."""
        self.down()
        self.nvram.boot()
        asyncio.get_running_loop().call_later(
            RESET_S, self.send, AREQ | SYS, 0x80, bytes((EXTERNAL_RESET,)) + VERSION)

    def _dispatch(self, frame: Frame) -> None:
        handler = COMMANDS.get((frame.cmd0, frame.cmd1))
        try:
            if handler is not None:
                handler(self, frame.data)
                return
        except (struct.error, IndexError):
            print(f"malformed MT command {frame.cmd0:02x} {frame.cmd1:02x} {frame.data.hex()}", file=sys.stderr)
        self.unknown_commands += 1
        print(f"unknown MT command {frame.cmd0:02x} {frame.cmd1:02x} {frame.data.hex()}", file=sys.stderr)
        if frame.cmd0 & TYPE_MASK == SREQ:
            self.send(SRSP | RPC_ERROR, 0x00, bytes((BAD_COMMAND, frame.cmd0, frame.cmd1)))


class Request:
    """One unicast on its way to an end device."""

    __slots__ = ("cluster", "data", "destination", "endpoint", "number", "source_endpoint")

    def __init__(self, destination: int | bytes, endpoint: int, source_endpoint: int, cluster: int, number: int,
                 data: bytes) -> None:
        self.destination = destination  # short address, or EUI-64 as bytes
        self.endpoint, self.source_endpoint = endpoint, source_endpoint
        self.cluster, self.number, self.data = cluster, number, data
