"""The supervisor: neighbours are left alone, whatever changes and whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from drivers.testkit import virtual_time
from gateway.runtime.supervisor import Supervisor
from gateway.spi import BusContext, BusKind
from tests.unit.runtime import kit


def live(story: Callable[[Supervisor, kit.Sink, list[kit.TestBus]], Awaitable[None]]) -> None:
    async def main() -> None:
        sink = kit.Sink()
        kind, made = kit.bus_kind()
        now_s = asyncio.get_running_loop().time
        supervisor = Supervisor(kit.DRIVERS, {"test": kind}, kit.means(sink), lambda bus: BusContext(Path(bus), now_s))
        task = asyncio.create_task(supervisor.run())
        await story(supervisor, sink, made)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual_time.run(main())


def test_a_crashing_driver_never_touches_its_neighbour() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        await supervisor.apply({"test": kit.BusSettings()}, {"a": kit.device("a", "crash"), "b": kit.device("b")})
        await asyncio.sleep(100)
        assert sink.states("b") == ["searching", "starting", "up"]
        assert supervisor.statuses()["a"].sessions > 10
        assert supervisor.statuses()["b"].sessions == 1

    live(story)


def test_a_new_configuration_restarts_only_what_it_changes() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        buses = {"test": kit.BusSettings()}
        await supervisor.apply(buses, {"a": kit.device("a"), "b": kit.device("b"), "c": kit.device("c")})
        await asyncio.sleep(1)
        await supervisor.apply(buses, {"a": kit.device("a"), "b": kit.device("b", "smoke"), "d": kit.device("d")})
        await asyncio.sleep(1)
        assert len(made) == 1
        assert sorted(made[0].opened) == ["a", "b", "b", "c", "d"]
        assert sorted(made[0].closed) == ["b", "c"]
        assert set(supervisor.statuses()) == {"a", "b", "d"}

    live(story)


def test_another_room_restarts_nothing() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        buses = {"test": kit.BusSettings()}
        await supervisor.apply(buses, {"a": kit.device("a")})
        await asyncio.sleep(1)
        moved = {"a": msgspec.structs.replace(kit.device("a"), room="hall")}
        await supervisor.apply(buses, moved)
        await asyncio.sleep(1)
        assert made[0].opened == ["a"]
        assert made[0].closed == []

    live(story)


def test_a_driver_that_does_not_stop_holds_up_nobody() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        buses, now_s = {"test": kit.BusSettings()}, asyncio.get_running_loop().time
        await supervisor.apply(buses, {"a": kit.device("a", "never-stop"), "sos": kit.device("sos")})
        await asyncio.sleep(1)
        began_s = now_s()
        async with asyncio.TaskGroup() as group:  # two at once: the second waits for the first
            group.create_task(supervisor.apply(buses, {"a": kit.device("a"), "sos": kit.device("sos")}))
            group.create_task(supervisor.apply(buses, {"a": kit.device("a"), "sos": kit.device("sos")}))
        await asyncio.sleep(1)
        assert now_s() - began_s < 5
        assert made[0].opened == ["a", "sos", "a"], "the button was never touched"
        assert supervisor.statuses()["a"].state == "up"
        await asyncio.sleep(5000)

    live(story)


def test_a_driver_that_cancels_itself_is_retried() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        await supervisor.apply({"test": kit.BusSettings()}, {"a": kit.device("a", "cancel-itself")})
        await asyncio.sleep(30)
        assert supervisor.statuses()["a"].sessions > 3
        assert "cancelled itself" in next(status.reason for status in sink.statuses if status.state == "lost")

    live(story)


def test_a_bus_that_cannot_be_made_is_told_by_its_devices_and_stops_no_other() -> None:
    async def main() -> None:
        sink, (kind, _) = kit.Sink(), kit.bus_kind()
        broken = BusKind("broken", kit.BusSettings, lambda settings, context: 1 / 0)  # type: ignore[arg-type,return-value]
        drivers = kit.DRIVERS | {"other": replace(kit.DRIVER, name="other", bus="broken")}
        now_s = asyncio.get_running_loop().time
        supervisor = Supervisor(drivers, {"test": kind, "broken": broken}, kit.means(sink),
                                lambda bus: BusContext(Path(bus), now_s))
        task = asyncio.create_task(supervisor.run())
        await supervisor.apply({"broken": kit.BusSettings(), "test": kit.BusSettings()},
                               {"x": kit.device("x", driver="other"), "a": kit.device("a")})
        await asyncio.sleep(1)
        assert supervisor.statuses()["a"].state == "up"
        assert "division by zero" in supervisor.statuses()["x"].reason
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual_time.run(main())


def test_a_changed_bus_takes_its_devices_along() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        await supervisor.apply({"test": kit.BusSettings()}, {"a": kit.device("a")})
        await asyncio.sleep(1)
        await supervisor.apply({"test": kit.BusSettings("other")}, {"a": kit.device("a")})
        await asyncio.sleep(1)
        assert [bus.opened for bus in made] == [["a"], ["a"]]
        assert made[0].closed == ["a"]

    live(story)


def test_a_bus_that_fails_is_started_again_and_its_fault_shown() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        await supervisor.apply({"test": kit.BusSettings()}, {})
        made[0].down = True
        await supervisor.apply({"test": kit.BusSettings("again")}, {})
        made[1].down = True
        await asyncio.sleep(0.1)
        assert supervisor.health()["test"] == {"opened": 0, "reason": "no adapter", "cure": "plug one in"}
        made[1].down = False
        await asyncio.sleep(10)
        assert supervisor.health()["test"] == {"opened": 0}

    live(story)


def test_discovery_asks_the_bus() -> None:
    async def story(supervisor: Supervisor, sink: kit.Sink, made: list[kit.TestBus]) -> None:
        await supervisor.apply({"test": kit.BusSettings()}, {})
        assert await supervisor.discover("test", 5) == [{"name": "found", "seconds": 5}]
        with pytest.raises(KeyError):
            await supervisor.discover("other", 5)

    live(story)
