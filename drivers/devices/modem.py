"""4G modems that speak AT commands (SIMCom SIM7600, Quectel EC200): text messages, signal, registration.

A session: the modem is set up, then waited for until a network has it (ready), then looked at every `poll_s`. Orders
are followed one after the other; what became of each is told with an SmsReport: sent or failed at once, delivered when
the network's status report comes. A report that comes after the session's end is lost: nobody claims the message then.

Sources: 3GPP TS 27.005 (SMS: +CMGF, +CNMI, +CMGS, +CDS), 27.007 (+CPIN, +CSQ, +CREG, +CEREG, +CME ERROR); waiting times
from Quectel EC2x AT commands manual, +CMGS: 120 s. Written for both families from these papers; run against emulated
ones only.
"""

import asyncio
from typing import Annotated

import msgspec

from drivers.devices import sms_pdu
from drivers.devices.at import Answer, Dialogue, Event, Prompt, Refusal, Report, numbers
from drivers.devices.serial_settings import Baudrate, Port
from gateway.model.reading import Quantity, QuantityKind, SmsReport, SmsState
from gateway.spi import DeviceRejected, Driver, Link, LinkError, LinkLost, SendSms, SerialPort, Tested

ANSWER_S, PROMPT_S, SEND_S = 5.0, 10.0, 120.0
SEARCH_S, LOOK_S = 50.0, 2.0
CARD = "switch off, put a SIM card into the modem that works in a phone, switch on"
PIN = "take the card's PIN off in a phone (SIM lock), then put it back"
AT_PORT = "check that `port` is its AT port (of a SIM7600 the one that ends in -if02-port0) and `baudrate`"
NETWORK = "check the antenna and that the card's contract is paid; look at the signal in `anju devices`"
_CARD = {  # 27.007, 9.2: the card is wrong, and asking again does not mend it
    10: ("there is no SIM card", CARD), 13: ("the SIM card fails", CARD), 15: ("the SIM card is of a wrong kind", CARD),
    11: ("the SIM card wants its PIN", PIN), 12: ("the SIM card is locked and wants its PUK", PIN)}
_NOT_SENT = {  # 27.005, 3.2.5 and 3GPP TS 24.011, E.2
    1: "the number is not assigned", 8: "the operator bars it", 10: "the card is barred", 21: "the network rejects it",
    27: "the phone is out of service", 28: "the network does not know the card", 38: "the network is out of order",
    41: "the network has a passing failure", 42: "the network is congested", 50: "the contract has no text messages",
    310: "there is no SIM card", 330: "the card has no service centre's number", 331: "there is no network",
    332: "the network does not answer"}
_REGISTERED = {1, 5, 6, 7}  # 27.007, 7.2: home, roaming, each also for text messages only


class ModemSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`port`: the one on which the modem answers AT commands. `poll_s`: how often its signal is looked at."""

    port: Port
    baudrate: Baudrate = 115200
    poll_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0


class Refused(Exception):
    """The modem answered with an error."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.source} error {refusal.code}")
        self.refusal = refusal


class Modem:
    """One session's modem. listen() must run beside everything else; commands are asked one at a time."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._dialogue = Dialogue()
        self._turn = asyncio.Lock()
        self._came: asyncio.Queue[Answer | Refusal | Prompt] = asyncio.Queue()
        self.reports: asyncio.Queue[Report] = asyncio.Queue(256)

    async def listen(self) -> None:
        """Take what comes, for ever. Raises LinkLost."""
        while True:
            _, data = await self._port.read(60.0)
            before = self._dialogue.noise_bytes
            for event in self._dialogue.feed(data):
                self._take(event)
            self._port.noise(self._dialogue.noise_bytes - before)
            await asyncio.sleep(0)

    def _take(self, event: Event) -> None:
        match event:
            case Answer() | Refusal() | Prompt():
                self._came.put_nowait(event)
            case Report() if not self.reports.full():
                self.reports.put_nowait(event)
            case _:
                pass

    async def ask(self, command: str, prefix: str = "", wait_s: float = ANSWER_S) -> tuple[str, ...]:
        """Return the information that answers a command. Raises Refused, LinkLost."""
        async with self._turn:
            await self._begin(command, prefix)
            return (await self._answer(command, wait_s)).lines

    async def send(self, part: sms_pdu.Submit) -> int:
        """Send one message; return its reference. Raises Refused, LinkLost."""
        async with self._turn:
            await self._begin(f"AT+CMGS={part.length}", "+CMGS", offers=True)
            try:
                await self._expect("AT+CMGS", PROMPT_S)
            except LinkLost:
                await self._port.write(b"\x1b")  # else it takes the next command for the text
                raise
            await self._port.write(part.pdu.encode("ascii") + b"\x1a")
            lines = (await self._answer("AT+CMGS", SEND_S)).lines
            return (numbers(lines[0]) or [0])[0] if lines else 0

    async def _begin(self, command: str, prefix: str, *, offers: bool = False) -> None:
        while not self._came.empty():  # an answer that came in the moment in which it was given up
            self._came.get_nowait()
        self._dialogue.ask(prefix, offers=offers)
        await self._port.write(f"{command}\r".encode("ascii"))

    async def _answer(self, command: str, wait_s: float) -> Answer:
        came = await self._expect(command, wait_s)
        if isinstance(came, Answer):
            return came
        raise LinkLost(f"the modem answers {command} out of turn", "none needed: the session begins anew")

    async def _expect(self, command: str, wait_s: float) -> Answer | Prompt:
        try:
            async with asyncio.timeout(wait_s):
                came = await self._came.get()
        except TimeoutError:
            self._dialogue.give_up()
            raise LinkLost(f"the modem does not answer {command}", f"{AT_PORT}; switch it off and on") from None
        if isinstance(came, Refusal):
            raise Refused(came)
        return came


async def run(link: Link[ModemSettings], port: SerialPort) -> None:
    """Serve orders for ever."""
    modem = Modem(port)
    async with asyncio.TaskGroup() as group:
        group.create_task(modem.listen())
        await _set_up(modem)
        await _registered(modem)
        link.ready()
        outgoing = Outgoing(link, modem)
        group.create_task(outgoing.follow())
        group.create_task(outgoing.confirm())
        while True:
            await _look(link, modem)
            await asyncio.sleep(link.settings.poll_s)


async def _set_up(modem: Modem) -> None:
    """Make the modem talk as we expect. Raises DeviceRejected where its card cannot work."""
    for attempt in range(3):  # a modem that has just got power, or holds half a command, misses the first
        try:
            await modem.ask("AT", wait_s=1.0)
            break
        except (LinkLost, Refused):
            if attempt == 2:
                raise LinkLost("the modem does not answer AT", AT_PORT) from None
    try:
        await modem.ask("ATE0")
        await modem.ask("AT+CMEE=1")
        card = (await modem.ask("AT+CPIN?", "+CPIN"))[:1]
        if card != ("READY",):
            locked = " ".join(card)
            raise DeviceRejected(f"the SIM card is locked ({locked})", PIN)
        for command in ("AT+CMGF=0", "AT+CNMI=2,0,0,1,0", "AT+CREG=0", "AT+CEREG=0"):
            await modem.ask(command)
    except Refused as refused:
        source, code = refused.refusal
        if source == "CME" and code in _CARD:
            raise DeviceRejected(*_CARD[code]) from None
        raise LinkLost(f"the modem refuses its settings ({refused})", "switch it off and on") from None


async def _registered(modem: Modem) -> None:
    """Wait until a network has the modem. Raises LinkLost where none does in time."""
    for _ in range(int(SEARCH_S / LOOK_S)):
        if await _has_network(modem):
            return
        await asyncio.sleep(LOOK_S)
    raise LinkLost("the modem finds no network", NETWORK)


async def _has_network(modem: Modem) -> bool:
    for command, prefix in (("AT+CEREG?", "+CEREG"), ("AT+CREG?", "+CREG")):
        try:
            lines = await modem.ask(command, prefix)
        except Refused:
            continue
        if lines and set(numbers(lines[0])[1:2]) & _REGISTERED:
            return True
    return False


async def _look(link: Link[ModemSettings], modem: Modem) -> None:
    """Tell the signal. Raises LinkLost where the network has lost the modem."""
    try:
        strength = (numbers((await modem.ask("AT+CSQ", "+CSQ") or ("",))[0]) or [99])[0]
    except Refused as refused:
        raise LinkLost(f"the modem does not tell its signal ({refused})", "switch it off and on") from None
    if not await _has_network(modem):
        raise LinkLost("the modem has lost its network", NETWORK)
    link.alive()
    if strength <= 31:  # 27.007, 8.5; 99: not known
        link.emit(Quantity(QuantityKind.SIGNAL, round(strength / 31 * 100)), asyncio.get_running_loop().time())


class Outgoing:
    """The messages of one session: sent in order, then watched for until the network confirms them."""

    def __init__(self, link: Link[ModemSettings], modem: Modem) -> None:
        self._link, self._modem = link, modem
        self._sent: set[str] = set()
        self._open: dict[int, SendSms] = {}  # message reference -> order
        self._parts = 0
        self._turn = asyncio.Lock()  # a report may come on the first part while the last is not sent: it waits

    async def follow(self) -> None:
        async for order in self._link.orders():
            if isinstance(order, SendSms):
                if order.id not in self._sent:
                    async with self._turn:
                        await self._send(order)
                else:
                    self._tell(order, SmsState.SENT)

    async def _send(self, order: SendSms) -> None:
        """Send all parts; a message of which the network has only some is a failed one."""
        try:
            self._parts = self._parts % 255 + 1
            references = [await self._modem.send(part)
                          for part in sms_pdu.submit(order.number, order.text, self._parts)]
        except ValueError as error:
            self._tell(order, SmsState.FAILED, str(error), "mend `numbers` in [sms]")
        except Refused as refused:
            code = refused.refusal.code
            why = _NOT_SENT.get(code or 0, f"the modem does not send it ({refused})")
            self._tell(order, SmsState.FAILED, why, NETWORK)
        except LinkError as error:
            self._tell(order, SmsState.FAILED, error.reason, error.cure)
            raise
        else:
            self._sent.add(order.id)
            self._open |= dict.fromkeys(references, order)
            self._tell(order, SmsState.SENT)

    async def confirm(self) -> None:
        """Tell what the network's status reports say."""
        while True:
            told = sms_pdu.delivery((await self._modem.reports.get()).pdu)
            if told is not None and (told.delivered or told.given_up):
                async with self._turn:
                    self._settle(told)

    def _settle(self, told: sms_pdu.Delivery) -> None:
        order = self._open.pop(told.reference, None)
        if order is None:
            return
        if told.given_up:
            self._open = {key: other for key, other in self._open.items() if other.id != order.id}
            self._sent.discard(order.id)
            self._tell(order, SmsState.FAILED, f"the network could not deliver it (status {told.status})",
                       "check the number and that the phone is on")
        elif all(other.id != order.id for other in self._open.values()):
            self._tell(order, SmsState.DELIVERED)

    def _tell(self, order: SendSms, state: SmsState, reason: str = "", cure: str = "") -> None:
        now_s = asyncio.get_running_loop().time()
        self._link.emit(SmsReport(order.id, order.number, state, reason, cure), now_s)


DRIVER = Driver(name="modem", title="4G modem (SIM7600, EC200) for text messages", bus="serial", settings=ModemSettings,
                run=run, gives=("signal", "sms"), takes=("sms",), start_s=75.0, silence_s=None,
                tested=(Tested.VECTORS, Tested.EMULATED))
