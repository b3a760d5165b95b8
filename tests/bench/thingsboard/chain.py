"""The whole chain of the peer: a sensor, its gateway's MQTT connector, its storage, a broker that plays ThingsBoard.

The broker is mosquitto, with rules that keep from the gateway what it published itself. A client beside it answers what
a starting gateway asks (session limits: none, and the server's defaults for size and window; attributes: none), and
notes what arrives.
"""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from hil.resources.process import Program
from tests.bench.thingsboard import installation
from tests.bench.thingsboard.events import DEVICE, PROFILE, feed, numbers_in
from tests.bench.thingsboard.writer import PEER_SETTINGS
from tests.system.broker import HOST, mosquitto, wait_until

TELEMETRY = "v1/gateway/telemetry"
_ME = "v1/devices/me"
_TOKEN = "YOUR_ACCESS_TOKEN"  # of its default configuration; mosquitto takes it for a user's name
LIMITS = {"maxPayloadSize": 65536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}
FEED = "home/event"
START_S = 60.0
_SENSORS = 16
_QUICK = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
_ERROR = re.compile(r"\|ERROR\|")


@dataclass
class Platform:
    """What ThingsBoard would see: the moment (CLOCK_MONOTONIC) at which each event came first, in order."""

    port: int
    arrived: dict[int, float] = field(default_factory=dict)
    duplicates: int = 0
    sessions_s: list[float] = field(default_factory=list)  # when a gateway that had connected asked for its limits
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            now_s, topic = time.monotonic(), str(message.topic)
            if topic == TELEMETRY:
                for number in numbers_in(bytes(message.payload)):
                    self.duplicates += number in self.arrived
                    self.arrived.setdefault(number, now_s)
            elif "/request/" in topic:
                asks_limits = b"getSessionLimits" in bytes(message.payload)
                self.sessions_s += [now_s] * asks_limits
                await client.publish(topic.replace("/request/", "/response/"),
                                     json.dumps(LIMITS if asks_limits else {}), qos=1)
            self.changed.set()

    async def until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`; tell whether it came to that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await wait_until(done, self.changed)
        return done()


@dataclass
class PeerGateway:
    """A running gateway of the peer."""

    folder: Path
    program: Program
    platform: Platform
    sensors: aiomqtt.Client
    topic: str

    async def ready(self) -> None:
        """Wait until it is connected. Raises TimeoutError."""
        if not await self.platform.until(lambda: len(self.platform.sessions_s) > 0, START_S):
            raise TimeoutError(f"the peer's gateway did not connect in {START_S:g} s: see {self.program.log}")

    async def send(self, numbers: Iterable[int], device: str = DEVICE) -> None:
        """Send as a home's sensors would."""
        left = iter(numbers)

        async def sensor() -> None:
            for number in left:
                await self.sensors.publish(f"{self.topic}/{device}", feed(number), qos=1, timeout=START_S)

        await asyncio.gather(*(sensor() for _ in range(_SENSORS)))

    def stored(self) -> int:
        """Return how many rows its database holds, read from outside."""
        rows = 0
        for path in (self.folder / "data").glob("*.db"):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as base:
                rows += base.execute("SELECT count(*) FROM messages").fetchone()[0]
        return rows

    async def until_stored(self, done: Callable[[int], bool], timeout_s: float) -> None:
        """Wait until `done` of the rows in its database. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                with contextlib.suppress(sqlite3.OperationalError):  # it may just be making or removing the file
                    if done(await asyncio.to_thread(self.stored)):
                        return
                await asyncio.sleep(0.05)

    def error_lines(self) -> int:
        """Return the lines at level ERROR in its log files, rotated ones too."""
        return sum(len(_ERROR.findall(path.read_text(errors="replace"))) for path in self.folder.glob("logs/*.log*"))


def configuration(folder: Path, port: int) -> dict[str, Any]:
    """Return its default configuration with what must differ: the server's place, the storage, one connector."""
    found: dict[str, Any] = json.loads((_defaults() / "tb_gateway.json").read_text(encoding="utf-8"))
    found["thingsboard"] |= {"host": HOST, "port": port}
    found["storage"] = {"type": "sqlite", "data_file_path": f"{folder / 'data'}/", **PEER_SETTINGS}
    found["connectors"] = [{"type": "mqtt", "name": "sensors", "configuration": "sensors.json"}]
    return found


def connector(port: int, topic: str) -> dict[str, Any]:
    """Return an MQTT connector that takes what a device tells at `topic`/DEVICE for telemetry."""
    converter = {"type": "json", "deviceInfo": {
        "deviceNameExpressionSource": "topic", "deviceNameExpression": f"(?<={topic}/).*",
        "deviceProfileExpressionSource": "constant", "deviceProfileExpression": PROFILE},
        "attributes": [], "timeseries": ["*"]}
    return {"broker": {"host": HOST, "port": port, "clientId": f"connector-{topic}", "version": 5,
                       "maxMessageNumberPerWorker": 10, "maxNumberOfWorkers": 100, "security": {"type": "anonymous"}},
            "mapping": [{"topicFilter": f"{topic}/+", "subscriptionQos": 1, "converter": converter}]}


@asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[Platform]:
    """Play ThingsBoard on a broker of its own."""
    rules = folder / "thingsboard.acl"
    rules.write_text("\n".join([
        "topic readwrite #", f"user {_TOKEN}", "topic write v1/#", f"topic read {_ME}/rpc/response/+",
        f"topic read {_ME}/attributes/response/+", "topic read v1/gateway/attributes/response", ""]))
    async with mosquitto(folder, "max_queued_messages 0", f"acl_file {rules}") as broker, \
            aiomqtt.Client(HOST, broker.port, identifier="platform", socket_options=_QUICK) as client:
        for topic in (TELEMETRY, f"{_ME}/rpc/request/+", f"{_ME}/attributes/request/+"):
            await client.subscribe(topic, qos=1)
        found = Platform(broker.port)
        running = asyncio.create_task(found.run(client))
        try:
            yield found
        finally:
            running.cancel()
            await asyncio.wait([running])


@asynccontextmanager
async def peer_gateway(folder: Path, where: Platform, sensors_port: int, port: int | None = None
                       ) -> AsyncIterator[PeerGateway]:
    """Run its gateway on FOLDER/data, with sensors at `sensors_port`; `port`: of a link to the platform."""
    config = folder / "config"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    config.mkdir(exist_ok=True)
    shutil.copy(_defaults() / "logs.json", config)
    (config / "tb_gateway.json").write_text(json.dumps(configuration(folder, port or where.port)))
    topic = f"{FEED}/{folder.name}"
    (config / "sensors.json").write_text(json.dumps(connector(sensors_port, topic)))
    program = Program("thingsboard", [installation.python(), str(installation.DRIVER), "gateway", str(folder)],
                      folder / "gateway.log")
    async with aiomqtt.Client(HOST, sensors_port, identifier=f"sensors-{folder.name}",
                              socket_options=_QUICK) as sensors:
        sensors.pending_calls_threshold = _SENSORS + 1
        try:
            await program.start()
            yield PeerGateway(folder, program, where, sensors, topic)
        finally:
            await program.kill()
            await program.kill_group()


def _defaults() -> Path:
    found = installation.folder().glob("lib/python3*/site-packages/thingsboard_gateway/config")
    return next(iter(found))
