"""From a fall to its evidence, through the pipeline and a real store: after the alarm and once, whatever happens."""

import asyncio
import struct
from pathlib import Path

from gateway.detect.evidence import WAIT_S
from gateway.model.alarm import AlarmState
from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence
from gateway.model.finding import Finding, FindingKind
from gateway.model.reading import Accel, Button, Press, Reading
from gateway.model.time import Stamp
from gateway.runtime.keeper import NOT_TAKEN
from gateway.runtime.pipeline import CUT_SHORT, Pipeline
from gateway.store import StoreFull
from tests.unit.detect.test_falls_wrist import gone, shown
from tests.unit.runtime.pipe import Bench, bench

STILL = struct.pack("<3h", 0, 0, 1000) * 52


class Wearer:
    """A bracelet at 52 Hz, one block a second, in the pipeline's own time but without waiting for it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.began_s = pipeline.clock.mono_s() - 100.0
        self.seconds = 0

    def wear(self, seconds: int) -> "Wearer":
        for _ in range(seconds):
            block = Accel(52.0, 8.0, self.seconds * 52, STILL)
            self.seconds += 1
            self.follow(Reading("bracelet", self.now(), block))
        return self

    def follow(self, reading: Reading) -> None:
        """As Pipeline.reading does, for readings that are long past."""
        self.pipeline.keeper.submit(self.pipeline._follow(self.pipeline.detectors.reading(reading)))

    def now(self) -> Stamp:
        return self.pipeline.clock.stamp(self.began_s + self.seconds)

    def fall(self, ago_s: float = 4.0, device: str = "bracelet", kind: FindingKind = FindingKind.FALL) -> None:
        """What `falls` would find. The alarm's life runs in the present."""
        outcome = self.pipeline.detectors.tick(self.now(), ())
        told = {"impact_ago_s": ago_s, "peak_g": 4.5}
        outcome.findings.append(Finding(kind, device, self.now(), 0.9, "a blow", told))
        self.pipeline.keeper.submit(self.pipeline._follow(outcome))

    def tick(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.seconds += 1
            self.pipeline.keeper.submit(self.pipeline._follow(self.pipeline.detectors.tick(self.now(), ())))


async def settled(b: Bench, types: int) -> list[Event]:
    """What the city will get of falls, once there are so many events."""
    async with asyncio.timeout(5):
        while len(found := [event for event in await b.rows() if event.subject != "gateway"]) < types:
            await asyncio.sleep(0.005)
    return found


async def the_only(b: Bench) -> Evidence:
    ((evidence, _),) = await b.store.evidence.heads()
    found = await b.store.evidence.find(evidence.id)
    assert found is not None
    return found


async def test_evidence_follows_its_alarm_in_the_event_lane(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        (raised,) = await settled(b, 1)
        assert [evidence.id for evidence in await b.store.evidence.awaited()] == [raised.id]
        wearer.wear(16)
        rows = await settled(b, 2)
        assert [(row.type, row.lane) for row in rows] == [
            (EventType.ALARM_RAISED, Lane.ALARM), (EventType.FALL_EVIDENCE, Lane.EVENT)]
        assert (rows[1].data["alarm"], rows[1].data["missing"], rows[1].data["holes"]) == (raised.id, "", [])
        assert len((await the_only(b)).samples_mg) == 30 * 52 * 6
        assert ("event", "bracelet", "fall evidence") in b.watched
        wearer.wear(60)
        assert len(await settled(b, 2)) == 2


async def test_an_alarm_that_the_resident_cancels_keeps_its_evidence(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        b.reading(Press(Button.CANCEL), "fine")
        wearer.wear(20)
        rows = await settled(b, 3)
        assert sorted(row.type for row in rows) == [
            EventType.ALARM_CANCELLED, EventType.ALARM_RAISED, EventType.FALL_EVIDENCE]
        assert [state for _, state in await b.store.evidence.heads()] == [AlarmState.CANCELLED]


async def test_repeats_of_the_alarm_within_the_capture_add_no_second_evidence(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        for _ in range(3):
            wearer.wear(3)
            wearer.fall(ago_s=1.0)
        wearer.wear(40)
        rows = await settled(b, 2)
        assert [row.type for row in rows].count(EventType.FALL_EVIDENCE) == 1
        assert (await the_only(b)).id == b.pipeline.alarms()[0].id


async def test_a_bracelet_that_is_lost_is_told_with_its_hole(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        wearer.tick(WAIT_S)
        rows = await settled(b, 2)
        assert rows[1].data["holes"] == [[4.0, 20.0]]
        assert rows[1].data["missing"] == ""


async def test_neither_a_radar_nor_an_sos_promises_evidence(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall(device="radar")
        wearer.fall(kind=FindingKind.SOS)
        wearer.wear(30)
        assert {row.type for row in await settled(b, 2)} == {EventType.ALARM_RAISED}
        assert await b.store.evidence.heads() == []


# -- what may come between -------------------------------------------------------------------------------------------


async def test_what_a_stopped_gateway_did_not_complete_is_told_missing_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        Wearer(b.pipeline).wear(30).fall()
        (raised,) = await settled(b, 1)
    for _ in range(3):
        async with bench(tmp_path) as b:
            rows = await settled(b, 2)
            assert [row.data.get("missing") for row in rows] == [None, CUT_SHORT]
            assert rows[1].data["alarm"] == raised.id
            assert rows[1].data["peak_g"] == 4.5
            assert (await the_only(b)).missing == CUT_SHORT


async def test_what_was_complete_is_not_told_again_by_the_next_run(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        wearer.wear(16)
        before = await settled(b, 2)
    async with bench(tmp_path) as b:
        await b.store.detector("any")
        assert await settled(b, 2) == before


async def test_what_this_run_has_begun_is_not_missed_by_a_late_look_at_the_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        await settled(b, 1)
        assert await b.pipeline.restore()
        wearer.wear(16)
        rows = await settled(b, 2)
        assert [row.data.get("missing") for row in rows] == [None, ""]


async def test_a_disk_that_refuses_costs_the_evidence_and_not_the_alarm(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        wearer = Wearer(b.pipeline).wear(30)
        wearer.fall()
        (raised,) = await settled(b, 1)
        takes = b.store.append

        async def refuses(*_: object, **__: object) -> None:
            raise StoreFull("no space left", "free some")

        b.store.append = refuses  # type: ignore[method-assign]
        wearer.wear(16)
        async with asyncio.timeout(5):
            while not (told := [event for event in b.offered if event.type == EventType.FALL_EVIDENCE]):
                await asyncio.sleep(0.005)
        assert [(event.data["alarm"], event.data["missing"], event.data["samples"]) for event in told] == [
            (raised.id, NOT_TAKEN, "")]
        b.store.append = takes  # type: ignore[method-assign]
        await b.pipeline.keeper._save_again()
        rows = await settled(b, 2)
        assert [row.data.get("missing") for row in rows] == [None, NOT_TAKEN]


async def test_a_fall_that_awaits_its_twenty_seconds_is_on_disk_before_an_orderly_stop(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.pipeline.detectors._falls["bracelet"], _ = shown(gone(8))
        await b.pipeline.leave()
        (alarm,) = await b.store.open_alarms()
        assert (alarm.finding.kind, alarm.finding.device) == (FindingKind.FALL, "bracelet")
        assert EventType.ALARM_RAISED in await b.kinds()
