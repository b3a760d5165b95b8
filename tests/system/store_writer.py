"""A process that appends for ever and prints each id once the store has accepted it; to be killed."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from gateway.model.event import Lane
from gateway.store import Store
from tests.unit.store.kit import alarm, event


async def _write(store: Store, writer: int, run: str) -> None:
    for number in count():
        event_id = f"{run}-{writer}-{number}"
        lane = Lane(number % 3)
        await store.append([event(event_id, lane)], alarm(event_id) if lane is Lane.ALARM else None)
        sys.stdout.write(f"{lane.value} {event_id}\n")
        sys.stdout.flush()


async def main() -> None:
    store = await Store.open(Path(sys.argv[1]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(_write(store, writer, sys.argv[2]) for writer in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
