"""The control socket, over a real Unix socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ops import control
from gateway.ops.control import CONNECTIONS, ControlServer, Refused


async def hello(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    yield {"hello": request["name"]}


async def count(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    for number in range(request["upto"]):
        yield number


async def refuse(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    raise Refused("not now", "wait a minute")
    yield


left: list[str] = []


async def for_ever(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    try:
        while True:
            yield "tick"
            await asyncio.sleep(0.001)
    finally:
        left.append("closed")


async def flood(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    try:
        while True:
            yield "x" * 60_000
    finally:
        left.append("closed")


async def silent(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    try:
        yield "nothing more"
        await asyncio.Event().wait()
    finally:
        left.append("closed")


async def slow(request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    await asyncio.sleep(10 * control.IDLE_S)
    yield "late"


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    verbs = {"hello": hello, "count": count, "refuse": refuse, "for_ever": for_ever, "flood": flood,
             "slow": slow, "silent": silent}
    task = asyncio.create_task(ControlServer(path, verbs, print, group="no-such-group").run())
    while not path.exists():
        await asyncio.sleep(0.001)
    yield path
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ask(path: Path, *lines: bytes) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(line + b"\n" for line in lines))
    writer.write_eof()
    answers = [json.loads(line) for line in (await reader.read()).splitlines()]
    writer.close()
    return answers


async def test_a_verb_answers_with_its_result(socket: Path) -> None:
    assert await ask(socket, b'{"verb": "hello", "name": "Wang"}') == [{"ok": True, "result": {"hello": "Wang"}}]


async def test_a_streaming_verb_answers_many_times_and_requests_follow_each_other(socket: Path) -> None:
    answers = await ask(socket, b'{"verb": "count", "upto": 3}', b'{"verb": "count", "upto": 1}')
    assert [answer["result"] for answer in answers] == [0, 1, 2, 0]


async def test_a_refusal_carries_its_cure(socket: Path) -> None:
    assert await ask(socket, b'{"verb": "refuse"}') == [{"ok": False, "error": "not now", "cure": "wait a minute"}]


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b"{}", b'{"verb": 3}', b'{"verb": "hello"}', b"\xff\xfe"])
async def test_a_bad_request_is_refused_and_the_next_one_served(socket: Path, line: bytes) -> None:
    bad, good = await ask(socket, line, b'{"verb": "hello", "name": "Li"}')
    assert not bad["ok"]
    assert bad["cure"]
    assert good["result"] == {"hello": "Li"}


async def test_an_endless_line_costs_only_its_own_connection(socket: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"x" * 300_000)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert (await ask(socket, b'{"verb": "hello", "name": "Li"}'))[0]["ok"]


async def test_a_stream_ends_when_its_reader_leaves(socket: Path) -> None:
    left.clear()
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b'{"verb": "for_ever"}\n')
    await reader.readline()
    writer.close()
    async with asyncio.timeout(5):
        while not left:
            await asyncio.sleep(0.001)


async def test_the_socket_is_no_ones_but_the_groups(socket: Path) -> None:
    assert socket.stat().st_mode & 0o777 == 0o660


async def test_a_crowd_of_idle_connections_is_refused_with_a_cure_and_leaves_room_when_one_goes(socket: Path) -> None:
    served = [await asyncio.open_unix_connection(socket) for _ in range(CONNECTIONS)]
    for reader, writer in served:
        writer.write(b'{"verb": "hello", "name": "Wu"}\n')
        assert json.loads(await reader.readline())["ok"]
    before = _descriptors()
    crowd = [await asyncio.open_unix_connection(socket) for _ in range(300)]
    for reader, _ in crowd:
        refused = json.loads(await reader.readline())
        assert (refused["ok"], "32 connections" in refused["error"]) == (False, True)
        assert "anju tail" in refused["cure"]
        assert await reader.read() == b"", "nothing is held for it"
    assert _descriptors() <= before + len(crowd), "the crowd's own ends alone"
    served.pop()[1].close()
    async with asyncio.timeout(5):
        while not (await ask(socket, b'{"verb": "hello", "name": "Li"}'))[0]["ok"]:
            await asyncio.sleep(0.001)
    for _, writer in served + crowd:
        writer.close()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_one_that_asks_nothing_is_let_go(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE_S", 0.02)
    reader, writer = await asyncio.open_unix_connection(socket)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_one_that_reads_nothing_is_let_go_and_its_stream_ends(
        socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE_S", 0.02)
    left.clear()
    _, writer = await asyncio.open_unix_connection(socket, limit=1)  # its buffer is full at once
    writer.write(b'{"verb": "flood"}\n')
    async with asyncio.timeout(5):
        while not left:
            await asyncio.sleep(0.001)
    writer.close()


async def test_a_stream_that_says_nothing_for_long_is_not_let_go(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "IDLE_S", 0.02)
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b'{"verb": "slow"}\n')
    assert json.loads(await reader.readline())["result"] == "late"
    writer.close()


async def test_streams_with_nothing_to_say_whose_callers_left_hold_no_place(socket: Path) -> None:
    left.clear()
    for _ in range(CONNECTIONS):
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(b'{"verb": "silent"}\n')
        assert json.loads(await reader.readline())["ok"]
        writer.close()
        await writer.wait_closed()
    staying, writer = await asyncio.open_unix_connection(socket)
    writer.write(b'{"verb": "silent"}\n')
    writer.write_eof()  # it has nothing more to ask and goes on reading
    assert json.loads(await staying.readline())["ok"]
    assert left == ["closed"] * CONNECTIONS
    assert (await ask(socket, b'{"verb": "hello", "name": "Li"}'))[0]["ok"]
    assert left == ["closed"] * CONNECTIONS
    writer.close()
