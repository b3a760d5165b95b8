"""Virtual time beside a real store thread, so that a run can be repeated to the last turn of the loop.

LockStep stands where the store's queue of jobs stands: whoever puts a job there waits until the thread has served it
and has nothing more to do. So thread and loop never run at once, and between two turns the files lie still. Held, the
queue keeps the jobs back, as a disk that says nothing; released, it serves them as one batch.
"""

import asyncio
import queue
import selectors
import threading
from collections import deque
from typing import Any

DEADLOCK_S = 20.0


class _Selector(selectors.DefaultSelector):
    loop: "ModelLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for ever")
        if not ready and timeout:
            self.loop.now_s += timeout
        return ready


class ModelLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer, beginning at 1000 s."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now_s


class LockStep:
    """A queue.SimpleQueue in which the store thread and whoever asks it take turns."""

    def __init__(self) -> None:
        self._jobs: deque[Any] = deque()
        self._turn = threading.Condition()
        self._idle = False
        self._held = False
        self._thread: threading.Thread | None = None

    def put(self, job: Any) -> None:
        with self._turn:
            self._jobs.append(job)
        if job is None:
            self._held = False
        self._served()
        if job is None and self._thread is not None:
            self._thread.join(DEADLOCK_S)

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._served()

    def get(self, timeout: float | None = None) -> Any:
        """Wait for a job, however long: the thread's looks at its file in between would come at chance."""
        with self._turn:
            self._thread = threading.current_thread()
            self._idle = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: not self.empty())
            self._idle = False
            return self._jobs.popleft()

    def get_nowait(self) -> Any:
        with self._turn:
            if self.empty():
                raise queue.Empty
            return self._jobs.popleft()

    def empty(self) -> bool:
        return self._held or not self._jobs

    def _served(self) -> None:
        with self._turn:
            self._turn.notify_all()
            leaves = None in self._jobs
            if not leaves and not self._turn.wait_for(lambda: self.empty() and self._idle, DEADLOCK_S):
                raise RuntimeError("the store thread serves nobody")
