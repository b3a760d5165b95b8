"""A link in memory and a clock that moves when told, for the tests of one conversation after another."""

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.config.schema import City
from gateway.model.command import Command, CommandResult, Outcome
from gateway.model.time import ClockQuality, Stamp
from gateway.store import Limits, Store, StoreError
from gateway.sync import Uplink
from gateway.sync.errors import TopicRefused, Unreachable
from gateway.sync.session import PACKET_BYTES, V5, Message
from tests.unit.sync.kit import BOOT

GATEWAY = "flat-12"
REAL_S = 0.002  # between two looks at what only the store's thread can bring about
TURNS = 4  # of the store's thread and the loop in turn: what one does may wake the other


class Hours:
    """Time that passes when told. `idle` waits until everybody has done what takes no time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.idle: Callable[[], Awaitable[None]]
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> Stamp:
        return Stamp(BOOT, self.now_s, 1_770_000_000.0 + self.now_s, ClockQuality.SYNCED)

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_s + seconds, waking))
        await waking

    async def go_on(self, seconds: float) -> None:
        """Let time pass, from one sleeper's end to the next."""
        end_s = self.now_s + seconds
        await self.idle()
        while due := [(at_s, waking) for at_s, waking in self._sleepers if at_s <= end_s and not waking.done()]:
            self.now_s, waking = min(due, key=lambda sleeper: sleeper[0])
            waking.set_result(None)
            self._sleepers = [(at_s, waking) for at_s, waking in self._sleepers if not waking.done()]
            await self.idle()
        self.now_s = end_s


def told(payload: bytes) -> list[dict[str, Any]]:
    """The envelopes of a publication."""
    plain = zlib.decompress(payload) if payload[:1] == b"\x78" else payload
    found = json.loads(plain)
    return found if plain[:1] == b"[" else [found]


def acknowledging(payload: bytes, **other: Any) -> list[dict[str, Any]]:
    """What a city answers that has committed a publication; `other` words in place of the right ones."""
    last = told(payload)[-1]
    return [{"epoch": last["epoch"], "lane": last["lane"], "upto": int(last["sequence"]), "id": last["id"]} | other]


@dataclass
class Counting:
    """A city that acknowledges across numbers without a hole and begins at 1 whatever it is told."""

    never: set[str] = field(default_factory=set)
    """Ids that it cannot take."""
    has: dict[str, None] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)

    def __call__(self, payload: bytes) -> list[dict[str, Any]]:
        for found in told(payload):
            numbers = self._numbers.setdefault((found["epoch"], found["lane"]), {})
            if found["id"] not in self.never:
                self.has[found["id"]] = None
                numbers[int(found["sequence"])] = found["id"]
        upto = next(number for number in range(len(numbers) + 1) if number + 1 not in numbers)
        return [{"epoch": found["epoch"], "lane": found["lane"], "upto": upto, "id": numbers[upto]}] if upto else []

    def back(self, upto: int) -> None:
        """Be restored from a backup that knows the first numbers alone."""
        self._numbers = {key: {number: id_ for number, id_ in numbers.items() if number <= upto}
                         for key, numbers in self._numbers.items()}


Answer = Callable[[bytes], list[dict[str, Any]]]


@dataclass
class Line:
    """A broker with a city behind it: gives every PUBACK at once, and what `answer` makes of a payload."""

    answer: Answer = acknowledging
    reachable: bool = True
    attempts: int = 0
    refuses: set[str] = field(default_factory=set)
    """Ids whose publication the broker refuses."""
    packet_bytes: int = PACKET_BYTES
    in_flight: int = 16
    carried: list[list[bytes]] = field(default_factory=list)
    """What was published, session by session."""

    def payloads(self) -> list[bytes]:
        return [payload for session in self.carried for payload in session]

    @contextlib.asynccontextmanager
    async def connect(self, city: City, client_id: str, check_dates: bool, first: object, connack_s: float
                      ) -> AsyncIterator["_Session"]:
        self.attempts += 1
        if not self.reachable:
            raise Unreachable("no way there", "mend the way")
        self.carried.append([])
        yield _Session(self, self.carried[-1])


class _Session:
    version = V5

    def __init__(self, line: Line, carried: list[bytes]) -> None:
        self.packet_bytes, self.in_flight = line.packet_bytes, line.in_flight
        self._waiting = 0
        self._line, self._carried = line, carried
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()

    async def publish(self, topic: str, payload: bytes) -> None:
        if self._line.refuses & {found["id"] for found in told(payload)}:
            await asyncio.sleep(0)
            raise TopicRefused("the broker refuses this one", "ask the city why")
        self._waiting += 1
        assert self._waiting <= self.in_flight, "more without a PUBACK than the broker allows"
        self._carried.append(payload)
        for ack in self._line.answer(payload):
            self._incoming.put_nowait(Message(f"anju/v1/{GATEWAY}/down/ack", json.dumps(ack).encode(), retained=False))
        await asyncio.sleep(0)
        self._waiting -= 1

    async def subscribe(self, *topics: str) -> None:
        await asyncio.sleep(0)

    async def messages(self) -> AsyncIterator[Message]:
        while True:
            yield await self._incoming.get()


@dataclass
class Home:
    """A real store with an uplink on a line."""

    store: Store
    uplink: Uplink
    hours: Hours
    sent: list[list[str]]
    received: list[str]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something has come about that needs no time but the store's."""
        async with asyncio.timeout(10):
            while not done():
                await asyncio.sleep(REAL_S)


@contextlib.asynccontextmanager
async def home(folder: Path, line: Line, rng: float = 0.5) -> AsyncIterator[Home]:
    hours = Hours()
    sent: list[list[str]] = []
    received: list[str] = []

    async def obey(command: Command) -> CommandResult:
        return CommandResult(command.id, Outcome.DONE)

    store = await Store.open(folder, Limits(telemetry_delay_s=0.0))

    async def idle() -> None:
        for _ in range(TURNS):
            with contextlib.suppress(StoreError):
                await store.detector("")  # the thread serves in order: what was asked before is answered
            for _ in range(20):
                await asyncio.sleep(0)

    hours.idle = idle
    try:
        uplink = Uplink(store, City(host="memory", tls=False), GATEWAY, now=hours.now, rng=lambda: rng,
                        on_sent=lambda ids: sent.append(list(ids)), on_received=received.extend, on_command=obey,
                        sleep=hours.sleep, connect=line.connect)
        running = asyncio.create_task(uplink.run())
        try:
            yield Home(store, uplink, hours, sent, received)
        finally:
            assert not running.done(), running.exception()
            running.cancel()
            await asyncio.wait([running])
    finally:
        await store.close()
