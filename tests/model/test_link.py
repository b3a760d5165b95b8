"""The link in memory is one: what holds of a session over mosquitto holds of it too. One suite for both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import aiomqtt
import pytest

from gateway.config.schema import City
from gateway.sync import session
from gateway.sync.errors import LinkDropped, Unreachable
from gateway.sync.session import IN_FLIGHT, PACKET_BYTES, V5, Link, Message
from hil.resources.proxy import Proxy
from tests.model.link import MemoryBroker
from tests.system.broker import GATEWAY, HOST, mosquitto

ALARM, EVENT = f"anju/v1/{GATEWAY}/up/alarm", f"anju/v1/{GATEWAY}/up/event"
ACK, COMMAND = f"anju/v1/{GATEWAY}/down/ack", f"anju/v1/{GATEWAY}/down/command"
FEW_SLOTS = 3
SOON_S = 0.2  # what has not come by then does not come by itself


class Ends(Protocol):
    """Both ends of a link and what can happen to it. `arrived`: what the city got, in the order of its arrival."""

    arrived: list[tuple[str, bytes]]

    def connect(self) -> contextlib.AbstractAsyncContextManager[Link]: ...
    async def city_sends(self, topic: str, payload: bytes) -> None: ...
    async def stall(self) -> None: ...
    async def cut(self) -> None: ...
    async def heal(self) -> None: ...


class InMemory:
    def __init__(self, slots: int) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self._broker = MemoryBroker(slots)
        self._flows = True

    def connect(self) -> contextlib.AbstractAsyncContextManager[Link]:
        return self._broker.connect(City(host="memory", tls=False), GATEWAY, True, V5)

    async def city_sends(self, topic: str, payload: bytes) -> None:
        self._broker.publish_down(topic, payload)

    async def stall(self) -> None:
        self._flows = False

    async def cut(self) -> None:
        self._broker.reachable = False
        self._broker.cut()

    async def heal(self) -> None:
        self._broker.reachable = self._flows = True

    async def flow(self) -> None:
        """Move every packet as soon as it is there."""
        while True:
            if self._flows:
                self._broker.take(1)
                self._broker.answer(1)
                self._broker.hand_over(1)
                for topic in list(self._broker.queued):
                    self.arrived += [(topic, payload) for payload in self._broker.deliver(topic, 1)]
            await asyncio.sleep(0)


class OverMosquitto:
    def __init__(self, proxy: Proxy, client: aiomqtt.Client) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self._proxy, self._client = proxy, client

    def connect(self) -> contextlib.AbstractAsyncContextManager[Link]:
        return session.connect(City(host=HOST, port=self._proxy.port, tls=False), GATEWAY, True, V5, 5.0)

    async def city_sends(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=1)

    async def stall(self) -> None:
        self._proxy.stall()

    async def cut(self) -> None:
        await self._proxy.cut()

    async def heal(self) -> None:
        await self._proxy.heal()

    async def listen(self) -> None:
        async for message in self._client.messages:
            self.arrived.append((str(message.topic), bytes(message.payload)))


@contextlib.asynccontextmanager
async def _in_memory(slots: int, folder: Path) -> AsyncIterator[Ends]:
    ends = InMemory(slots)
    flowing = asyncio.create_task(ends.flow())
    try:
        yield ends
    finally:
        flowing.cancel()
        await asyncio.wait([flowing])


@contextlib.asynccontextmanager
async def _over_mosquitto(slots: int, folder: Path) -> AsyncIterator[Ends]:
    async with mosquitto(folder, f"max_inflight_messages {slots}") as broker:
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with aiomqtt.Client(HOST, broker.port, identifier="city") as client:
            await client.subscribe("anju/v1/+/up/+", qos=1)
            ends = OverMosquitto(proxy, client)
            listening = asyncio.create_task(ends.listen())
            try:
                yield ends
            finally:
                listening.cancel()
                await asyncio.wait([listening])
                await proxy.close()


KINDS = {"in memory": _in_memory, "over mosquitto": _over_mosquitto}


@pytest.fixture(params=KINDS)
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    async with KINDS[request.param](20, tmp_path) as found:
        yield found


async def _until(ends: Ends, count: int) -> list[tuple[str, bytes]]:
    async with asyncio.timeout(10):
        while len(ends.arrived) < count:
            await asyncio.sleep(0.01)
    return ends.arrived


async def _next(messages: AsyncIterator[Message], count: int = 1) -> list[Message]:
    async with asyncio.timeout(10):
        return [await anext(messages) for _ in range(count)]


async def test_each_topic_keeps_its_order_up_to_the_city(ends: Ends) -> None:
    async with ends.connect() as link, asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(link.publish(ALARM if number % 2 else EVENT, b"%d" % number))
    arrived = await _until(ends, 8)
    assert [payload for topic, payload in arrived if topic == ALARM] == [b"1", b"3", b"5", b"7"]
    assert [payload for topic, payload in arrived if topic == EVENT] == [b"0", b"2", b"4", b"6"]


async def test_publish_returns_when_the_broker_has_answered_and_not_before(ends: Ends) -> None:
    async with ends.connect() as link:
        await ends.stall()
        publishing = asyncio.create_task(link.publish(EVENT, b"slow"))
        done, _ = await asyncio.wait([publishing], timeout=SOON_S)
        assert not done
        await ends.heal()
        await asyncio.wait_for(publishing, 10)
    assert await _until(ends, 1) == [(EVENT, b"slow")]


async def test_a_cut_ends_the_session_and_what_was_under_way_is_not_answered(ends: Ends) -> None:
    async with ends.connect() as link:
        await link.subscribe(ACK, COMMAND)
        hearing = asyncio.create_task(_next(link.messages()))
        await ends.stall()
        publishing = asyncio.create_task(link.publish(EVENT, b"lost"))
        await asyncio.wait([publishing], timeout=SOON_S)
        await ends.cut()
        with pytest.raises(LinkDropped):
            await asyncio.wait_for(hearing, 10)
        publishing.cancel()  # whether it hears of the cut itself, or of its session's end: it must not return
        assert isinstance((await asyncio.gather(publishing, return_exceptions=True))[0],
                          LinkDropped | asyncio.CancelledError)
        with pytest.raises(LinkDropped):
            await link.publish(EVENT, b"late")
        with pytest.raises(LinkDropped):
            await link.subscribe(ACK)
    await ends.heal()
    async with ends.connect() as link:
        await link.publish(EVENT, b"next")
    assert await _until(ends, 1) == [(EVENT, b"next")]


async def test_a_link_that_is_gone_is_unreachable_until_it_heals(ends: Ends) -> None:
    await ends.cut()
    with pytest.raises(Unreachable):
        async with ends.connect():
            pytest.fail("there is no link")
    await ends.heal()
    async with ends.connect() as link:
        await link.publish(EVENT, b"again")
    assert await _until(ends, 1) == [(EVENT, b"again")]


async def test_what_was_answered_outlives_the_session(ends: Ends) -> None:
    async with ends.connect() as link:
        await link.publish(ALARM, b"help")
        await ends.cut()
    assert await _until(ends, 1) == [(ALARM, b"help")]


async def test_what_the_city_sends_comes_in_order_fresh_and_on_the_topics_asked_for(ends: Ends) -> None:
    async with ends.connect() as link:
        await link.subscribe(ACK)
        await ends.city_sends(COMMAND, b"not asked for")
        for number in range(5):
            await ends.city_sends(ACK, b"%d" % number)
        assert await _next(link.messages(), 5) == [Message(ACK, b"%d" % number, False) for number in range(5)]


async def test_nothing_is_kept_for_a_gateway_that_is_away(ends: Ends) -> None:
    async with ends.connect() as link:
        await link.subscribe(ACK)
    await ends.city_sends(ACK, b"while away")
    async with ends.connect() as link:
        await link.subscribe(ACK)
        await ends.city_sends(ACK, b"now")
        assert await _next(link.messages()) == [Message(ACK, b"now", False)]


async def test_a_second_session_ends_the_first(ends: Ends) -> None:
    async with ends.connect() as first:
        await first.subscribe(ACK)
        hearing = asyncio.create_task(_next(first.messages()))
        async with ends.connect() as second:
            with pytest.raises(LinkDropped):
                await asyncio.wait_for(hearing, 10)
            await second.publish(EVENT, b"mine")
    assert await _until(ends, 1) == [(EVENT, b"mine")]


async def test_a_publication_given_up_by_its_caller_harms_no_other(ends: Ends) -> None:
    async with ends.connect() as link:
        await ends.stall()
        given_up = asyncio.create_task(link.publish(EVENT, b"given up"))
        await asyncio.wait([given_up], timeout=SOON_S)
        given_up.cancel()
        await asyncio.wait([given_up])
        await ends.heal()
        await asyncio.wait_for(link.publish(ALARM, b"other"), 10)
    assert (ALARM, b"other") in await _until(ends, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_session_tells_what_the_broker_grants(kind: str, tmp_path: Path) -> None:
    async with KINDS[kind](FEW_SLOTS, tmp_path) as ends, ends.connect() as link:
        assert (link.in_flight, link.packet_bytes, link.version) == (FEW_SLOTS, PACKET_BYTES, V5)
    async with KINDS[kind](IN_FLIGHT, tmp_path) as ends, ends.connect() as link:
        assert link.in_flight == IN_FLIGHT
