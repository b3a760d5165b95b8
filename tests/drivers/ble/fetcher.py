"""A gateway that fetches a meter's records: `python -m tests.drivers.ble.fetcher FOLDER NUMBER...`.

The real driver, pipeline and store, over a fake meter. Once what all its records lead to is on disk it prints how many
measurements the city is to have and waits to be killed, as in the seconds before the driver's own note is on disk.
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from drivers.devices import glucose
from drivers.devices.monitor import MonitorSettings
from drivers.testkit.advert import FakeNotes
from drivers.testkit.link import RecordedLink
from gateway.detect.vitals.limits import DEFAULTS, Person
from gateway.model.event import EventType
from gateway.model.reading import Measurement
from tests.drivers.ble import test_monitor_sessions
from tests.drivers.ble.test_monitor_sessions import Meter
from tests.unit.runtime.pipe import Bench, bench


class Piped(RecordedLink[MonitorSettings]):
    """What is emitted goes the whole way."""

    def __init__(self, b: Bench) -> None:
        super().__init__(MonitorSettings(address="C0:00:00:00:00:01"), "meter")
        self._bench = b

    def emit(self, value: Measurement, mono_s: float) -> None:
        super().emit(value, mono_s)
        self._bench.reading(value, "meter")


async def fetch(folder: Path, numbers: list[int]) -> None:
    async with bench(folder, people={"meter": Person(limits=DEFAULTS)}) as b:
        await b.pipeline.restore()
        link = Piped(b)
        session = asyncio.ensure_future(glucose.DRIVER.run(link, Meter(numbers).peer(FakeNotes())))
        await link.until(lambda: len(link.said) == len(numbers))
        async with asyncio.timeout(10):
            while b.pipeline.keeper._under_way:
                await asyncio.sleep(0.01)
        print((await b.kinds()).count(EventType.VITALS_MEASURED), flush=True)
        await session


if __name__ == "__main__":
    test_monitor_sessions.NOW = datetime(2026, 3, 1, 8)  # noqa: DTZ001 - a record keeps its date
    asyncio.run(fetch(Path(sys.argv[1]), [int(number) for number in sys.argv[2:]]))
