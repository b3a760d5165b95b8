"""The reference city: takes what gateways send, commits it, and only then acknowledges it. Sends commands.

Written from docs/protocol.md; it shares no code with the gateway. On request it behaves as no city should, see
hil/cloud/behaviour.py.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import statistics
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiomqtt

from hil.cloud.behaviour import Answer, Conduct, Mishap, acknowledge, conduct
from hil.cloud.envelope import Arrival, read_all
from hil.cloud.ledger import Book
from hil.resources.control import ControlError

_RECONNECT_S = 0.3
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
_REPEAT_COMMAND_S = 3.0
_BATCH = 256
_RESULT = "anju.command.result"


class _Stamped(asyncio.Queue[tuple[aiomqtt.Message, float]]):
    """The client's queue, which notes when each message was handed over by the network."""

    def put_nowait(self, item: Any) -> None:
        super().put_nowait((item, time.monotonic()))


class City:
    """One application of the city on one broker. run() for ever; handle() answers the control socket."""

    def __init__(self, host: str, port: int, book: Book, tls: ssl.SSLContext | None = None) -> None:
        self._where = (host, port, tls)
        self._book = book
        self._client: aiomqtt.Client | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._conduct = Conduct()
        self._garbage = 0
        self._open_commands: dict[str, tuple[str, dict[str, Any]]] = {}
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Serve, coming back to the broker whenever it goes away."""
        while True:
            try:
                await self._serve()
            except* aiomqtt.MqttError:
                pass  # the broker went away: it is looked for again
            self._client, self._tasks = None, None
            self.connected.clear()
            await asyncio.sleep(_RECONNECT_S)

    async def _serve(self) -> None:
        host, port, tls = self._where
        # The broker keeps our queue while we are away; the protocol works without that too, only slower.
        async with aiomqtt.Client(host, port, identifier="anju-city", clean_session=False, tls_context=tls,
                                  keepalive=20, queue_type=_Stamped, socket_options=_NO_DELAY) as client:  # type: ignore[arg-type]
            client.pending_calls_threshold = 1000
            await client.subscribe("anju/v1/+/up/+", qos=1)
            self._client = client
            self.connected.set()
            async with asyncio.TaskGroup() as group:
                self._tasks = group
                group.create_task(self._repeat_commands())
                await self._take(client)

    async def _take(self, client: aiomqtt.Client) -> None:
        queue: Any = client._queue
        messages: Any = client.messages
        while True:
            batch: list[tuple[aiomqtt.Message, float]] = [await anext(messages)]
            while len(client.messages) and len(batch) < _BATCH:
                batch.append(queue.get_nowait())
            arrivals: list[tuple[Arrival, float]] = []
            for message, arrived_s in batch:
                found, bad = read_all(str(message.topic), bytes(message.payload))
                arrivals += [(arrival, arrived_s) for arrival in found]
                self._garbage += bad
            self._commit(arrivals)

    def _commit(self, arrivals: list[tuple[Arrival, float]]) -> None:
        behaviour = self._conduct.next(time.monotonic())
        arrivals = [(arrival, arrived_s) for arrival, arrived_s in arrivals if behaviour.takes(arrival)]
        if not arrivals:
            return
        self._suffer(behaviour.before_commit)
        acks = self._book.commit(arrivals)
        self._note_results([arrival for arrival, _ in arrivals])
        self._suffer(behaviour.before_ack)
        if behaviour.before_ack is not Mishap.FORGET:
            self._say(behaviour.answers(acks))

    def _suffer(self, mishap: Mishap) -> None:
        if mishap is Mishap.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        if mishap is Mishap.FORGET:
            self._book.forget()

    def _say(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._publish(f"anju/v1/{answer.gateway}/down/ack", answer.body, answer.after_s)

    def _publish(self, topic: str, payload: bytes, after_s: float = 0.0) -> None:
        if self._client is not None and self._tasks is not None:
            self._tasks.create_task(self._publish_late(self._client, topic, payload, after_s))

    async def _publish_late(self, client: aiomqtt.Client, topic: str, payload: bytes, after_s: float) -> None:
        if after_s > 0:
            await asyncio.sleep(after_s)
        await client.publish(topic, payload, qos=1)

    def _note_results(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            if arrival.type == _RESULT:
                self._open_commands.pop(json.loads(arrival.body)["data"].get("command", ""), None)

    async def _repeat_commands(self) -> None:
        while True:
            await asyncio.sleep(_REPEAT_COMMAND_S)
            for gateway, command in list(self._open_commands.values()):
                self._send_command(gateway, command)

    def _send_command(self, gateway: str, command: dict[str, Any]) -> None:
        self._publish(f"anju/v1/{gateway}/down/command", json.dumps(command).encode())

    async def handle(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer events, stats, close_alarm, behave, hold_acks, forget."""
        if op == "events":
            return {"events": self._book.events(arguments.get("type"), arguments.get("since_row", 0))}
        if op == "stats":
            return self._stats()
        if op == "close_alarm":
            command = {"id": arguments.get("id") or uuid.uuid4().hex, "verb": "close_alarm",
                       "target": arguments["alarm"], "expires_s": arguments.get("expires_s", time.time() + 60.0)}
            self._open_commands[command["id"]] = (arguments["gateway"], command)
            self._send_command(arguments["gateway"], command)
            return {"command": command["id"]}
        if op == "behave":
            self._conduct = conduct(now_s=time.monotonic(), **arguments)
            return {}
        if op == "hold_acks":
            self._conduct = conduct("silent" if arguments["on"] else "well", time.monotonic())
            if not arguments["on"]:
                self._say(acknowledge(self._book.acks()))
            return {}
        if op == "forget":
            self._book.forget()
            return {}
        raise ControlError(f"no operation {op!r}: there are events, stats, close_alarm, behave, hold_acks, forget")

    def _stats(self) -> dict[str, Any]:
        lanes = self._book.lanes()
        gateways = {
            name: {key: value for key, value in asdict(tally).items() if key != "to_commit_ms"}
            | {"arrival_to_commit_ms_p50": statistics.median(tally.to_commit_ms),
               "arrival_to_commit_ms_max": max(tally.to_commit_ms),
               "lost": sum(lane["lost"] for lane in lanes if lane["gateway"] == name),
               "lanes": [lane for lane in lanes if lane["gateway"] == name]}
            for name, tally in self._book.tallies.items()
        }
        return {
            "received": sum(tally.received for tally in self._book.tallies.values()),
            "duplicates": sum(tally.duplicates for tally in self._book.tallies.values()),
            "conflicts": sum(tally.conflicts for tally in self._book.tallies.values()),
            "gaps": sum(lane["missing"] for lane in lanes),
            "garbage": self._garbage,
            "connected": self.connected.is_set(),
            "gateways": gateways,
        }


def tls_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return a context that trusts `ca`, with our own certificate if given; None without a CA."""
    if ca is None:
        return None
    context = ssl.create_default_context(cafile=str(ca))
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context
