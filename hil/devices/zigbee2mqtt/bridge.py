"""One Zigbee2MQTT on a broker, and what a scenario may do to it.

op            arguments                    Zigbee2MQTT then ...
pair          ieee, name, profile, retain  has one device more, whose messages the broker keeps where `retain`
says          name, values                 publishes this message of a device, with what it knew before
available     name, online, plain          publishes a device's availability, in its old plain form where `plain`
rename        name, to                     calls a device otherwise
leave         name                         has it no more
boil          name, watts, seconds         publishes what a plug reports of a kettle: full power, then nought
stop, die     plain                        says that it goes offline and goes; goes without a word (the will tells it)
start                                      comes back, and publishes what it knew of each device
raw           topic, hex, retain           publishes exactly this below its base topic
settle                                     waits until the broker has all that was published before
last_seen     format                       ISO_8601, epoch or disable, as `advanced.last_seen`
stats                                      tells devices, published, online

Messages: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html. An action is not kept among what it
knew, as in the real one (lib/state.ts, the properties that it does not cache).
"""

import asyncio
import json
import socket
import time
from datetime import UTC, datetime
from typing import Any

import aiomqtt

from hil.devices.zigbee2mqtt.profiles import PROFILES

BASE = "zigbee2mqtt"


class Bridge:
    """run() stays on the broker, as far as the scenario lets it, until cancelled."""

    def __init__(self, port: int, base: str = BASE) -> None:
        self._port, self._base = port, base
        self._devices: dict[str, dict[str, Any]] = {}
        self._state: dict[str, dict[str, Any]] = {}
        self._retained: set[str] = set()
        self._last_seen = "disable"
        self._client: aiomqtt.Client | None = None
        self._wanted, self._up = asyncio.Event(), asyncio.Event()
        self._wanted.set()
        self._gone = asyncio.Event()
        self._published = 0

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            self._gone.clear()
            will = aiomqtt.Will(f"{self._base}/bridge/state", json.dumps({"state": "offline"}), qos=1, retain=True)
            try:
                async with aiomqtt.Client("127.0.0.1", self._port, will=will, keepalive=5, timeout=5) as self._client:
                    await self._begin()
                    self._up.set()
                    await self._until_gone()
            except (aiomqtt.MqttError, OSError):
                await asyncio.sleep(0.2)
            finally:
                self._up.clear()
                self._client = None

    async def _until_gone(self) -> None:
        assert self._client is not None
        waits = asyncio.ensure_future(self._gone.wait())
        listens = asyncio.ensure_future(self._listen(self._client))
        try:
            await asyncio.wait([waits, listens], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (waits, listens):
                one.cancel()
            await asyncio.gather(waits, listens, return_exceptions=True)

    @staticmethod
    async def _listen(client: aiomqtt.Client) -> None:
        async for _ in client.messages:
            pass

    async def _begin(self) -> None:
        await self._publish("bridge/state", {"state": "online"}, retain=True)
        await self._publish("bridge/info", {"version": "2.0.0", "permit_join": False}, retain=True)
        await self._list()
        for name, state in self._state.items():
            await self._publish(name, state, retain=name in self._retained)

    async def _list(self) -> None:
        coordinator = {"ieee_address": "0x00124b00120144ae", "type": "Coordinator", "friendly_name": "Coordinator",
                       "network_address": 0, "supported": True, "disabled": False, "definition": None}
        await self._publish("bridge/devices", [coordinator, *self._devices.values()], retain=True)

    async def _publish(self, name: str, content: Any, *, retain: bool = False) -> None:
        payload = content if isinstance(content, bytes | str) else json.dumps(content)
        self._published += 1
        if self._client is not None:
            qos = 0 if name in self._state else 1
            await self._client.publish(f"{self._base}/{name}", payload, qos=qos, retain=retain)

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one operation of a scenario; `mono_s` is when it took effect."""
        if op not in ("start", "stats"):
            async with asyncio.timeout(5):
                await self._up.wait()
        match op:
            case "pair":
                await self._pair(**arguments)
            case "says":
                await self._says(arguments["name"], arguments["values"])
            case "available":
                word = "online" if arguments["online"] else "offline"
                content = word if arguments.get("plain") else {"state": word}
                await self._publish(f"{arguments['name']}/availability", content, retain=True)
            case "rename":
                await self._rename(arguments["name"], arguments["to"])
            case "leave":
                del self._devices[arguments["name"]], self._state[arguments["name"]]
                await self._list()
            case "boil":
                await self._says(arguments["name"], {"power": float(arguments["watts"])})
                await asyncio.sleep(float(arguments["seconds"]))
                await self._says(arguments["name"], {"power": 0.0})
            case "stop":
                await self._publish("bridge/state", "offline" if arguments.get("plain") else {"state": "offline"},
                                    retain=True)
                self._go()
            case "die":
                assert self._client is not None
                self._wanted.clear()
                sock: Any = self._client._client.socket()
                sock.shutdown(socket.SHUT_RDWR)  # the broker hears no DISCONNECT, and tells the will
            case "start":
                self._wanted.set()
                async with asyncio.timeout(5):
                    await self._up.wait()
            case "raw":
                await self._publish(arguments["topic"], bytes.fromhex(arguments["hex"]),
                                    retain=bool(arguments.get("retain")))
            case "settle":
                await self._publish("bridge/info", {"version": "2.0.0", "permit_join": False}, retain=True)
            case "last_seen":
                self._last_seen = str(arguments["format"])
            case "stats":
                return {"devices": len(self._devices), "published": self._published, "online": self._up.is_set()}
            case _:
                raise ValueError(f"no operation {op!r}")
        return {"mono_s": time.monotonic()}

    def _go(self) -> None:
        self._wanted.clear()
        self._gone.set()

    async def _pair(self, ieee: str, name: str, profile: str, *, retain: bool = False) -> None:
        vendor, model, power, exposes = PROFILES[profile]
        self._devices[name] = {
            "ieee_address": ieee, "type": "Router" if power.startswith("Mains") else "EndDevice",
            "network_address": 1000 + len(self._devices), "supported": True, "disabled": False, "friendly_name": name,
            "definition": {"source": "native", "model": model, "vendor": vendor, "description": profile,
                           "exposes": exposes, "supports_ota": False, "options": []},
            "power_source": power, "manufacturer": vendor, "model_id": model, "interviewing": False,
            "interview_completed": True, "interview_state": "SUCCESSFUL", "endpoints": {}}
        self._state[name] = {}
        if retain:
            self._retained.add(name)
        await self._list()

    async def _says(self, name: str, values: dict[str, Any]) -> None:
        known = self._state[name] | values | {"linkquality": 120}
        if self._last_seen == "ISO_8601" and "last_seen" not in values:
            known["last_seen"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        elif self._last_seen == "epoch" and "last_seen" not in values:
            known["last_seen"] = int(time.time() * 1000)
        self._state[name] = {key: value for key, value in known.items() if key != "action"}
        await self._publish(name, known, retain=name in self._retained)

    async def _rename(self, name: str, to: str) -> None:
        device, state = self._devices.pop(name), self._state.pop(name)
        self._devices[to], self._state[to] = device | {"friendly_name": to}, state
        if name in self._retained:
            self._retained.add(to)
            await self._publish(name, b"", retain=True)
        await self._list()
