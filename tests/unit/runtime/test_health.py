"""Health in the pipeline: a spot check is an event at once, beyond a limit an alarm, and a restart forgets nothing."""

from pathlib import Path

import pytest

from gateway.detect.vitals.limits import DEFAULTS, Person
from gateway.model.alarm import AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.reading import Quantity, QuantityKind, SpotCheck
from gateway.runtime.detectors import HEALTH, ROUTINE
from tests.unit.runtime.pipe import Bench, bench, taken

GRANDMOTHER = Person("grandmother", DEFAULTS, "finger", speak=True)
PEOPLE = {"meter": GRANDMOTHER}


def glucose(value: float, *, plausible: bool = True, age_s: float | None = 0.0) -> SpotCheck:
    return SpotCheck((Quantity(QuantityKind.GLUCOSE, value, plausible, age_s, "2026-03-01T08:00:00"),))


async def of(b: Bench, type_: str) -> list[Event]:
    return [event for event in await b.rows() if event.type == type_]


async def test_a_spot_check_is_an_event_with_its_codes_once_it_is_taken_whoever_asks_for_nothing(tmp_path: Path
                                                                                                ) -> None:
    async with bench(tmp_path) as b:
        await taken(b, glucose(2.0))
        (event,) = await b.rows()
        assert (event.type, event.lane, event.subject) == (EventType.VITALS_MEASURED, Lane.EVENT, "d")
        assert event.data == {
            "values": [{"kind": "glucose", "value": 2.0, "unit": "mmol/L", "loinc": "15074-8", "plausible": True}],
            "loinc": "15074-8", "age_s": 0.0, "taken_local": "2026-03-01T08:00:00"}
        assert b.pipeline.alarms() == []
        assert b.aloud == []


@pytest.mark.parametrize(("age_s", "moved_s"), [(7200.0, 7200.0), (None, 0.0)])
async def test_it_is_dated_when_it_was_taken_and_at_its_arrival_where_nobody_knows(
        tmp_path: Path, age_s: float | None, moved_s: float) -> None:
    async with bench(tmp_path) as b:
        arrival = b.pipeline.clock.stamp()
        await taken(b, glucose(5.0, age_s=age_s))
        (event,) = await b.rows()
        assert arrival.mono_s - event.at.mono_s == pytest.approx(moved_s, abs=5)
        assert event.data["age_s"] == age_s


async def test_beyond_an_alarm_limit_it_is_an_alarm_that_i_am_fine_does_not_end(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:
        await taken(b, glucose(2.4), "meter")
        (alarm,) = b.pipeline.alarms()
        assert alarm.finding.kind == "vital_sign"
        assert alarm.finding.words == "glucose 2.4 mmol/L is below 3 mmol/L"
        assert [event.type for event in await b.rows()] == [EventType.ALARM_RAISED, EventType.VITALS_MEASURED]
        assert (await of(b, EventType.VITALS_MEASURED))[0].data["wearer"] == "grandmother"
        assert alarm.state is AlarmState.RAISED
        assert alarm.finding.kind not in b.pipeline.rules.cancel_s


async def test_a_failed_measurement_is_told_marked_and_neither_noticed_nor_an_alarm(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:
        await taken(b, glucose(0.0, plausible=False), "meter")
        await taken(b, SpotCheck(()), "meter")  # of a driver that has nothing to say
        (event,) = await b.rows()
        assert event.data["values"][0]["plausible"] is False


async def test_what_was_just_measured_is_said_where_the_resident_wishes_and_what_is_old_is_not(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:
        await taken(b, glucose(5.0), "meter")
        await taken(b, glucose(6.0, age_s=3600.0), "meter")
        await taken(b, glucose(7.0), "somebody-elses")
        assert [(who, check.values[0].value) for who, check in b.aloud] == [("meter", 5.0)]


async def test_after_a_restart_what_was_told_is_not_told_again_and_the_battery_is_still_known(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:
        await taken(b, glucose(3.6), "meter")
        await taken(b, Quantity(QuantityKind.BATTERY, 12.0), "meter")
        await b.pipeline.save()
    async with bench(tmp_path, people=PEOPLE) as b:
        await b.pipeline.restore()
        await taken(b, glucose(3.5), "meter")
        await taken(b, Quantity(QuantityKind.BATTERY, 11.0), "meter")
        assert len(await of(b, EventType.VITALS_NOTICED)) == 1
        assert [event.data["percent"] for event in await of(b, EventType.BATTERY_LOW)] == [12.0]
        known = b.pipeline.detectors.health.batteries(b.pipeline.clock.stamp())["meter"]
        assert known == {"percent": 11.0, "charging": False, "forecast": None}


def pressure(systolic: float) -> SpotCheck:
    return SpotCheck((Quantity(QuantityKind.SYSTOLIC, systolic), Quantity(QuantityKind.DIASTOLIC, 95.0)))


async def test_a_second_high_pressure_is_an_alarm_though_the_power_went_right_after_the_first(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:  # left as a crash leaves it: nobody saves
        await b.pipeline.restore()
        await taken(b, pressure(225.0), "meter")
        assert b.pipeline.alarms() == []
    async with bench(tmp_path, people=PEOPLE) as b:
        await b.pipeline.restore()
        await taken(b, pressure(226.0), "meter")
        (alarm,) = b.pipeline.alarms()
        assert alarm.finding.words == "systolic pressure 226 mmHg is above 219 mmHg"


async def test_what_was_judged_goes_in_the_measurements_own_commit(tmp_path: Path) -> None:
    async with bench(tmp_path, people=PEOPLE) as b:
        await b.pipeline.restore()
        await taken(b, pressure(120.0), "meter")
        before = b.store.writes().fsyncs
        await taken(b, pressure(121.0), "meter")
        assert b.store.writes().fsyncs == before + 1
        assert {name: await b.store.detector(name) for name in (HEALTH, ROUTINE)} == b.pipeline.detectors.saved()


async def test_a_stored_record_that_comes_again_after_a_crash_is_neither_told_nor_judged_again(tmp_path: Path) -> None:
    record = SpotCheck(pressure(225.0).values, "7 2026-03-01T08:00:00")
    for _ in range(2):
        async with bench(tmp_path, people=PEOPLE) as b:
            await b.pipeline.restore()
            await taken(b, record, "meter")
            assert b.pipeline.alarms() == []
            assert len(await of(b, EventType.VITALS_MEASURED)) == 1
    async with bench(tmp_path) as b:
        await b.pipeline.restore()
        await taken(b, record, "another")
        assert len(await of(b, EventType.VITALS_MEASURED)) == 2
