"""A gateway's control socket without the gateway: the real server on a real socket, with answers of the test's own."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.ops.control import ControlServer, Refused
from gateway.ops.status import Parts, status

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def a_device(name: str, state: str = "up", **more: Any) -> dict[str, Any]:
    return {"device": name, "driver": "polar", "room": "wrist", "bus": "ble", "age_s": 0.4, "state": state,
            "since_mono_s": 10.0, "reason": "", "cure": "", "sessions": 1, "dropped": 0} | more


def a_status(**more: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "gateway": "cq-0001", "version": "0.1.0", "uptime_s": 7300.0, "rss_mb": 51.2,
        "clock": {"wall_s": 1.7e9, "quality": "synced", "boot_id": BOOT_ID},
        "city": {"connected": True, "state": "online", "broker": "care.example:8883", "tls": True, "mqtt": "5",
                 "waiting": {"alarm": 0, "event": 0, "telemetry": 0}, "reason": "", "cure": ""},
        "store": {"waiting": {"alarm": 0, "event": 0, "telemetry": 0}, "reason": "", "cure": ""},
        "devices": [a_device("bracelet")], "buses": {"ble": {"adapter": "hci0"}}, "alarms": [], "cover": [],
        "routine": {"reduced": False, "reasons": []},
        "voice": {"output": "alsa", "language": "zh", "speaking": None, "waiting": 0, "said": 3}, "faults": []}
    return status(Parts(**whole | more))


class Desk:
    """Answers verbs: `answers[verb]` is a list of results, a refusal, or a function of the request."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {"status": [a_status()], "devices": [[a_device("bracelet")]], "reload": [
            {"devices": [], "needs_restart": []}]}

    def verbs(self) -> dict[str, Callable[[dict[str, Any]], AsyncGenerator[Any, None]]]:
        names = ("status", "devices", "outbox", "falls", "routine", "away", "discover", "reload", "test_alarm",
                 "tail", "pair", "answer_pairing")
        return dict.fromkeys(names, self._answer)

    async def _answer(self, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
        self.asked.append(request)
        answers = self.answers[request["verb"]]
        if callable(answers):
            answers = answers(request)
        for answer in [answers] if isinstance(answers, Exception) else answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer


def refused(error: str, cure: str) -> Refused:
    return Refused(error, cure)


@contextmanager
def serving(path: Path) -> Iterator[Desk]:
    """A desk that answers at `path` while the context is open."""
    desk, started, stop = Desk(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        server = asyncio.create_task(ControlServer(path, desk.verbs(), print).run())
        while not (path.exists() and path.stat().st_mode & 0o777 == 0o660):
            await asyncio.sleep(0.002)  # the server itself does not say when it listens
        started.set()
        await stop.wait()
        server.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert started.wait(5), "the control socket never came"
        yield desk
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)
