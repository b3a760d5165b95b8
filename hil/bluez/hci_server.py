"""HCI over TCP: each client gets a controller of its own in the air, and takes its links with it when it goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble.transport.common import StreamPacketSink, StreamPacketSource

from hil.bluez.air import Air
from hil.bluez.controller import GATEWAY_ADDRESS, Radio


class _Client(StreamPacketSource):
    """One TCP connection: H4 packets to and from one controller."""

    def __init__(self, air: Air, clients: set["_Client"]) -> None:
        super().__init__()
        self._air, self._clients = air, clients

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._radio = Radio("gateway", self._air, public_address=GATEWAY_ADDRESS, host_source=self,
                            host_sink=StreamPacketSink(transport))
        self._clients.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._clients.discard(self)
        self._air.drop_links(self._radio)
        self._radio.le_scan_enable = False
        self._radio.host = None
        self._air.remove_controller(self._radio)

    def end(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def hci_server(air: Air, port: int = 0) -> AsyncIterator[int]:
    """Serve controllers on 127.0.0.1 while the context is open; yield the port."""
    clients: set[_Client] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Client(air, clients), "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for client in list(clients):
            client.end()
        await asyncio.sleep(0)
