"""The chronicle is there whatever the disk does, and on disk as soon as the disk takes it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.model.time import Boot
from gateway.runtime.chronicle import Chronicle
from gateway.store import Store
from tests.unit.runtime.test_clock import NOW_S, Machine


class Looks:
    """Lets the chronicle look when told, and waits until it has."""

    def __init__(self) -> None:
        self._turns: asyncio.Queue[None] = asyncio.Queue()
        self._looked = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self._looked.set()
        await self._turns.get()

    async def first(self) -> None:
        await self._looked.wait()

    async def again(self) -> None:
        self._looked.clear()
        self._turns.put_nowait(None)
        await self._looked.wait()


@asynccontextmanager
async def running(store: Store, machine: Machine) -> AsyncIterator[tuple[Chronicle, Looks]]:
    looks = Looks()
    chronicle = Chronicle(store, machine.clock, looks.sleep)
    task = asyncio.create_task(chronicle.run())
    await looks.first()
    try:
        yield chronicle, looks
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_boot_is_on_disk_from_its_start_and_dated_once_the_clock_is_synced(tmp_path: Path) -> None:
    store, machine = await Store.open(tmp_path), Machine(wall_s=12.0)
    async with running(store, machine) as (chronicle, looks):
        assert await store.boots() == [Boot("boot", 1000.0)]
        machine.passes(50.0)
        machine.wall_s, machine.kernel_s = NOW_S, 1.0
        machine.clock.look()
        await looks.again()
        known = Boot("boot", 1050.0, NOW_S - 1050.0, 1049.0, 1049.0)
        assert await store.boots() == list(chronicle.boots()) == [known]
    await store.close()


async def test_a_look_without_news_writes_nothing_and_save_notes_how_long_it_ran(tmp_path: Path) -> None:
    store, machine = await Store.open(tmp_path), Machine(kernel_s=1.0)
    async with running(store, machine) as (chronicle, looks):
        before = store.writes().fsyncs
        machine.passes(60.0)
        await looks.again()
        assert store.writes().fsyncs == before
        assert chronicle.boots()[-1].lasted_s == 1060.0
        await chronicle.save()
        assert (await store.boots())[0].lasted_s == 1060.0
    await store.close()


async def test_a_sync_that_moves_the_clock_by_more_than_a_second_is_noted_again(tmp_path: Path) -> None:
    store, machine = await Store.open(tmp_path), Machine(kernel_s=0.0)
    async with running(store, machine) as (_, looks):
        for by_s, began_s in ((0.8, NOW_S - 1000.0), (7200.0, NOW_S + 6200.8)):
            machine.wall_s += by_s
            machine.clock.look()
            await looks.again()
            assert (await store.boots())[0].began_wall_s == began_s
    await store.close()


async def test_a_service_started_anew_in_the_same_boot_goes_on_from_what_it_knew(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.note_boot(Boot("earlier", 5.0))
    await store.note_boot(Boot("boot", 900.0, NOW_S - 1000.0, 100.0, 800.0))
    async with running(store, Machine(wall_s=12.0)) as (chronicle, _):
        assert chronicle.boots() == [Boot("earlier", 5.0), Boot("boot", 1000.0, NOW_S - 1000.0, 100.0, 800.0)]
    await store.close()


async def test_without_a_disk_the_chronicle_is_in_memory_and_reaches_the_disk_later(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file stands where the folder should be")
    store, machine = await Store.open(folder), Machine(kernel_s=0.0)
    async with running(store, machine) as (chronicle, looks):
        assert chronicle.boots()[-1].began_wall_s == NOW_S - 1000.0
        folder.unlink()
        folder.mkdir()
        await looks.again()
        assert await store.boots() == list(chronicle.boots())
    await store.close()
