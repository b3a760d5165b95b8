"""The control socket, over a real Unix socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ops.control import ControlServer, Refused


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


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    verbs = {"hello": hello, "count": count, "refuse": refuse, "for_ever": for_ever}
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
