"""Pairing: an enrolment window for one device; org.bluez.Agent1 answers within it and rejects everything else.

A technician opens the window for one address and so many seconds. What becomes of a request of BlueZ is decide(), a
table; the rest carries its outcome between BlueZ and the technician. BlueZ keeps the bonds, over every restart; nothing
of them is kept here. The agent is the default one as long as the bus runs, so that nobody pairs outside of a window.

Source: BlueZ, doc/org.bluez.Agent.rst, org.bluez.AgentManager.rst, org.bluez.Device.rst.
"""

import asyncio
import enum
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dbus_fast import Message, MessageFlag, MessageType

from drivers.bus.ble.bluez import BlueZ, Refusal
from gateway.spi import BusUnavailable, LinkError

log = logging.getLogger(__name__)

AGENT_PATH = "/anju/agent"
CAPABILITY = "KeyboardDisplay"  # of the technician's terminal: digits can be typed and compared
_ERROR = "org.bluez.Error"
AGENT, MANAGER, DEVICE = "org.bluez.Agent1", "org.bluez.AgentManager1", "org.bluez.Device1"
MAX_WINDOW_S = 600.0
STEP_S = 1.0  # the technician hears so often that the window is open; one who has hung up closes it
AGAIN_S = 0.5
CONNECT_S = 20.0  # as long as the kernel tries; others wait for their turn to connect meanwhile
LET_GO_S = 5.0  # bluetoothd 5.66 takes 2 s to disconnect


class Do(enum.Enum):
    """What becomes of a request; the last two are the names of steps."""

    REJECT = "reject"
    ACCEPT = "accept"
    ASK_PASSKEY = "passkey"
    ASK_SAME_NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Window:
    """The one device that may pair, and until when."""

    address: str
    until_mono_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """A method of Agent1, called for a device."""

    method: str
    address: str


_WITHIN = {
    "RequestPasskey": Do.ASK_PASSKEY,
    "RequestConfirmation": Do.ASK_SAME_NUMBER,
    "RequestAuthorization": Do.ACCEPT,  # a device with nothing to show: that the window is open for it must do
}


def decide(window: Window | None, request: Request, now_mono_s: float) -> tuple[Do, str]:
    """What to do with a request, and if it is rejected, why."""
    if window is None or now_mono_s >= window.until_mono_s:
        return Do.REJECT, "no window is open"
    if request.address != window.address:
        return Do.REJECT, "the window is open for another device"
    if request.method not in _WITHIN:
        return Do.REJECT, "this way of pairing is not offered"
    return _WITHIN[request.method], ""


_AGAIN = "put the device into its pairing mode near the gateway, then try again"
_FAILURES = {
    "AuthenticationFailed": ("device and gateway did not agree: a wrong passkey, or one of them declined", _AGAIN),
    "AuthenticationCanceled": ("the pairing was broken off: the device declined or its link was lost", _AGAIN),
    "AuthenticationRejected": ("the device does not pair now", _AGAIN),
    "AuthenticationTimeout": ("the answer came too late", "try again and answer within 30 s"),
    "ConnectionAttemptFailed": ("the device was heard but does not connect", _AGAIN),
}


class Pairing:
    """The bus's one window, its agent, and the question that waits for the technician.

    `heard` waits until an address is heard that no session keeps; it raises BusUnavailable when the bus goes down.
    `refused` is told of an address that wanted a bond and got none. `turn` is held while a connection is made.
    """

    def __init__(self, mono_s: Callable[[], float], heard: Callable[[str], Awaitable[None]],
                 refused: Callable[[str], None], turn: asyncio.Lock) -> None:
        self._mono_s, self._heard, self._refused, self._turn = mono_s, heard, refused, turn
        self._window: Window | None = None
        self._closed = asyncio.Event()
        self._service: BlueZ
        self._send: Callable[[Message], object]
        self._registered = asyncio.Event()
        self._asked: tuple[Message, Do] | None = None
        self._steps: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._check = ""
        self.counts = {"pairings": 0, "pairings_rejected": 0}

    # -- the technician's side --------------------------------------------------------------------------------------

    async def pair(self, address: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        """Pair with a device and yield each step. An old bond is let go once the device is heard. Raises LinkError.

        Steps, by "state": "open" every second; "pairing"; "passkey", to be answered with the six digits that the device
        shows; "number", to be answered with yes if the device shows that "number"; "withdrawn", the question is void;
        "paired", with the "check" that both passed: "passkey", "number" or "none".
        """
        if self._window is not None:
            raise LinkError(f"{self._window.address} is being paired", "wait until that is over, then try again")
        until_mono_s = self._mono_s() + min(max(seconds, 1.0), MAX_WINDOW_S)
        self._window, self._check, self._steps = Window(address, until_mono_s), "none", asyncio.Queue()
        log.info("enrolment window open address=%s seconds=%.0f", address, until_mono_s - self._mono_s())
        work = asyncio.ensure_future(self._bond(address))
        work.add_done_callback(lambda _work: self._steps.put_nowait(None))
        try:
            while (step := await self._step(until_mono_s)) is not None:
                yield step
            work.result()
            self.counts["pairings"] += 1
            log.info("device paired address=%s check=%s", address, self._check)
            yield {"state": "paired", "check": self._check}
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._withdraw()
            await self._let_go(address)
            self._window = None
            self._closed.set()
            self._closed = asyncio.Event()

    def answer(self, text: str) -> None:
        """Answer the question: six digits, "yes" or "no". Raises LinkError; a question not understood stays."""
        if self._asked is None:
            raise LinkError("nothing is asked, or no longer", "start anew: anju ble pair DEVICE")
        message, do = self._asked
        if decide(self._window, _request(message), self._mono_s())[0] is Do.REJECT:
            self._withdraw()
            raise LinkError("the answer came too late", _AGAIN)
        if text == "no":
            self._reply(Message.new_error(message, f"{_ERROR}.Rejected", "declined by the technician"))
        elif do is Do.ASK_PASSKEY and re.fullmatch("[0-9]{6}", text):
            self._reply(Message.new_method_return(message, "u", [int(text)]))
        elif do is Do.ASK_SAME_NUMBER and text == "yes":
            self._reply(Message.new_method_return(message))
        else:
            raise LinkError("this is no answer to the question",
                            "type the six digits that the device shows" if do is Do.ASK_PASSKEY else "say yes or no")
        self._check = do.value

    # -- the bus's side ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def agent(self, service: BlueZ) -> AsyncIterator[None]:
        """Be BlueZ's agent while the context is open. Raises BusUnavailable; without an agent the rest still works."""
        with service.answering(self._called) as send:
            try:
                await service.call("/org/bluez", MANAGER, "RegisterAgent", "os", [AGENT_PATH, CAPABILITY])
                await service.call("/org/bluez", MANAGER, "RequestDefaultAgent", "o", [AGENT_PATH])
            except Refusal as refusal:
                log.warning("no device can be paired: %s", refusal)
                yield
                return
            self._service, self._send = service, send
            self._registered.set()
            try:
                yield
            finally:
                self._withdraw()
                self._registered.clear()

    async def over(self, address: str) -> None:
        """Wait while the window is open for this device: its sessions keep off."""
        while self.concerns(address):
            await self._closed.wait()

    def concerns(self, address: str) -> bool:
        return self._window is not None and self._window.address == address

    # -- one pairing ------------------------------------------------------------------------------------------------

    async def _step(self, until_mono_s: float) -> dict[str, Any] | None:
        """The next step, None when the work is done. Raises LinkError when the time is up."""
        try:
            async with asyncio.timeout(STEP_S):
                return await self._steps.get()
        except TimeoutError:
            left_s = until_mono_s - self._mono_s()
        if left_s <= 0:
            raise LinkError("the time is up and the device is not paired", _AGAIN)
        return {"state": "open", "left_s": round(left_s)}

    async def _bond(self, address: str) -> None:
        """Pair, over the deaths of bluetoothd. Raises LinkError."""
        while True:
            await self._registered.wait()
            try:
                if await self._attempt(self._service, address):
                    return
            except Refusal as refusal:
                name = refusal.name.removeprefix(f"{_ERROR}.")
                raise LinkError(*_FAILURES.get(name, (refusal.reason, refusal.cure))) from refusal
            except BusUnavailable:
                await asyncio.sleep(AGAIN_S)  # until the bus has noticed too

    async def _attempt(self, service: BlueZ, address: str) -> bool:
        """Tell whether the device is paired now; if not, an old bond was in the way and is gone."""
        await self._heard(address)
        path, known = await service.device(address)
        if known.get("Paired"):
            await service.unpair(path)
            return False
        self._steps.put_nowait({"state": "pairing"})
        call = asyncio.ensure_future(service.call(path, DEVICE, "Pair", limit_s=MAX_WINDOW_S))
        try:
            # Others may connect as soon as this one has, while the technician types.
            async with self._turn, asyncio.timeout(CONNECT_S):
                while not call.done() and not (await service.device(address))[1].get("Connected"):
                    await asyncio.wait([call], timeout=AGAIN_S)
            await call
        except TimeoutError:
            raise LinkError(*_FAILURES["ConnectionAttemptFailed"]) from None
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        return True

    async def _let_go(self, address: str) -> None:
        """End what BlueZ still does for this pairing, and the link: a session makes its own.

        CancelPairing after a good end would take the key from the kernel, though not from bluetoothd's disk (5.66).
        """
        if not self._registered.is_set():
            return
        with suppress(BusUnavailable):
            path, known = await self._service.device(address)
            if not known.get("Paired"):
                with suppress(Refusal):
                    await self._service.call(path, DEVICE, "CancelPairing", limit_s=LET_GO_S)
            if known.get("Connected"):
                await self._service.call(path, DEVICE, "Disconnect", limit_s=LET_GO_S)

    # -- the agent --------------------------------------------------------------------------------------------------

    def _called(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.interface != AGENT:
            return None
        if message.member in ("Cancel", "Release"):
            self._withdraw()
            return bool(message.flags & MessageFlag.NO_REPLY_EXPECTED) or Message.new_method_return(message)
        request = _request(message)
        do, why = decide(self._window, request, self._mono_s())
        if do is Do.ACCEPT:
            return Message.new_method_return(message)
        if do is Do.REJECT:
            self.counts["pairings_rejected"] += 1
            log.warning("pairing rejected address=%s method=%s reason=%r", request.address, request.method, why)
            self._refused(request.address)
            return Message.new_error(message, f"{_ERROR}.Rejected", why)
        self._asked = message, do
        number = {"number": f"{message.body[1]:06d}"} if do is Do.ASK_SAME_NUMBER else {}
        self._steps.put_nowait({"state": do.value} | number)
        return True

    def _withdraw(self) -> None:
        """Let the question go, if there is one: rejected as far as BlueZ is concerned."""
        if self._asked is not None:
            self._reply(Message.new_error(self._asked[0], f"{_ERROR}.Rejected", "nobody has answered"))
            self._steps.put_nowait({"state": "withdrawn"})

    def _reply(self, reply: Message) -> None:
        self._asked = None
        self._send(reply)


def _request(message: Message) -> Request:
    device = str(message.body[0]) if message.body else ""
    return Request(str(message.member), device.rpartition("dev_")[2].replace("_", ":"))
