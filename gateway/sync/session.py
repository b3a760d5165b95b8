"""Session: one connection to the city's broker. The only module that imports MQTT.

Nothing here is trusted to remember: every session starts clean (MQTT 5 "clean start", 3.1.1 "clean session"), so a
broker that forgets, swaps or duplicates sessions cannot matter. What was not acknowledged is sent again by the uplink.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config.schema import City
from gateway.sync import credentials, errors
from gateway.sync.batch import content_type

CONNACK_S = 10.0  # the longest wait for the broker's first word
PUBACK_S = 15.0  # the longest wait for any other: a mobile link with bad signal needs some seconds
KEEPALIVE_S = 30  # MQTT 5, 3.1.2.10: a dead link is noticed within one and a half times this
IN_FLIGHT = 16  # below the 20 that mosquitto allows by default (max_inflight_messages)
PACKET_BYTES = 268_435_460  # the longest packet there is: MQTT 5, 2.1.4 and 3.2.2.3.6
PROBE_S = 2.0

V5, V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
VERSION_NAME = {V5: "5", V311: "3.1.1"}

# MQTT 5, 3.2.2.2; paho gives the codes of 3.1.1 as their MQTT 5 equals
_UNSUPPORTED_VERSION, _BAD_CLIENT_ID, _BAD_CREDENTIALS, _NOT_AUTHORISED = 0x84, 0x85, 0x86, 0x87
_FAILURE = 0x80


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker handed over. `retained`: it is old, somebody left it there."""

    topic: str
    payload: bytes
    retained: bool


class Link(Protocol):
    """What the uplink needs of a live connection. Every method raises SessionError when it is over.

    `in_flight`: how many publications may wait for their PUBACK. `packet_bytes`: the longest packet the broker takes.
    """

    version: aiomqtt.ProtocolVersion
    in_flight: int
    packet_bytes: int

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return at the broker's PUBACK. Raises TopicRefused where it does not take this one."""

    async def subscribe(self, *topics: str) -> None:
        """Return when all of them are granted. Raises NotAuthorised."""

    def messages(self) -> AsyncIterator[Message]:
        """Yield what arrives, in order, until the connection ends."""


Connect = Callable[[City, str, bool, aiomqtt.ProtocolVersion, float], contextlib.AbstractAsyncContextManager[Link]]
"""(city, client_id, check_dates, first_version, connack_s) -> a connection; entering it raises SessionError."""


class _ClosedEarly(aiomqtt.MqttError):
    """The broker closed the connection instead of answering CONNECT."""


_message: ContextVar[int] = ContextVar("message", default=0)
"""The packet identifier that the running task published under last."""


class _Client(aiomqtt.Client):
    """aiomqtt 2.5.1 with its gaps closed; each override says which."""

    in_flight = IN_FLIGHT
    packet_bytes = PACKET_BYTES
    refused: dict[int, ReasonCode]  # by packet identifier, until its publisher has seen it
    _left = False

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode,
                    properties: Properties | None = None) -> None:
        """Upstream ignores the broker's Receive Maximum and Maximum Packet Size (MQTT 5, 3.2.2.3.3 and 3.2.2.3.6)."""
        self.in_flight = min(IN_FLIGHT, getattr(properties, "ReceiveMaximum", IN_FLIGHT))
        self.packet_bytes = getattr(properties, "MaximumPacketSize", PACKET_BYTES)
        if not self._connected.done():
            super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode,
                       properties: Properties | None = None) -> None:
        """Upstream ignores an end before CONNACK and waits for its whole timeout."""
        if self._left or self._connected.cancelled():
            return
        if not self._connected.done():
            self._connected.set_exception(_ClosedEarly("closed before CONNACK"))
        else:
            super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
                    ) -> None:
        """Upstream takes a PUBACK that refuses (MQTT 5, 3.4.2.1) for success.

        And TCP: a broker with Nagle's algorithm on (mosquitto's default) holds the city's answer back until this PUBACK
        is acknowledged, which Linux delays by 40 ms unless told otherwise, each time (tcp(7), TCP_QUICKACK).
        """
        if (sock := client.socket()) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if reason_code.value >= _FAILURE:
            self.refused[mid] = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _pending_call(self, mid: int, value: Any, pending_dict: dict[int, Any]) -> Any:
        """Upstream's publish() does not say which message it was."""
        _message.set(mid)
        return super()._pending_call(mid, value, pending_dict)

    async def while_connected(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await a call, or the end of the connection, which upstream's subscribe() does not notice."""
        calling: asyncio.Future[Any] = asyncio.ensure_future(call)
        try:
            await asyncio.wait([calling, self._disconnected], return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                self._disconnected.result()  # raises where the connection broke
                raise aiomqtt.MqttError("the broker ended the connection")
            return calling.result()
        finally:
            calling.cancel()

    async def leave(self) -> None:
        """End in any state. Upstream keeps socket and task of a connection that failed or was cancelled midway."""
        self._left = True
        await asyncio.sleep(0)  # writers that upstream registered from its thread take hold before they are removed
        self._client.on_socket_register_write = None  # from here on paho writes at once
        if self._client.socket() is not None:
            self._client.disconnect()
        if self._client.socket() is not None:  # the peer takes no bytes any more
            self._client._sock_close()
        if self._misc_task is not None:
            self._misc_task.cancel()
            await asyncio.wait([self._misc_task])
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # seen: asyncio need not report it


class Session:
    """A live connection. Every method raises SessionError when it is over."""

    def __init__(self, client: _Client, version: aiomqtt.ProtocolVersion) -> None:
        self._client = client
        self.version = version
        self.in_flight = client.in_flight
        self.packet_bytes = client.packet_bytes

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return when the broker has it (QoS 1, PUBACK). Raises TopicRefused where it does not take this one."""
        _message.set(0)
        properties = _properties(*content_type(payload)) if self.version is V5 else None
        try:
            await self._client.publish(topic, payload, qos=1, properties=properties)
        except (aiomqtt.MqttError, OSError) as error:
            raise _dropped(error) from error
        if (refusal := self._client.refused.pop(_message.get(), None)) is not None:
            raise errors.TopicRefused(f"the broker refuses what this gateway sends to {topic} ({refusal})",
                                      f"ask the city to let this gateway publish to {topic}")

    async def subscribe(self, *topics: str) -> None:
        try:
            asking = self._client.subscribe([(topic, 1) for topic in topics])
            codes: Sequence[Any] = await self._client.while_connected(asking)
        except (aiomqtt.MqttError, OSError) as error:
            raise _dropped(error) from error
        for topic, code in zip(topics, codes, strict=True):
            if getattr(code, "value", code) >= _FAILURE:
                raise errors.NotAuthorised(f"the broker refuses the subscription to {topic}",
                                           "ask the city to let this gateway read that topic")

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what arrives, in order, until the connection ends."""
        try:
            async for message in self._client.messages:
                yield Message(str(message.topic), bytes(message.payload), message.retain)
        except (aiomqtt.MqttError, OSError) as error:
            raise _dropped(error) from error


@functools.cache
def _properties(media_type: str, coding: str) -> Properties:
    """Say what a payload is. For its coding MQTT has no property of its own: the name is HTTP's."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = media_type
    if coding:
        properties.UserProperty = ("content-encoding", coding)
    return properties


@contextlib.asynccontextmanager
async def connect(city: City, client_id: str, check_dates: bool, first: aiomqtt.ProtocolVersion,
                  connack_s: float = CONNACK_S) -> AsyncIterator[Session]:
    """Connect with MQTT version `first`, or with the other one where the broker refuses it. Raises SessionError."""
    secrets = await asyncio.to_thread(credentials.read, city, check_dates)
    for version in (first, V311 if first is V5 else V5):
        client = _client(city, client_id, secrets, version, connack_s)
        try:
            await _enter(client)
        except aiomqtt.MqttError as error:
            await client.leave()
            if not _may_be_version(error):
                raise await _explain(city, secrets, error) from error
            last = error
            continue
        except ValueError as error:  # what no resolver takes for a host name
            await client.leave()
            raise errors.SettingsUnusable(f"city.host {city.host!r} is no host name ({error})", "mend it") from error
        except asyncio.CancelledError:
            await client.leave()
            raise
        try:
            yield Session(client, version)
        finally:
            await client.leave()
        return
    raise await _explain(city, secrets, last) from last


def _client(city: City, client_id: str, secrets: credentials.Credentials, version: aiomqtt.ProtocolVersion,
            connack_s: float) -> _Client:
    client = _Client(
        city.host,
        city.port,
        username=city.username,
        password=secrets.password,
        identifier=client_id,
        protocol=version,
        clean_session=True if version is V311 else None,
        timeout=connack_s,
        keepalive=KEEPALIVE_S,
        tls_context=secrets.tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # else an alarm may wait 40 ms for a delayed ACK
        max_inflight_messages=IN_FLIGHT + 1,  # paho must never queue: an alarm could not overtake there
    )
    client.refused = {}
    client.pending_calls_threshold = IN_FLIGHT + 1
    return client


async def _enter(client: _Client) -> None:
    """Connect. A cancellation waits for paho's thread, which cannot be interrupted while it opens the socket."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        if not client._connected.done():
            client._connected.set_exception(_ClosedEarly("cancelled"))
        with contextlib.suppress(aiomqtt.MqttError):
            await entering
        raise
    client.timeout = PUBACK_S


def _may_be_version(error: aiomqtt.MqttError) -> bool:
    """Tell whether another MQTT version may be welcome. Old brokers answer an unknown one with silence and a close."""
    if isinstance(error, MqttConnectError):
        return _code(error) == _UNSUPPORTED_VERSION
    return isinstance(error, _ClosedEarly)


async def _explain(city: City, secrets: credentials.Credentials, error: aiomqtt.MqttError) -> errors.SessionError:
    where = f"{city.host}:{city.port}"
    if isinstance(error, MqttConnectError):
        return _refused(where, _code(error))
    cause = error.__context__  # aiomqtt tells the text alone; the exception itself hangs behind it
    if isinstance(cause, ssl.SSLError):
        return credentials.explain(cause)
    if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
        port = "city.port" if secrets.tls is None else "that city.port is the broker's TLS port"
        return errors.Unreachable(f"no connection to {where} ({cause.strerror or cause})",
                                  f"check the internet connection, city.host and {port}")
    if secrets.tls is not None and (found := await _probe(city, secrets.tls)) is not None:
        return found
    if isinstance(error, _ClosedEarly):
        return errors.ProtocolRefused(f"{where} closes the connection before it answers",
                                      "if it lasts, check that city.port is the MQTT port and city.tls fits it")
    return errors.Unreachable(f"{where} does not answer", "check the internet connection and the firewall")


def _refused(where: str, code: int) -> errors.SessionError:
    if code in (_BAD_CREDENTIALS, _NOT_AUTHORISED, _BAD_CLIENT_ID):
        return errors.CredentialsRefused(f"{where} refuses this gateway's name or password (reason {code:#x})",
                                         "check city.username and city.password_file with the city")
    if code == _UNSUPPORTED_VERSION:
        return errors.ProtocolRefused(f"{where} speaks neither MQTT 5 nor 3.1.1", "ask the city for its MQTT port")
    return errors.Unreachable(f"{where} turns clients away for now (reason {code:#x})",
                              "nothing to do here unless it lasts: then tell the city's platform")


async def _probe(city: City, tls: ssl.SSLContext) -> errors.SessionError | None:
    """Shake hands once more to learn why: with TLS 1.3 the refusal of our certificate comes after the handshake."""
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(city.host, city.port, ssl=tls)
            try:
                await reader.read(1)
            finally:
                writer.transport.abort()
    except ssl.SSLError as error:
        return credentials.explain(error)
    except OSError:  # TimeoutError is one: the broker is content with our certificate
        return None
    return None


def _code(error: MqttConnectError) -> int:
    return error.rc.value if isinstance(error.rc, ReasonCode) else int(error.rc or 0)


def _dropped(error: Exception) -> errors.SessionError:
    why = error.__cause__ or error
    return errors.LinkDropped(f"the connection ended ({why})", "check the internet connection if it happens often")
