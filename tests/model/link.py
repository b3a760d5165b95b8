"""MQTT in memory: a broker between one gateway and its city, in which every packet moves only when it is told to.

What it obeys, as a broker with QoS 1 does (MQTT 5, 3.3, 3.4, 4.3.2, 4.4, 4.6):
    a gateway never has more than `in_flight` publications without their PUBACK; more is a fault of the gateway
    publish() returns with the PUBACK and raises LinkDropped where the link is cut before
    each topic keeps its order, among topics there is none; the city may be given a message again
    a cut loses whatever is on the wire, in both directions; the gateway's session is clean, nothing is kept for it
    the broker may forget what it has acknowledged and not yet handed over

    gateway --sent--> broker --queued--> city           city --(publish_down)--> broker --down--> gateway
            <-pubacks-
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.config.schema import City
from gateway.sync.errors import LinkDropped, TopicRefused, Unreachable
from gateway.sync.session import IN_FLIGHT, PACKET_BYTES, V5, Message


@dataclass(frozen=True, slots=True)
class Packet:
    """A message with the PUBACK that its publisher waits for."""

    topic: str
    payload: bytes
    puback: asyncio.Future[None]


class MemorySession:
    """The gateway's end: what gateway.sync.session.Session is over a socket."""

    def __init__(self, broker: "MemoryBroker") -> None:
        self._broker = broker
        self.version = V5
        self.in_flight = broker.in_flight
        self.packet_bytes = PACKET_BYTES
        self.topics: set[str] = set()
        self.incoming: asyncio.Queue[Message | None] = asyncio.Queue()
        self.unanswered: list[asyncio.Future[None]] = []
        self.alive = True

    async def publish(self, topic: str, payload: bytes) -> None:
        self._check()
        assert len(self.unanswered) < self.in_flight, "more publications without a PUBACK than the broker allows"
        puback: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.unanswered.append(puback)
        self._broker.sent.append(Packet(topic, payload, puback))
        self._broker.watch.departed(self, topic, payload)
        try:
            await puback
        finally:
            if puback in self.unanswered:
                self.unanswered.remove(puback)

    async def subscribe(self, *topics: str) -> None:
        self._check()
        self.topics |= set(topics)

    async def messages(self) -> AsyncIterator[Message]:
        while (message := await self.incoming.get()) is not None:
            yield message
        raise _dropped()

    def end(self) -> None:
        """Whoever waits learns that the link is cut."""
        self.alive = False
        self.incoming.put_nowait(None)
        for puback in self.unanswered:
            if not puback.done():
                puback.set_exception(_dropped())
                puback.exception()  # seen: whoever published may be gone

    def _check(self) -> None:
        if not self.alive:
            raise _dropped()


class Watch:
    """Hears what a gateway does on the link."""

    def began(self, session: MemorySession) -> None:
        """A session has begun."""

    def departed(self, session: MemorySession, topic: str, payload: bytes) -> None:
        """A publication is on its way."""


class MemoryBroker:
    """The broker and its wires."""

    def __init__(self, in_flight: int = IN_FLIGHT, watch: Watch | None = None) -> None:
        self.in_flight = in_flight
        self.watch = watch or Watch()
        self.reachable = True
        self.refused: set[str] = set()
        self.session: MemorySession | None = None
        self.sent: deque[Packet] = deque()
        self.pubacks: deque[Packet] = deque()
        self.queued: defaultdict[str, deque[bytes]] = defaultdict(deque)
        self.down: deque[Message] = deque()

    @contextlib.asynccontextmanager
    async def connect(self, city: City, client_id: str, check_dates: bool, first: object, connack_s: float = 10.0
                      ) -> AsyncIterator[MemorySession]:
        """What gateway.sync.session.connect is over a socket."""
        await asyncio.sleep(0)
        if not self.reachable:
            raise Unreachable("no connection", "heal the link")
        self.cut()  # a second connection under a client id ends the first (MQTT 5, 3.1.4)
        self.session = session = MemorySession(self)
        self.watch.began(session)
        try:
            yield session
        finally:
            if self.session is session:
                self.cut()

    def cut(self) -> None:
        """End the session, and lose what is on its wires."""
        if self.session is not None:
            self.session.end()
        self.session = None
        self.sent.clear()
        self.pubacks.clear()
        self.down.clear()

    def forget(self) -> None:
        """Start anew, as a broker without persistence does."""
        self.cut()
        self.queued.clear()

    def take(self, count: int) -> None:
        """The broker gets so many of the packets sent."""
        for _ in range(min(count, len(self.sent))):
            packet = self.sent.popleft()
            if packet.topic not in self.refused:
                self.queued[packet.topic].append(packet.payload)
            self.pubacks.append(packet)

    def answer(self, count: int) -> None:
        """The gateway gets so many PUBACKs."""
        for _ in range(min(count, len(self.pubacks))):
            packet = self.pubacks.popleft()
            if packet.puback.done():
                continue
            if packet.topic in self.refused:
                packet.puback.set_exception(TopicRefused(f"{packet.topic} is refused", "allow it"))
            else:
                packet.puback.set_result(None)

    def deliver(self, topic: str, count: int, again: bool = False) -> list[bytes]:
        """Hand so many messages of a topic to the city; `again`: its PUBACKs get lost, so that they come once more."""
        queue = self.queued[topic]
        if again:
            return list(queue)[:count]
        return [queue.popleft() for _ in range(min(count, len(queue)))]

    def publish_down(self, topic: str, payload: bytes) -> None:
        """The city publishes."""
        if self.session is not None and topic in self.session.topics:
            self.down.append(Message(topic, payload, retained=False))

    def hand_over(self, count: int) -> None:
        """The gateway gets so many of the messages to it."""
        for _ in range(min(count, len(self.down))):
            message = self.down.popleft()
            if self.session is not None:
                self.session.incoming.put_nowait(message)


def _dropped() -> LinkDropped:
    return LinkDropped("the connection ended", "heal the link")
