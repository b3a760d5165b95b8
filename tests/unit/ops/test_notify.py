"""sd_notify and the watchdog, against a real datagram socket."""

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.ops import watchdog
from gateway.ops.notify import notify, watchdog_period_s


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


def test_fields_arrive_as_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert notify("READY=1", "STATUS=fine")
        assert systemd.recv(100) == b"READY=1\nSTATUS=fine"


def test_a_socket_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


@pytest.mark.parametrize(("usec", "period_s"), [("30000000", 15.0), ("", None), ("0", None), ("soon", None)])
def test_the_watchdog_is_fed_twice_a_period(monkeypatch: pytest.MonkeyPatch, usec: str, period_s: float | None) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert watchdog_period_s() == period_s


def test_another_process_watchdog_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_period_s() is None


async def test_a_stuck_pipeline_is_not_fed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        monkeypatch.setenv("WATCHDOG_USEC", "2000")
        progress = [0]
        task = asyncio.create_task(watchdog.feed(lambda: progress[0], lambda: "fine"))
        await asyncio.sleep(0.02)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        progress[0] += 1
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(systemd, 100) == b"WATCHDOG=1\nSTATUS=fine"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
