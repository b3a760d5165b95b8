"""`python -m hil.cloud.broker`: an MQTT 3.1.1 broker in one process, whose link can be cut. For the demo: no install.

Gateways connect to --port, which goes through a proxy; the city may use the direct port that the ready line names, so
that cutting the link is what it is at home: the flat is offline, the city is not. Control: cut, stall, heal, stats.
"""

import argparse
import asyncio
import json
import logging
import socket
from contextlib import closing
from pathlib import Path

from amqtt.broker import Broker

from hil.resources import control
from hil.resources.proxy import Proxy, handle


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.cloud.broker", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--direct-port", type=int, default=0)
    parser.add_argument("--control", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("amqtt").setLevel(logging.ERROR)  # it warns of every client that leaves
    direct_port = arguments.direct_port or _free_port()
    broker = Broker({
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{direct_port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    })
    await broker.start()
    proxy = Proxy("127.0.0.1", direct_port, arguments.port)
    await proxy.start()
    ready = json.dumps({"ready": True, "port": proxy.port, "direct_port": direct_port})
    if arguments.control is None:
        print(ready, flush=True)
        await asyncio.Event().wait()
    async with control.serve(arguments.control, lambda op, args: handle(proxy, op, args)):
        print(ready, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
