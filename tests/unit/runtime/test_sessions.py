"""One device's sessions, in virtual time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.testkit import virtual_time
from gateway.model.reading import Binary, BinaryKind, Quantity, QuantityKind
from gateway.runtime.session import HELD_S, OrderBox, Sessions
from gateway.spi import (
    BusContext,
    BusUnavailable,
    DeviceRejected,
    Driver,
    Light,
    LightPattern,
    Link,
    LinkError,
    LinkLost,
    Order,
    SendSms,
    SpiError,
)
from tests.unit.runtime import kit

Meanwhile = Callable[[kit.TestBus, Sessions], Awaitable[None]]


def live(act: str, seconds: float, driver: str = "test",
         meanwhile: Meanwhile | None = None) -> tuple[kit.Sink, kit.TestBus, Sessions]:
    """Let one device live for some virtual seconds."""

    async def main() -> tuple[kit.Sink, kit.TestBus, Sessions]:
        sink = kit.Sink()
        bus = kit.TestBus(BusContext(Path(), asyncio.get_running_loop().time))
        sessions = Sessions(kit.device("d", act), kit.DRIVERS[driver], bus, kit.means(sink))
        task = asyncio.create_task(sessions.run())
        if meanwhile:
            await meanwhile(bus, sessions)
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return sink, bus, sessions

    return virtual_time.run(main())


def test_a_good_device_comes_up_and_stays() -> None:
    sink, bus, sessions = live("stay", 3600)
    assert sink.states("d") == ["starting", "up"]
    assert sessions.status.sessions == 1
    assert bus.closed == ["d"]


def test_what_a_device_says_about_itself_stays_in_its_status() -> None:
    async def tell(_bus: kit.TestBus, sessions: Sessions) -> None:
        sessions.about({"model": "X"})

    _, _, sessions = live("lose", 5, meanwhile=tell)
    assert sessions.status.about == {"model": "X"}


def test_a_lost_link_leads_to_new_sessions_with_growing_pauses() -> None:
    sink, _, sessions = live("lose", 60)
    assert sink.states("d")[:4] == ["starting", "up", "lost", "starting"]
    # 1 s of life each, pauses 0.5, 1, 2, 4, 5, 5 ... s
    assert 10 <= sessions.status.sessions <= 14
    lost = [status for status in sink.statuses if status.state == "lost"]
    assert {(status.reason, status.cure) for status in lost} == {("gone", "come nearer")}


def test_a_crash_of_the_driver_is_its_own_affair_and_is_retried() -> None:
    sink, _, sessions = live("crash", 20)
    assert sessions.status.sessions >= 4
    lost = [status for status in sink.statuses if status.state == "lost"]
    assert "ZeroDivisionError: a bug" in lost[0].reason


def test_a_device_that_is_never_ready_is_given_up_at_its_start_deadline() -> None:
    sink, bus, _ = live("never-ready", 5.2)
    assert sink.states("d") == ["starting", "lost"]
    assert bus.closed == ["d"]
    assert "not ready 5 s" in sink.statuses[-1].reason


def test_a_silent_device_counts_as_up_again_only_after_a_sign_of_life() -> None:
    sink, bus, _ = live("stay", 400, driver="silent")
    assert sink.states("d") == ["starting", "up", "silent"], "new sessions alone are no sign of life"
    assert len(bus.opened) >= 5
    sink, _, _ = live("fall-silent", 130, driver="silent")
    assert sink.states("d") == ["starting", "up", "silent", "up", "silent", "up"]


def test_a_rejected_device_is_told_once_and_looked_at_again_now_and_then() -> None:
    async def refuse(link: Link[kit.Settings], port: object) -> None:
        raise DeviceRejected("wrong device", "change the address")

    async def main() -> tuple[kit.Sink, kit.TestBus]:
        sink = kit.Sink()
        bus = kit.TestBus(BusContext(Path(), asyncio.get_running_loop().time))
        driver = Driver(name="test", title="", bus="test", settings=kit.Settings, run=refuse, gives=())
        task = asyncio.create_task(Sessions(kit.device("d"), driver, bus, kit.means(sink)).run())
        await asyncio.sleep(3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return sink, bus

    sink, bus = virtual_time.run(main())
    assert sink.states("d") == ["starting", "rejected"]
    assert len(bus.opened) == 3600 / HELD_S
    assert sink.statuses[-1].cure == "change the address"


def test_a_device_that_was_rejected_while_it_booted_comes_up() -> None:
    async def main() -> kit.Sink:
        tries = 0

        async def boot(link: Link[kit.Settings], port: object) -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise DeviceRejected("illegal address", "check the module")
            link.ready()
            await asyncio.Event().wait()

        sink = kit.Sink()
        bus = kit.TestBus(BusContext(Path(), asyncio.get_running_loop().time))
        driver = Driver(name="test", title="", bus="test", settings=kit.Settings, run=boot, gives=())
        task = asyncio.create_task(Sessions(kit.device("d"), driver, bus, kit.means(sink)).run())
        await asyncio.sleep(3 * HELD_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return sink

    assert virtual_time.run(main()).states("d") == ["starting", "rejected", "up"]


def test_a_loss_is_logged_with_its_cure(caplog: pytest.LogCaptureFixture) -> None:
    live("lose", 1.2)
    assert any(record.levelname == "WARNING" and "cure='come nearer'" in record.message for record in caplog.records)


def test_a_device_out_of_reach_is_searched_for_as_long_as_it_takes() -> None:
    async def away_then_back(bus: kit.TestBus, sessions: Sessions) -> None:
        bus.away.add("d")
        await asyncio.sleep(7200)
        assert sessions.status.state == "searching"
        bus.away.clear()

    sink, _, sessions = live("stay", 10, meanwhile=away_then_back)
    assert sink.states("d") == ["starting", "up"]
    assert sessions.status.sessions == 1


def test_dropped_samples_are_counted() -> None:
    async def main() -> Sessions:
        sink = kit.Sink(full=True)
        bus = kit.TestBus(BusContext(Path(), asyncio.get_running_loop().time))
        sessions = Sessions(kit.device("d"), kit.DRIVER, bus, kit.means(sink))
        sessions.emit(Quantity(QuantityKind.BATTERY, 80.0), 1.0)
        sessions.emit(Quantity(QuantityKind.BATTERY, 79.0), 2.0)
        return sessions

    assert virtual_time.run(main()).status.dropped == 2


def test_a_new_session_learns_the_last_order_first() -> None:
    async def main() -> list[LightPattern]:
        box = OrderBox()
        box.put(Light(LightPattern.FAST))
        seen = []
        async for order in box.orders():
            seen.append(order.pattern)
            break
        async for order in box.orders():
            seen.append(order.pattern)
            if len(seen) == 2:
                box.put(Light(LightPattern.OFF))
            else:
                break
        return seen

    assert virtual_time.run(main()) == [LightPattern.FAST, LightPattern.FAST, LightPattern.OFF]


def test_a_text_is_given_out_once_however_often_it_is_ordered_while_it_waits_and_the_light_to_each_session() -> None:
    async def main() -> list[list[Order]]:
        box, seen = OrderBox(), []
        first, second = SendSms("a/sms/0", "10086", "help"), SendSms("b/sms/0", "10086", "help")
        for order in (first, Light(LightPattern.SLOW), second, first, Light(LightPattern.FAST)):
            box.put(order)
        for _ in range(2):
            got: list[Order] = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    async for order in box.orders():
                        got.append(order)  # noqa: PERF401 - what came before the time was up counts
            seen.append(got)
        return seen

    light = Light(LightPattern.FAST)
    assert virtual_time.run(main()) == [
        [light, SendSms("a/sms/0", "10086", "help"), SendSms("b/sms/0", "10086", "help")], [light]]


def test_readings_carry_the_time_of_their_bytes() -> None:
    sink, _, _ = live("smoke", 5)
    assert [reading.value for reading in sink.readings] == [Binary(BinaryKind.SMOKE, active=True)]
    assert sink.readings[0].at.mono_s == 1000.0


@pytest.mark.parametrize(("error", "after"), [(LinkLost("gone", "none"), "asleep"), (LinkError("no", "mend"), "lost"),
                                              (BusUnavailable("no adapter", "plug one in"), "lost"),
                                              (DeviceRejected("wrong", "change"), "rejected")])
def test_a_portable_monitor_whose_link_goes_is_asleep_and_other_trouble_is_told(error: SpiError, after: str) -> None:
    async def nap(link: Link[kit.Settings], port: object) -> None:
        link.ready()
        await asyncio.sleep(1)
        raise error

    async def main() -> tuple[str, kit.Sink]:
        sink = kit.Sink()
        bus = kit.TestBus(BusContext(Path(), asyncio.get_running_loop().time))
        bus.away.add("d")
        driver = Driver(name="test", title="", bus="test", settings=kit.Settings, run=nap, gives=(), portable=True)
        sessions = Sessions(kit.device("d"), driver, bus, kit.means(sink))
        first = sessions.status.state.value
        task = asyncio.create_task(sessions.run())
        await asyncio.sleep(3600)
        assert sessions.status.state == "asleep"
        bus.away.clear()
        await asyncio.sleep(2.5)
        bus.away.add("d")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return first, sink

    first, sink = virtual_time.run(main())
    assert first == "asleep"
    assert sink.states("d")[:2] == ["up", after]
