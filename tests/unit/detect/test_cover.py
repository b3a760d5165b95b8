"""Who watches over falls: told when it lasts, once each way, for each wearer; and as it is at any moment."""

import struct
from collections.abc import Mapping

import msgspec
import pytest

from gateway.detect import cover
from gateway.detect.cover import GRACE_S, MEASURED_S, SETTLE_S, Cover, Standing, Watcher
from gateway.detect.wear import STILL_S
from gateway.model.device import DeviceState, DeviceStatus
from gateway.model.finding import FallSource
from gateway.model.reading import Accel, Binary, BinaryKind, FallFlag, Measurement, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at
from tests.unit.detect.wrist import HANGING, LYING, Wrist

BRACELET = {"bracelet": Watcher(FallSource.WRIST)}
RADAR = {"bath": Watcher(FallSource.RADAR)}
WORN, OFF = Binary(BinaryKind.WORN, active=True), Binary(BinaryKind.WORN, active=False)
CHARGING, UNPLUGGED = Binary(BinaryKind.CHARGING, active=True), Binary(BinaryKind.CHARGING, active=False)


class Home:
    """Ticks every second; keeps what is told, and when. Bracelets that are up and measure stir now and then."""

    def __init__(self, watchers: Mapping[str, Watcher], up: bool = True, measures: bool = True) -> None:
        self.watchers, self.state, self.now_s, self.measures = watchers, cover.State(), 1000.0, measures
        self.states = dict.fromkeys(watchers, DeviceState.UP if up else DeviceState.SEARCHING)
        self.told: list[tuple[float, Cover]] = []

    def says(self, value: Measurement, device: str = "bracelet") -> "Home":
        self.state = cover.heard(self.state, Reading(device, at(self.now_s), value), self.watchers)
        return self

    def wait(self, seconds: float) -> "Home":
        for _ in range(round(seconds)):
            self.now_s += 1
            for name, watcher in self.watchers.items():
                if self.measures and watcher.source is FallSource.WRIST and self.states[name] is DeviceState.UP:
                    self.says(stirring(int(self.now_s)), name)
            statuses = [DeviceStatus(name, state, self.now_s) for name, state in self.states.items()]
            self.state, told = cover.step(self.state, self.watchers, statuses, self.now_s)
            self.told += [(self.now_s, one) for one in told]
        return self

    def heard(self) -> list[Cover]:
        """What was told since this was asked last."""
        told, self.told = [one for _, one in self.told], []
        return told

    def now(self) -> Cover:
        (one,) = cover.now(self.state, self.watchers, self.now_s)
        return one


def stirring(second: int) -> Accel:
    """So little that it proves no wrist, and shows that a worn one still is."""
    return Accel(25.0, 2.0, second, struct.pack("<3h", 1000, 0, 1000 * (-1) ** second))


def worn(measures: bool = True) -> Home:
    home = Home(BRACELET, measures=measures).says(WORN).wait(SETTLE_S + 5)
    home.told.clear()
    return home


def standings(one: Cover) -> list[tuple[str, Standing]]:
    return [(reason.device, reason.state) for reason in one.reasons]


def test_a_worn_bracelet_covers_once_it_has_been_worn_for_a_minute() -> None:
    home = Home(BRACELET).says(WORN).wait(SETTLE_S)
    assert home.told == []
    (told,) = home.wait(1).heard()
    assert (told.what, told.covered, told.by, told.reasons, told.for_s) == ("falls", True, ("bracelet",), (), SETTLE_S)
    assert home.wait(STILL_S * 3).heard() == [], "once"


def test_a_bracelet_that_was_never_heard_since_the_start_is_told_with_what_to_do() -> None:
    home = Home(BRACELET, up=False).wait(GRACE_S)
    assert home.told == []
    (told,) = home.wait(1).heard()
    (reason,) = told.reasons
    assert (told.covered, told.by, reason.device, reason.state) == (False, (), "bracelet", Standing.OUT_OF_RANGE)
    assert (reason.words, "bring it near" in reason.cure) == ("is not heard", True)
    assert home.wait(GRACE_S * 3).heard() == []


def test_a_bracelet_that_is_heard_and_never_worn_is_no_cover() -> None:
    (told,) = Home(BRACELET).wait(GRACE_S + 1).heard()
    assert (told.covered, standings(told)) == (False, [("bracelet", Standing.UNPROVEN)])


def test_a_shower_is_not_told_and_a_quarter_of_an_hour_is_once_each_way() -> None:
    home = worn()
    home.says(OFF).wait(120).says(WORN).wait(600)
    assert home.heard() == []
    home.says(OFF).wait(GRACE_S - 1)
    assert home.told == []
    (told,) = home.wait(2).heard()
    assert (told.covered, standings(told), told.for_s) == (False, [("bracelet", Standing.NOT_WORN)], GRACE_S)
    (back,) = home.wait(3600).says(WORN).wait(SETTLE_S + 1).heard()
    assert (back.covered, back.reasons) == (True, ())


def test_a_hand_that_moves_the_bracelet_from_the_table_to_a_drawer_is_no_cover() -> None:
    home = worn().says(OFF).wait(GRACE_S + 1)
    home.heard()
    assert home.says(WORN).wait(SETTLE_S - 5).says(OFF).wait(GRACE_S * 2).heard() == []


@pytest.mark.parametrize(("said", "standing"), [(80, Standing.OUT_OF_RANGE), (6, Standing.FLAT)])
def test_out_of_range_or_flat_is_told_by_the_last_word_of_its_battery(said: float, standing: Standing) -> None:
    home = worn().says(Quantity(QuantityKind.BATTERY, said))
    home.states["bracelet"] = DeviceState.LOST
    (told,) = home.wait(GRACE_S + 2).heard()
    assert standings(told) == [("bracelet", standing)]


def test_a_link_that_drops_for_seconds_all_day_is_not_told() -> None:
    home = worn()
    for _ in range(60):
        home.states["bracelet"] = DeviceState.SEARCHING
        home.wait(20)
        home.states["bracelet"] = DeviceState.UP
        home.wait(40)
    assert home.heard() == []


@pytest.mark.parametrize("state", sorted(set(DeviceState) - {DeviceState.UP}))
def test_no_device_that_is_not_up_watches(state: DeviceState) -> None:
    home = worn()
    home.states["bracelet"] = state
    assert not home.wait(1).now().covered


def test_the_charger_is_told_and_off_the_charger_is_not_yet_worn() -> None:
    home = worn().says(CHARGING)
    home.states["bracelet"] = DeviceState.LOST  # it refuses to measure
    (told,) = home.wait(GRACE_S + 2).heard()
    assert (standings(told), told.reasons[0].cure) == ([("bracelet", Standing.ON_CHARGER)], "put it on")
    home.says(UNPLUGGED)
    home.states["bracelet"] = DeviceState.UP
    assert home.wait(600).heard() == []
    assert standings(home.now()) == [("bracelet", Standing.UNPROVEN)]
    (back,) = home.says(WORN).wait(SETTLE_S + 1).heard()
    assert back.covered


@pytest.mark.parametrize("value", [Quantity(QuantityKind.HEART_RATE, 70), Accel(5.0, 2.0, 0, bytes(30)),
                                   Accel(25.0, 2.0, 0, b"")], ids=["a pulse", "a rate too low to judge", "no samples"])
def test_a_worn_bracelet_that_tells_no_acceleration_to_judge_is_no_cover_whatever_else_it_tells(
    value: Measurement
) -> None:
    home = worn().says(value)
    home.measures = False
    assert home.wait(MEASURED_S).now().covered
    for _ in range(round(GRACE_S)):
        home.says(value).wait(1)
    (told,) = home.heard()
    assert (told.covered, standings(told)) == (False, [("bracelet", Standing.NO_ACCELERATION)])
    home.measures = True
    assert [one.covered for one in home.wait(SETTLE_S + 2).heard()] == [True]
    (never,) = worn(measures=False).wait(GRACE_S).heard()
    assert standings(never) == [("bracelet", Standing.NO_ACCELERATION)]


def test_a_bracelet_that_judges_falls_itself_needs_to_tell_no_acceleration() -> None:
    (told,) = Home({"bracelet": Watcher(FallSource.WEARABLE)}).says(WORN).wait(GRACE_S * 2).heard()
    assert told.covered


def test_reasons_that_follow_each_other_are_one_absence() -> None:
    home = worn().says(OFF).wait(GRACE_S / 2).says(CHARGING)
    (told,) = home.wait(GRACE_S / 2 + 2).heard()
    assert standings(told) == [("bracelet", Standing.ON_CHARGER)]
    assert (told.for_s, told.reasons[0].for_s) == (GRACE_S, GRACE_S / 2 - 1), "each since its own beginning"


def test_stillness_is_told_as_soon_as_it_is_known_for_it_began_long_ago() -> None:
    home = Home(BRACELET, measures=False)
    for block in Wrist(20).walk(100).blocks(20):
        home.says(block).wait(1)
    assert [one.covered for one in home.heard()] == [True]
    for _ in range(round(STILL_S / 60) + 1):
        for block in Wrist(20).rest(1, LYING).blocks(20):
            home.says(block).wait(60)
    (told,) = home.heard()
    assert standings(told) == [("bracelet", Standing.NOT_WORN)]
    assert told.for_s >= STILL_S


def test_a_bracelet_back_from_far_away_must_show_anew_that_it_is_worn() -> None:
    home = worn()
    home.states["bracelet"] = DeviceState.LOST
    home.wait(GRACE_S * 2)
    home.states["bracelet"] = DeviceState.UP
    home.wait(10)
    assert standings(home.now()) == [("bracelet", Standing.UNPROVEN)]


def test_a_radar_covers_while_it_is_up_and_needs_not_be_worn() -> None:
    home = Home(RADAR).wait(SETTLE_S + 1)
    home.says(FallFlag(FallSource.RADAR, active=False), "bath")
    assert [(one.covered, one.by) for one in home.heard()] == [(True, ("bath",))]


def test_a_bracelet_that_is_off_is_told_though_a_radar_watches() -> None:
    home = Home(BRACELET | RADAR).says(WORN).wait(SETTLE_S + 5)
    assert [one.by for one in home.heard()] == [("bath", "bracelet")]
    (told,) = home.says(OFF).wait(GRACE_S + 2).heard()
    assert (told.covered, told.by, standings(told)) == (True, ("bath",), [("bracelet", Standing.NOT_WORN)])


def test_each_wearer_has_a_cover_of_its_own_and_a_radar_of_nobody_watches_over_all() -> None:
    two = {"li": Watcher(FallSource.WRIST, "Li"), "wang": Watcher(FallSource.WEARABLE, "Wang")}
    home = Home(two).says(WORN, "li").wait(GRACE_S + 2)
    assert [(one.wearer, one.covered) for one in home.heard()] == [("Li", True), ("Wang", False)]
    home = Home(two | RADAR).wait(GRACE_S + 2)
    assert {(one.wearer, one.covered, one.by) for one in home.heard()} == {
        ("Li", True, ("bath",)), ("Wang", True, ("bath",))}


def test_a_home_without_watchers_is_told_nothing_and_one_that_lost_its_last_is_told_that() -> None:
    assert Home({}).wait(GRACE_S * 2).heard() == []
    home = worn()
    home.watchers = {}
    (told,) = home.wait(GRACE_S).heard()
    assert (told.covered, told.by, told.reasons) == (False, (), ())


def test_what_other_devices_say_changes_nothing() -> None:
    home = worn()
    before = home.state
    assert home.says(OFF, "panel").state is before


def test_the_moment_is_known_before_it_is_told() -> None:
    home = worn().says(OFF).wait(10)
    assert (home.now().covered, standings(home.now())) == (False, [("bracelet", Standing.NOT_WORN)])
    assert home.told == []
    assert cover.now(cover.State(), BRACELET, 0.0) == [], "before the first tick nothing is known"


def test_the_events_data_is_whole_and_travels() -> None:
    (told,) = worn().says(OFF).wait(GRACE_S + 2).heard()
    assert msgspec.json.decode(msgspec.json.encode(told.data())) == {
        "what": "falls", "covered": False, "by": [], "for_s": GRACE_S, "reasons": [
            {"device": "bracelet", "state": "not_worn", "for_s": GRACE_S, "words": "is not worn", "cure": "put it on"}]}


def test_the_state_survives_being_saved() -> None:
    home = worn()
    home.says(Wrist(20).rest(2, HANGING).blocks(30).__next__())
    assert msgspec.json.decode(msgspec.json.encode(home.state), type=cover.State) == home.state
