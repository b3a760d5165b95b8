"""The breakable link: each of its faults, on real sockets, and what decides them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hil.resources import control
from hil.resources.faults import Fate, Line, Resets, piece_bytes
from hil.resources.forgetful import Forgetful, Frames
from hil.resources.proxy import Proxy, handle

HOST = "127.0.0.1"
NOTHING_S = 0.1  # so long nothing comes where nothing is to come


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
        await nothing_comes(reader)
        await proxy.heal()
        assert await reader.readexactly(1) == b"b"


async def nothing_comes(reader: asyncio.StreamReader) -> None:
    """Neither bytes nor an end nor a reset."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_S):
            await reader.read(1)


async def test_where_the_peer_has_vanished_no_end_is_told_and_only_new_connections_flow_after_healing() -> None:
    async with talkers() as (proxy, near, far):
        await proxy.do("stall", for_good=True)
        near[1].write(b"x")
        await nothing_comes(far[0])
        far[1].close()
        await nothing_comes(near[0])
        await proxy.heal()
        await nothing_comes(near[0])
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        await proxy.do("stall", for_good=True)
        async with client(proxy) as (late, _):
            await proxy.heal()
            writer.write(b"old")
            await nothing_comes(reader)
            await nothing_comes(late)
        async with client(proxy) as (fresh, fresh_writer):
            fresh_writer.write(b"new")
            assert await fresh.readexactly(3) == b"new"


@pytest.mark.parametrize(("dead", "near_dead"), [("up", False), ("down", True)])
async def test_a_link_can_be_dead_in_one_direction_alone(dead: str, near_dead: bool) -> None:
    async with talkers() as (proxy, near, far):
        await proxy.do("stall", direction=dead)
        near[1].write(b"up")
        far[1].write(b"down")
        flowing, silent = (far, near) if near_dead else (near, far)
        assert await flowing[0].readexactly(2) in (b"up", b"do")
        await nothing_comes(silent[0])
        await proxy.heal()
        assert await silent[0].readexactly(2) in (b"up", b"do")


async def test_the_end_of_a_connection_is_not_told_in_a_direction_that_is_stalled() -> None:
    async with talkers() as (proxy, near, far):
        proxy.stall()
        near[1].transport.abort()
        await nothing_comes(far[0])
        await proxy.heal()
        assert await far[0].read() == b""


async def test_a_slow_link_passes_its_bytes_one_after_another() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        await proxy.do("rate", bytes_s=1)
        writer.write(b"ab")
        await nothing_comes(reader)
        await proxy.do("rate", bytes_s=200)
        writer.write(b"c" * 20)
        first = await reader.read(1000)
        assert 1 <= len(first) <= 20, "all in one piece"
        assert first + await reader.readexactly(22 - len(first)) == b"ab" + b"c" * 20
        writer.write(b"d" * 100_000)
        await proxy.heal()
        assert await reader.readexactly(100_000) == b"d" * 100_000


async def test_what_a_late_link_carries_comes_later_and_in_order() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        await proxy.do("latency", delay_s=0.15)
        for number in range(5):
            writer.write(bytes([number]))
            await asyncio.sleep(0)
        await nothing_comes(reader)
        assert await reader.readexactly(5) == bytes(range(5))


async def test_a_connection_is_reset_after_the_bytes_that_its_seed_says() -> None:
    async with echo_behind_proxy() as proxy:
        await proxy.do("resets", chance=1.0, within_bytes=100, seed=7)
        async with client(proxy) as (reader, writer):
            writer.write(b"x" * 100)
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(100)
        assert proxy.resets == 1


async def test_refused_are_new_connections_alone() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (reader, writer):
        writer.write(b"a")
        await reader.readexactly(1)
        await proxy.do("refuse")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, proxy.port)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"


async def test_a_black_hole_accepts_and_never_answers() -> None:
    async with echo_behind_proxy() as proxy, client(proxy) as (standing, standing_writer):
        standing_writer.write(b"a")
        await standing.readexactly(1)
        await proxy.do("blackhole")
        async with client(proxy) as (reader, writer):
            writer.write(b"x")
            await nothing_comes(reader)
            standing_writer.write(b"b")
            assert await standing.readexactly(1) == b"b"
            await proxy.heal()
            await nothing_comes(reader)


async def test_faults_of_different_kinds_add_up_and_one_healing_ends_all() -> None:
    async with echo_behind_proxy() as proxy:
        await proxy.do("latency", delay_s=30.0)
        await proxy.do("rate", bytes_s=1)
        async with client(proxy) as (reader, writer):
            writer.write(b"x" * 1000)
            await nothing_comes(reader)
            await proxy.heal()
            assert await reader.readexactly(1000) == b"x" * 1000


@asynccontextmanager
async def talkers() -> AsyncIterator[tuple[Proxy, "Pair", "Pair"]]:
    """Both ends of a connection through the proxy."""
    met: asyncio.Future[Pair] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set_result((reader, writer))
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(meet, HOST, 0) as server:
        proxy = Proxy(HOST, server.sockets[0].getsockname()[1])
        await proxy.start()
        try:
            async with client(proxy) as near:
                yield proxy, near, await met
        finally:
            gone.set()
            await proxy.close()


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_its_process_is_told_by_arguments_and_by_its_control_socket(tmp_path: Path) -> None:
    socket_path = tmp_path / "proxy.sock"
    async with echo_behind_proxy() as target:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hil.resources.proxy", "--target", f"{HOST}:{target.port}", "--control",
            str(socket_path), "--fault", "latency delay_s=30", "--fault", "stall direction=up",
            stdout=asyncio.subprocess.PIPE)
        assert child.stdout
        port = json.loads(await child.stdout.readline())["port"]
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"hello")
        await nothing_comes(reader)
        await control.call(socket_path, "heal")
        assert await reader.readexactly(5) == b"hello"
        assert (await control.call(socket_path, "stats"))["accepted"] == 1
        with pytest.raises(control.ControlError, match=r"no operation 'melt'.*there are stats, cut"):
            await control.call(socket_path, "melt")
        writer.close()
        child.kill()
        await child.wait()


@pytest.mark.parametrize(("op", "arguments"), [
    ("stall", {"direction": "sideways"}), ("rate", {"bytes_s": 0}), ("resets", {"chance": 0.3, "per": "day"}),
])
async def test_a_fault_that_makes_no_sense_is_refused_and_changes_nothing(op: str, arguments: dict[str, str]) -> None:
    async with echo_behind_proxy() as proxy:
        before = proxy.faults
        with pytest.raises(ValueError, match=r"no direction|at least 1|no reset per"):
            await handle(proxy, op, dict(arguments))
        assert proxy.faults == before


def test_words_of_a_command_line_become_an_operation() -> None:
    assert control.words("stall direction=up for_good=true") == ("stall", {"direction": "up", "for_good": True})
    assert control.words("rate bytes_s=1.5") == ("rate", {"bytes_s": 1.5})
    assert control.words("heal") == ("heal", {})


def test_the_same_seed_gives_the_same_fate_and_its_share_of_resets() -> None:
    def fates(seed: int) -> list[int | None]:
        return [Fate(Resets(0.3, within_bytes=1000, seed=seed), number).passes(1000) for number in range(1000)]

    assert fates(1) == fates(1) != fates(2)
    doomed = [passes for passes in fates(1) if passes is not None]
    assert 250 < len(doomed) < 350
    assert min(doomed) < 100
    assert max(doomed) >= 900


def test_a_fate_counts_the_bytes_of_all_chunks() -> None:
    (doom,) = [Fate(Resets(1.0, within_bytes=1000, seed=3), 1).passes(1000)]
    assert doom is not None
    fate = Fate(Resets(1.0, within_bytes=1000, seed=3), 1)
    assert [fate.passes(1) for _ in range(doom + 1)] == [None] * doom + [0]


def test_with_a_chance_for_each_chunk_a_long_connection_ends_some_time() -> None:
    fate = Fate(Resets(0.1, per="chunk", seed=1), 1)
    passed = [fate.passes(10) for _ in range(200)]
    assert 5 < sum(size is not None for size in passed) < 45
    assert all(size < 10 for size in passed if size is not None)


def test_a_slow_line_is_busy_until_the_last_byte_is_through() -> None:
    line = Line()
    assert line.through_s(100.0, 5, 1.0) == 105.0
    assert line.through_s(101.0, 2, 1.0) == 107.0
    assert line.through_s(200.0, 10, 10.0) == 201.0
    assert [piece_bytes(rate, 1000) for rate in (None, 1, 50, 100_000)] == [1000, 1, 5, 1000]


def publication(topic: bytes, identifier: int, payload: bytes, qos: int = 1) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + (identifier.to_bytes(2, "big") if qos else b"") + payload
    length, digits = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        digits += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([0x30 | qos << 1]) + digits + body


@example([b"x" * 3_000_000], [2, 1])
@given(st.lists(st.binary(max_size=40_000), min_size=1, max_size=5), st.lists(st.integers(1, 30_000), max_size=20))
def test_packets_are_whole_however_they_were_cut(payloads: list[bytes], cuts: list[int]) -> None:
    packets = [publication(b"t", number + 1, payload) for number, payload in enumerate(payloads)]
    stream, frames, found = b"".join(packets), Frames(), []
    for size in [*cuts, len(stream)]:
        found += frames.feed(stream[:size])
        stream = stream[size:]
    assert found == packets


def test_a_publication_is_acknowledged_by_its_identifier_and_nothing_else_is() -> None:
    forgetful = Forgetful(1.0, seed=0)
    assert forgetful.answer(publication(b"anju/up", 0x1234, b"x" * 300)) == b"\x40\x02\x12\x34"
    assert forgetful.answer(publication(b"anju/up", 0, b"x", qos=0)) is None
    assert forgetful.answer(b"\xc0\x00") is None
    assert Forgetful(0.0, seed=0).answer(publication(b"t", 1, b"")) is None
