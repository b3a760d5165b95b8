"""The pipeline on a real store: what a reading leads to, with the disk well and with the disk refusing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config import Detect
from gateway.detect import cover, inactivity, watch
from gateway.model.alarm import AlarmState
from gateway.model.command import Command, Verb
from gateway.model.command import Outcome as Answer
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.event import Event, EventType, Lane
from gateway.model.finding import FallSource, FindingKind
from gateway.model.light import LightPattern
from gateway.model.prompt import Prompt
from gateway.model.reading import (
    Binary,
    BinaryKind,
    Button,
    FallFlag,
    Press,
    Quantity,
    QuantityKind,
    Reading,
)
from gateway.runtime import keeper as keeper_module
from gateway.runtime import pipeline as pipeline_module
from gateway.runtime.clock import Clock
from gateway.runtime.detectors import Detectors
from gateway.runtime.keeper import Commit
from gateway.runtime.routine import BadAway, Routine
from gateway.store import Store, StoreFull
from tests.unit.runtime.pipe import FOREST, SMOKE, Bench, bench, taken


async def test_smoke_speaks_and_lights_at_once_and_is_on_disk_when_taken(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        done = asyncio.Event()
        b.reading(SMOKE, taken=done.set)
        assert b.said == [(Prompt.RAISED, FindingKind.SMOKE)]
        assert b.shown == [LightPattern.STEADY, LightPattern.FAST]
        assert not done.is_set()
        await done.wait()
        assert await b.kinds() == [EventType.ALARM_RAISED, EventType.SENSOR_CHANGED]
        assert [alarm.state for alarm in await b.store.open_alarms()] == [AlarmState.RAISED]


async def test_a_reading_that_leads_to_nothing_is_taken_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, SMOKE)
        done: list[str] = []
        b.reading(SMOKE, taken=lambda: done.append("taken"))
        assert done == ["taken"]
        assert len(await b.rows()) == 2


async def test_received_is_said_only_after_the_city(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        (alarm,) = b.pipeline.alarms()
        b.pipeline.sent([alarm.id, "another"])
        assert (Prompt.RECEIVED, FindingKind.SOS) not in b.said
        b.pipeline.received([alarm.id])
        assert b.said == [(prompt, FindingKind.SOS) for prompt in (Prompt.RAISED, Prompt.SENT, Prompt.RECEIVED)]
        assert b.shown[-1] is LightPattern.SLOW


async def test_i_am_fine_cancels_and_the_city_hears_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        await taken(b, Press(Button.CANCEL))
        assert await b.kinds() == [EventType.ALARM_RAISED, EventType.ALARM_CANCELLED]
        assert await b.store.open_alarms() == []


async def test_the_citys_command_closes_and_a_second_one_does_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        command = Command("c1", Verb.CLOSE_ALARM, b.pipeline.alarms()[0].id, 2e9)
        assert (await b.pipeline.obey(command)).outcome == "done"
        assert (await b.pipeline.obey(command)).outcome == "done"
        await taken(b, Binary(BinaryKind.CONTACT, active=True))
        assert (await b.kinds()).count(EventType.ALARM_CLOSED) == 1


async def test_a_close_over_a_newer_press_fails_for_good_with_its_reason(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        alarm = b.pipeline.alarms()[0]
        b.pipeline.received([alarm.id])
        await taken(b, Press(Button.SOS))
        result = await b.pipeline.obey(Command("c1", Verb.CLOSE_ALARM, alarm.id, 2e9))
        assert (result.outcome, "pressed again" in result.words) == ("failed", True)
        assert "send a new command" in result.words
        assert b.pipeline.alarms()[0].id == alarm.id


async def test_open_alarms_survive_a_restart_without_a_word(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        alarm = b.pipeline.alarms()[0]
    async with bench(tmp_path) as b:
        assert [a.id for a in b.pipeline.alarms()] == [alarm.id]
        assert b.said == []
        b.pipeline.received([alarm.id])
        assert b.said == [(Prompt.RECEIVED, FindingKind.SOS)]


def cap(limit_s: float) -> Routine:
    return Routine(watch.Settings(inactivity.Settings(cap_h=limit_s / 3600)))


async def test_the_silence_so_far_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.01)
    limit_s = 0.3
    async with bench(tmp_path, days=cap(limit_s)) as b:
        b.reading(Press(Button.SERVICE))
        await asyncio.sleep(limit_s * 0.7)
        assert b.pipeline.alarms() == []
        await b.pipeline.save()
    async with bench(tmp_path, days=cap(limit_s)) as b:
        began_s = b.pipeline.clock.mono_s()
        async with asyncio.timeout(5):
            while not b.pipeline.alarms():
                await asyncio.sleep(0.005)
        assert b.pipeline.alarms()[0].finding.kind is FindingKind.INACTIVITY
        assert b.pipeline.clock.mono_s() - began_s < limit_s * 0.7, "it did not begin anew"


async def test_what_a_detector_saved_and_cannot_be_read_is_no_end(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.save_detector("detectors", b"\xff")
    await store.close()
    failed: list[str] = []
    detectors = Detectors(Detect(), FOREST, lambda name, error: failed.append(name))
    detectors.restore("detectors", b"\xff")
    detectors.restore("health", b"\xff")
    assert failed == ["routine", "health"]


async def test_the_city_declares_an_absence_and_ends_it_and_it_is_on_disk_when_done(tmp_path: Path) -> None:
    def told() -> object:
        return b.pipeline.detectors.routine.told(b.pipeline.clock.stamp())["away_until"]

    async with bench(tmp_path) as b:
        away = Command("c1", Verb.AWAY_UNTIL, "2999-12-24T18:00", 4e9)
        assert (await b.pipeline.obey(away)).outcome is Answer.DONE
        assert told() == "2999-12-24 18:00"
    async with bench(tmp_path, restores=False) as b:
        with pytest.raises(BadAway, match="is not read yet"):
            await b.pipeline.away("2999-12-25")
        async with asyncio.timeout(5):
            await b.pipeline._learned.wait()
        assert told() == "2999-12-24 18:00"
        assert (await b.pipeline.obey(Command("c2", Verb.AWAY_UNTIL, "", 4e9))).outcome is Answer.DONE
        assert told() is None
        result = await b.pipeline.obey(Command("c3", Verb.AWAY_UNTIL, "Christmas", 4e9))
        assert (result.outcome, result.words) == (
            Answer.FAILED, "'Christmas' is no date: write it as 2026-12-24 or 2026-12-24T18:00")


async def test_vitals_are_summed_up_and_levels_told_once(tmp_path: Path) -> None:
    async with bench(tmp_path, Detect(vitals_period_s=0.001)) as b:
        b.reading(Quantity(QuantityKind.HEART_RATE, 61.0), "wrist")
        await asyncio.sleep(0.005)
        await taken(b, Quantity(QuantityKind.HEART_RATE, 64.0), "wrist")
        await taken(b, Binary(BinaryKind.CONTACT, active=True), "door")
        await taken(b, Binary(BinaryKind.CONTACT, active=True), "door")
        rows = await b.rows()
        summaries = [event.data["median"] for event in rows if event.type == EventType.VITALS_SUMMARY]
        assert summaries[0] == 61.0
        assert [event.type for event in rows].count(EventType.SENSOR_CHANGED) == 1


async def test_a_sample_that_comes_too_late_is_refused_and_an_alarm_never(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        late = b.pipeline.clock.stamp(b.pipeline.clock.mono_s() - 60)
        assert not b.pipeline.reading(Reading("d", late, Quantity(QuantityKind.HEART_RATE, 60.0)))
        assert b.pipeline.refused == 1
        assert b.pipeline.reading(Reading("d", late, Press(Button.SOS)))
        assert len(b.pipeline.alarms()) == 1


async def test_a_detector_that_fails_does_not_silence_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[str] = []
    monkeypatch.setattr("gateway.detect.triggers.step", lambda state, reading: 1 / 0)
    detectors = Detectors(Detect(), FOREST, lambda name, error: failed.append(f"{name}: {error}"))
    outcome = detectors.reading(Reading("d", Clock("boot").stamp(), SMOKE))
    assert failed == ["triggers: division by zero"]
    assert [draft.type for draft in outcome.drafts] == [EventType.SENSOR_CHANGED]


async def test_a_press_with_a_wild_stamp_is_a_press_now(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        for wild in (float("nan"), float("inf"), 1e300):
            stamp = msgspec.structs.replace(b.pipeline.clock.stamp(), mono_s=wild)
            b.pipeline.reading(Reading(f"d{wild}", stamp, Press(Button.SOS)))
        b.pipeline.reading(Reading("wrist", b.pipeline.clock.stamp(), Quantity(QuantityKind.HEART_RATE, float("nan"))))
        await taken(b, Press(Button.SOS), "d")
        alarms = [event for event in await b.rows() if event.type == EventType.ALARM_RAISED]
        assert len(alarms) == 4
        now_s = b.pipeline.clock.mono_s()
        assert all(now_s - 5 < event.at.mono_s <= now_s for event in alarms)


async def test_what_cannot_be_written_ends_neither_the_daemon_nor_the_alarm(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        data = {"bad": object(), "ok": 1}
        event = Event("x", EventType.ALARM_RAISED, Lane.ALARM, "d", b.pipeline.clock.stamp(), data)
        done = asyncio.Event()
        b.pipeline.keeper.submit([Commit((event,))], done.set)
        async with asyncio.timeout(5):
            await done.wait()
        row = next(row for row in await b.rows() if row.id == "x")
        assert row.data == {"ok": 1}
        assert any(what == "fault" and "cannot be written" in text for what, _, text in b.watched)


async def test_while_the_disk_says_nothing_an_alarm_goes_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "HANG_S", 0.02)
    async with bench(tmp_path) as b:
        release, append = asyncio.Event(), b.store.append

        async def hang(events: Sequence[Event], alarm: Any = None, **more: Any) -> None:
            await release.wait()
            await append(events, alarm, **more)

        monkeypatch.setattr(b.store, "append", hang)
        done = asyncio.Event()
        b.reading(SMOKE, taken=done.set)
        async with asyncio.timeout(5):
            while EventType.ALARM_RAISED not in [event.type for event in b.offered]:
                await asyncio.sleep(0.005)
        assert not done.is_set()
        assert any(what == "fault" and "said nothing" in text for what, _, text in b.watched)
        release.set()
        async with asyncio.timeout(5):
            await done.wait()


async def test_an_alarm_that_was_safe_before_the_disk_fell_silent_goes_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "HANG_S", 0.02)
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.002)
    async with bench(tmp_path) as b:
        await taken(b, SMOKE)

        async def hang(events: Sequence[Event], alarm: Any = None, **more: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(b.store, "append", hang)
        async with asyncio.timeout(5):
            while b.pipeline.alarms()[0].id not in [event.id for event in b.offered]:
                await asyncio.sleep(0.005)


async def test_a_new_database_gets_what_the_centre_has_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.005)
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        await taken(b, Press(Button.SOS), "other")
        first, second = b.pipeline.alarms()
        b.pipeline.received([first.id])
        appended: list[str] = []
        append = b.store.append

        async def noted(events: Sequence[Event], alarm: Any = None, **more: Any) -> None:
            appended.extend(event.id for event in events)
            await append(events, alarm, **more)

        monkeypatch.setattr(b.store, "append", noted)
        monkeypatch.setattr(b.pipeline, "_epoch", "of a file that was set aside")
        async with asyncio.timeout(5):
            while second.id not in appended:
                await asyncio.sleep(0.005)
        assert first.id not in appended


async def test_an_alarm_settled_in_the_moment_of_the_crash_is_asked_for_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        (alarm,) = b.pipeline.alarms()
        await b.store.settle(b.store.epoch, Lane.ALARM, 1)  # acknowledged, but the daemon dies before it notes that
        assert EventType.ALARM_RAISED not in await b.kinds()
    async with bench(tmp_path) as b:
        async with asyncio.timeout(5):
            while alarm.id not in [event.id for event in await b.rows()]:
                await asyncio.sleep(0.005)


async def test_alarms_of_the_last_run_are_taken_up_as_soon_as_the_disk_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.002)
    tries = 0
    open_alarms = Store.open_alarms

    async def later(store: Store) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreFull("not yet", "wait")
        return await open_alarms(store)

    monkeypatch.setattr(Store, "open_alarms", later)
    async with bench(tmp_path) as b:
        async with asyncio.timeout(5):
            while not b.pipeline.alarms():
                await asyncio.sleep(0.005)
        assert tries == 3


@asynccontextmanager
async def unrestored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Bench, asyncio.Event]]:
    """A start whose disk keeps the last run's alarms back until the event is set; the first tries end without them."""
    answers, tries, open_alarms = asyncio.Event(), 0, Store.open_alarms
    tried = asyncio.Event()

    async def later(store: Store) -> Any:
        nonlocal tries
        tries += 1
        if tries == 2:
            tried.set()
        await answers.wait()
        return await open_alarms(store)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "open_alarms", later)
        patch.setattr(pipeline_module, "RESTORE_S", 0.05)
        patch.setattr(pipeline_module, "TICK_S", 0.002)
        async with bench(folder, restores=False) as b:
            async with asyncio.timeout(5):
                await tried.wait()
            yield b, answers


async def until_restored(b: Bench, answers: asyncio.Event) -> None:
    answers.set()
    async with asyncio.timeout(5):
        await b.pipeline._restored.wait()


async def test_a_close_that_comes_before_the_last_runs_alarms_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        alarm = b.pipeline.alarms()[0].id
    async with unrestored(tmp_path, monkeypatch) as (b, answers):
        obeyed = asyncio.create_task(b.pipeline.obey(Command("c1", Verb.CLOSE_ALARM, alarm, 2e9)))
        done, _ = await asyncio.wait([obeyed], timeout=0.05)
        assert not done, "it is not known yet what is open"
        await taken(b, SMOKE)
        answers.set()
        async with asyncio.timeout(5):
            assert (await obeyed).words == ""
        assert [a.finding.kind for a in b.pipeline.alarms()] == [FindingKind.SMOKE]
        assert EventType.ALARM_CLOSED in await b.kinds()


async def test_a_close_is_answered_only_once_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        release, append = asyncio.Event(), b.store.append

        async def hang(events: Sequence[Event], alarm: Any = None, **more: Any) -> None:
            await release.wait()
            await append(events, alarm, **more)

        monkeypatch.setattr(b.store, "append", hang)
        command = Command("c1", Verb.CLOSE_ALARM, b.pipeline.alarms()[0].id, 2e9)
        obeyed = asyncio.create_task(b.pipeline.obey(command))
        done, _ = await asyncio.wait([obeyed], timeout=0.05)
        assert not done
        release.set()
        async with asyncio.timeout(5):
            assert (await obeyed).outcome == "done"
        assert await b.store.open_alarms() == []


async def test_commands_need_the_alarms_and_not_what_the_detectors_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        alarm = b.pipeline.alarms()[0].id

    async def never(store: Store, name: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Store, "detector", never)
    async with bench(tmp_path) as b:
        async with asyncio.timeout(pipeline_module.RESTORE_S / 2):
            await b.pipeline.obey(Command("c1", Verb.CLOSE_ALARM, alarm, 2e9))
        assert b.pipeline.alarms() == []


async def test_i_am_fine_before_the_last_runs_alarms_are_there_ends_those_in_time_and_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS), "old")
        await taken(b, SMOKE)
        old = b.pipeline.alarms()[0].id
    async with unrestored(tmp_path, monkeypatch) as (b, answers):
        b.reading(Press(Button.CANCEL), "wrist")
        await taken(b, Press(Button.SOS), "new")
        await until_restored(b, answers)
        assert [a.finding.device for a in b.pipeline.alarms()] == ["d", "new"]
        async with asyncio.timeout(5):
            while EventType.ALARM_CANCELLED not in await b.kinds():
                await asyncio.sleep(0.002)
        (event,) = [event for event in await b.rows() if event.type == EventType.ALARM_CANCELLED]
        assert (event.id, event.data["by"]) == (f"{old}/1", "wrist")
        assert (Prompt.CANCELLED, FindingKind.SOS) in b.said


async def test_an_alarm_that_ended_in_this_run_is_not_taken_up_from_a_disk_that_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with unrestored(tmp_path, monkeypatch) as (b, answers):
        await taken(b, Press(Button.SOS))
        Disk(monkeypatch, b.store).full = True
        b.reading(Press(Button.CANCEL))
        await until_restored(b, answers)
        assert b.pipeline.alarms() == []
        assert [prompt for prompt, _ in b.said] == [Prompt.RAISED, Prompt.CANCELLED], "once"


class Disk:
    """Makes the store refuse while `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
        self.full = False
        append = store.append

        async def maybe(events: Sequence[Event], alarm: Any = None, **more: Any) -> None:
            if self.full:
                raise StoreFull("no space left", "free some")
            await append(events, alarm, **more)

        monkeypatch.setattr(store, "append", maybe)


async def test_while_the_disk_is_full_alarms_go_on_from_memory_and_are_saved_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "RETRY_S", 0.02)
    async with bench(tmp_path) as b:
        disk = Disk(monkeypatch, b.store)
        disk.full = True
        done = asyncio.Event()
        b.reading(SMOKE, taken=done.set)
        await asyncio.sleep(0.1)
        assert EventType.ALARM_RAISED in [event.type for event in b.offered]
        assert any(what == "fault" and "no space" in text for what, _, text in b.watched)
        assert EventType.GATEWAY_FAULT in [event.type for event in b.offered]
        assert not done.is_set(), "a host must keep the reading until it is on disk"
        assert b.pipeline.keeper.waiting() > 0
        alarm = b.pipeline.alarms()[0]
        b.pipeline.received([alarm.id])  # the city had it from memory
        disk.full = False
        async with asyncio.timeout(5):
            await done.wait()
        assert EventType.ALARM_RAISED not in await b.kinds(), "the city need not hear it again"
        states = [a.state for a in await b.store.open_alarms()]
        assert states == [AlarmState.RECEIVED], "an older snapshot must not overwrite the newest"


async def test_a_repeat_that_is_not_told_yet_is_on_disk_when_taken(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await taken(b, Press(Button.SOS))
        b.pipeline.received([b.pipeline.alarms()[0].id])
        await taken(b, Press(Button.SOS))
        assert await b.kinds() == [EventType.ALARM_RAISED]
    async with bench(tmp_path) as b:
        (alarm,) = b.pipeline.alarms()
        assert (alarm.state, alarm.repeats, alarm.untold is not None) == (AlarmState.RAISED, 1, True)
        b.pipeline.received([alarm.id])
        assert b.said == [], "that was the first press"


async def test_a_second_test_alarm_repeats_the_first(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        assert b.pipeline.test_alarm() == b.pipeline.test_alarm() == b.pipeline.alarms()[0].id


async def test_lost_cover_is_told_to_the_city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.005)
    async with bench(tmp_path) as b:
        b.statuses["wrist"] = DeviceStatus("wrist", DeviceState.UP, 0.0)
        async with asyncio.timeout(5):
            while EventType.DEVICE_STATE not in await b.kinds():
                await asyncio.sleep(0.005)
        assert (await b.rows())[0].data["covered"] is True


async def test_one_fall_that_wrist_flag_and_radar_notice_is_one_alarm_on_disk_and_heard_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        for _ in range(3):  # each repeats itself, as advertisements do
            await taken(b, FallFlag(FallSource.WEARABLE, number=7), "bracelet")
            await taken(b, FallFlag(FallSource.RADAR), "bath")
        raised, agreed = await b.rows()
        assert (raised.type, agreed.type) == (EventType.ALARM_RAISED, EventType.ALARM_REPEATED)
        assert agreed.data["alarm"] == raised.id
        assert [source["kind"] for source in agreed.data["sources"]] == ["wearable", "radar"]
        assert b.said == [(Prompt.RAISED, FindingKind.FALL)]
        assert ("finding", "bath", "the radar tells of a fall") in b.watched
        assert ("alarm", "bracelet", "fall raised, the flag of bracelet and the radar bath agree") in b.watched
        (alarm,) = await b.store.open_alarms()
        assert [source.device for source in alarm.agreed] == ["bath"]


async def test_that_a_bracelet_is_worn_or_charging_is_no_news_of_its_own(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        for active in (True, False, True):
            await taken(b, Binary(BinaryKind.WORN, active), "bracelet")
            await taken(b, Binary(BinaryKind.CHARGING, active), "bracelet")
        assert await b.rows() == []


async def test_a_bracelet_that_is_never_heard_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.005)
    monkeypatch.setattr(cover, "GRACE_S", 0.02)
    async with bench(tmp_path, watchers={"bracelet": cover.Watcher(FallSource.WRIST)}) as b:
        async with asyncio.timeout(5):
            while EventType.COVER_CHANGED not in await b.kinds():
                await asyncio.sleep(0.005)
        (event,) = await b.rows()
        assert (event.lane, event.subject, event.data["covered"]) == (Lane.EVENT, "gateway", False)
        assert event.data["reasons"][0]["state"] == "out_of_range"
        (now,) = b.pipeline.detectors.covers(b.pipeline.clock.mono_s())
        assert not now.covered


async def test_progress_moves_with_every_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "TICK_S", 0.001)
    async with bench(tmp_path) as b:
        async with asyncio.timeout(5):
            while b.pipeline.progress < 5:
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("turns", [0, 1, 20])
async def test_an_alarm_amid_an_orderly_stop_is_on_disk_before_its_end(turns: int, tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        assert b.running is not None
        b.reading(SMOKE, "before")
        b.running.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        b.reading(SMOKE, "amid")
        await asyncio.wait([b.running])
        b.reading(SMOKE, "after")
        await b.pipeline.leave()
        assert {alarm.finding.device for alarm in await b.store.open_alarms()} == {"before", "amid", "after"}
        assert (await b.kinds()).count(EventType.ALARM_RAISED) == 3
