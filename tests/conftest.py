"""Rules for every test: no task outlives it, no event loop is blocked by gateway code, machine facts are explicit."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from blockbuster import BlockBuster, blockbuster_ctx


@pytest_asyncio.fixture(autouse=True)
async def no_task_left() -> AsyncIterator[None]:
    """Fail a test which leaves a task alive."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() - before if not task.done() and task is not asyncio.current_task()]
    assert not left, f"tasks left alive: {left}"


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[BlockBuster]:
    """Fail gateway code that blocks the event loop."""
    with blockbuster_ctx(scanned_modules=["gateway"]) as blockbuster:
        yield blockbuster
