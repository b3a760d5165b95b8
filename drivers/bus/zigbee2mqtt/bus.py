"""The Zigbee2MQTT bus: the connection to the broker, again after each loss, and the ports of the devices.

State      when
connecting the broker has not answered yet, or is being asked again after a growing pause
waiting    the broker is there; Zigbee2MQTT has not said that it is
up         Zigbee2MQTT is online and has listed its devices
down       no broker, or Zigbee2MQTT is offline: every device's session ends, and says why

Rules
 1. Every connection begins clean: what the broker retains is the state that stands, and is told as `kept`.
 2. Device topics are subscribed to before the bridge's, so that a device's retained state is there when its port opens.
 3. Who speaks is there: a device's own message ends what its availability, or the bridge's state, said before.
 4. ECHO_S after Zigbee2MQTT has started, messages may be its memory (`cache_state_send_on_startup`): told as `echo`.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt

from drivers.bus.zigbee2mqtt.messages import (
    Known,
    MalformedMessage,
    age_s,
    decode_devices,
    decode_online,
    decode_state,
)
from drivers.bus.zigbee2mqtt.topics import Port, Topic
from gateway.spi import BusUnavailable, DeviceRejected, LinkError, LinkLost
from gateway.spi.exposed import Told

log = logging.getLogger(__name__)

PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0)
CONNECT_S = 5.0
KEEPALIVE_S = 15
ABSENT_S = 5.0  # retained messages come at once; a bridge that says nothing for so long is not there
ECHO_S = 10.0
MAX_TOPICS = 512  # a Zigbee network of one stick has fewer devices
_REFUSED = frozenset({4, 5, 0x86, 0x87})  # bad credentials, not authorised: MQTT 3.1.1, 3.2.2.3; MQTT 5, 3.2.2.2


class Problem(NamedTuple):
    """Why no device can be heard, and what to do."""

    reason: str
    cure: str


class Zigbee2MqttBus:
    """See gateway/spi/bus.py."""

    def __init__(self, host: str, port: int, base: str, username: str | None, password_file: Path | None,
                 mono_s: Callable[[], float], wall_s: Callable[[], float] = time.time) -> None:
        self._host, self._port, self._base, self._username, self._password_file = (
            host, port, base, username, password_file)
        self._mono_s, self._wall_s = mono_s, wall_s
        self._state = "connecting"
        self._problem: Problem | None = None
        self._devices: dict[str, Known] | None = None
        self._topics: dict[str, Topic] = {}
        self._told: dict[str, str] = {}  # device -> the reason it has been told
        self._changed = asyncio.Event()  # replaced at every change
        self._echo_until_s = 0.0
        self._deep: set[str] = set()  # subscribed names that hold a slash, which `+` does not match
        self._counts: Counter[str] = Counter()

    # -- the bus ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                async with await self._client() as client:
                    await client.subscribe([(f"{self._base}/{name}", 1) for name in (
                        "+", "+/availability", "bridge/state", "bridge/devices")])
                    failures = 0
                    await self._listen(client)
            except (aiomqtt.MqttError, OSError) as error:
                self._down("down", self._explain(error))
                self._counts["losses"] += 1
            await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
            failures += 1

    async def _client(self) -> aiomqtt.Client:
        password = None
        if self._password_file is not None:
            password = (await asyncio.to_thread(self._password_file.read_text, "utf-8", "replace")).strip()
        return aiomqtt.Client(self._host, self._port, username=self._username, password=password,
                              keepalive=KEEPALIVE_S, timeout=CONNECT_S, clean_session=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        self._become("waiting", None)
        self._deep.clear()
        absent = asyncio.get_running_loop().call_later(ABSENT_S, self._absent)
        try:
            async for message in client.messages:
                self.hear(str(message.topic), bytes(message.payload), retained=message.retain)
                if deep := {name for name in self._topics if "/" in name} - self._deep:
                    self._deep |= deep
                    await client.subscribe([(f"{self._base}/{name}{end}", 1)
                                            for name in sorted(deep) for end in ("", "/availability")])
        finally:
            absent.cancel()

    def hear(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take one message from the broker, whatever it is."""
        mono_s = self._mono_s()
        self._counts["messages"] += 1
        name = topic.removeprefix(f"{self._base}/")
        try:
            if name == "bridge/state":
                self._bridge(decode_online(payload), retained=retained)
            elif name == "bridge/devices":
                self._listed(decode_devices(payload))
            elif name.endswith("/availability"):
                self._available(name.removesuffix("/availability"), decode_online(payload))
            elif payload and not name.startswith("bridge/"):  # an empty one clears what was retained
                values = decode_state(payload)
                told = Told(mono_s, values, retained, mono_s < self._echo_until_s, age_s(values, self._wall_s()))
                self._spoken(name, told)
        except MalformedMessage as error:
            self._counts["malformed"] += 1
            log.debug("malformed message topic=%s reason=%s", topic, error)

    def _bridge(self, online: bool, *, retained: bool) -> None:
        if not online:
            self._down("down", Problem("Zigbee2MQTT is offline", "start it: sudo systemctl start zigbee2mqtt; its log "
                                       "says why it ended"))
            return
        if not retained:
            self._echo_until_s = self._mono_s() + ECHO_S
        self._become("up" if self._devices is not None else "waiting", None)

    def _listed(self, devices: dict[str, Known]) -> None:
        self._devices = devices
        names = {known.name for known in devices.values()}
        for port in (port for topic in self._topics.values() for port in topic.ports):
            if devices.get(port.known.ieee) != port.known:
                port.lose(LinkLost("Zigbee2MQTT lists it differently now", "none needed: its session starts again"))
        self._topics = {name: self._topics.get(name) or Topic() for name in names} | {
            name: topic for name, topic in self._topics.items() if topic.ports}
        if self._problem is None:
            self._become("up", None)
        self._change()

    def _available(self, name: str, online: bool) -> None:
        if (topic := self._topic(name)) is None or topic.online == online:
            return
        topic.online = online
        if not online:
            for port in topic.ports:
                port.lose(_away())
        self._change()

    def _spoken(self, name: str, told: Told) -> None:
        if (topic := self._topic(name)) is None:
            return
        if not told.kept:
            topic.online = True
            if self._devices is not None and self._state != "up":
                self._become("up", None)
        topic.hear(told)
        self._change()

    def _topic(self, name: str) -> Topic | None:
        """The topic of this name; before the list of devices is there any may be one."""
        if name not in self._topics and self._devices is None and len(self._topics) < MAX_TOPICS:
            self._topics[name] = Topic()
        return self._topics.get(name)

    # -- ports --------------------------------------------------------------------------------------------------------

    def open(self, device: str, settings: Any) -> AbstractAsyncContextManager[Port]:
        """Give a port to the device with the IEEE address `settings.ieee`."""
        return self._open(device, str(settings.ieee).lower())

    @asynccontextmanager
    async def _open(self, device: str, ieee: str) -> AsyncIterator[Port]:
        known = await self._reachable(device, ieee)
        topic = self._topics[known.name]
        port = topic.attach(known, self._mono_s())
        try:
            yield port
        finally:
            topic.detach(port)

    async def _reachable(self, device: str, ieee: str) -> Known:
        """Wait until the device can be heard. What is in the way is told once, by an error, and then waited out."""
        while True:
            known = (self._devices or {}).get(ieee)
            if (error := self._in_the_way(ieee)) is None and known is not None:
                self._told.pop(device, None)
                return known
            if isinstance(error, DeviceRejected):
                raise error
            if error is not None and self._told.get(device) != error.reason:
                self._told[device] = error.reason
                raise error
            await self._changed.wait()

    def _in_the_way(self, ieee: str) -> LinkError | DeviceRejected | None:
        if self._problem is not None:
            return BusUnavailable(*self._problem)
        if self._devices is None or self._state != "up":
            return None
        known = self._devices.get(ieee)
        if known is None:
            return DeviceRejected(f"Zigbee2MQTT has no device {ieee}", "pair it there, or correct its ieee; "
                                  "`anju devices add` lists what it has")
        if known.problem:
            return DeviceRejected(f"{known.name}: {known.problem}", known.cure)
        return None if self._topics[known.name].online else _away()

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """List what Zigbee2MQTT has and nobody listens to; pairing is its own affair."""
        del seconds
        if self._problem is not None:
            raise BusUnavailable(*self._problem)
        return [{"name": known.name, "driver": None if known.problem else "zigbee2mqtt",
                 "manufacturer": known.manufacturer, "model": known.model, "settings": {"ieee": known.ieee}}
                for known in (self._devices or {}).values() if not self._topics[known.name].ports]

    def health(self) -> dict[str, Any]:
        """State and counters; `reason` and `cure` where no device can be heard."""
        problem = self._problem or Problem("", "")
        names = [known.name for known in (self._devices or {}).values()]
        return {"state": self._state, "broker": f"{self._host}:{self._port}", "reason": problem.reason,
                "cure": problem.cure, "devices": len(names),
                "unreachable": sum(not self._topics[name].online for name in names),
                **{name: self._counts[name] for name in ("messages", "malformed", "losses")}}

    # -- states -------------------------------------------------------------------------------------------------------

    def _absent(self) -> None:
        if self._state == "waiting":
            self._down("down", Problem(
                f"the broker has no Zigbee2MQTT below the topic {self._base}",
                "start it, or set bus.zigbee2mqtt.base_topic to mqtt.base_topic of its configuration"))

    def _down(self, state: str, problem: Problem) -> None:
        if self._problem != problem:
            log.warning("zigbee2mqtt down reason=%r cure=%r", *problem)
        self._become(state, problem)
        for topic in self._topics.values():
            for port in topic.ports:
                port.lose(BusUnavailable(*problem))

    def _become(self, state: str, problem: Problem | None) -> None:
        self._state, self._problem = state, problem
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _explain(self, error: Exception) -> Problem:
        where = f"{self._host}:{self._port}"
        if isinstance(error, aiomqtt.MqttCodeError) and _code(error.rc) in _REFUSED:
            return Problem(f"the broker at {where} refuses the gateway",
                           "give username and password_file of a broker's user under [bus.zigbee2mqtt]")
        if isinstance(error, OSError) and error.filename is not None:
            return Problem(f"{error.filename} cannot be read ({error.strerror})",
                           "correct bus.zigbee2mqtt.password_file, or let the service's user read it")
        return Problem(f"the MQTT broker at {where} is gone or does not answer ({error})",
                       "start it: sudo systemctl start mosquitto; or correct host and port under [bus.zigbee2mqtt]")


def _code(rc: Any) -> int:
    return int(getattr(rc, "value", rc) or 0)


def _away() -> LinkLost:
    return LinkLost("Zigbee2MQTT does not reach it", "check its battery or mains, and its distance")
