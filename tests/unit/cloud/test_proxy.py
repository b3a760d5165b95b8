"""The breakable link: flows, stalls, cuts, heals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hil.resources.proxy import Proxy

HOST = "127.0.0.1"


@asynccontextmanager
async def echo_behind_proxy() -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(echo, HOST, 0) as server:
        proxy = Proxy(HOST, server.sockets[0].getsockname()[1])
        await proxy.start()
        try:
            yield proxy
        finally:
            await proxy.close()


@asynccontextmanager
async def client(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_bytes_flow_both_ways() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"


async def test_a_cut_resets_connections_and_refuses_new_ones() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        await proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, proxy.port)


async def test_after_healing_the_same_port_serves_again() -> None:
    async with echo_behind_proxy() as proxy:
        port = proxy.port
        await proxy.cut()
        await proxy.heal()
        assert proxy.port == port
        async with client(proxy) as (reader, writer):
            writer.write(b"again")
            assert await reader.readexactly(5) == b"again"


async def test_a_stalled_link_keeps_its_connections_and_lets_nothing_through_until_healed() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        writer.write(b"a")
        await reader.readexactly(1)
        proxy.stall()
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(1)
        await proxy.heal()
        assert await reader.readexactly(1) == b"b"
