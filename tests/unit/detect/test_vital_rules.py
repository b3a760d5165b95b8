"""Rules for vital signs: what is told of streams and of spot checks, how urgently, and what never is."""

import msgspec
import pytest

from gateway.detect.vitals import rules
from gateway.detect.vitals.limits import DEFAULTS, Limit, Person
from gateway.detect.vitals.rules import AGAIN_S, CONFIRM_S, LATE_S, Level, Verdict
from gateway.model.reading import Measurement, Quantity, QuantityKind, Reading, SpotCheck
from tests.unit.detect.stamps import at

HEART, OXYGEN, SYSTOLIC = QuantityKind.HEART_RATE, QuantityKind.OXYGEN_SATURATION, QuantityKind.SYSTOLIC
GLUCOSE, WEIGHT, HOUR_S, DAY_S = QuantityKind.GLUCOSE, QuantityKind.WEIGHT, 3600.0, 86400.0
DEFAULT = Person(limits=DEFAULTS)


class Patient:
    """One resident, and what was told of them: (second, level, rule's words)."""

    def __init__(self, person: Person = DEFAULT) -> None:
        self.person, self.state = person, rules.State()
        self.told: list[tuple[float, Verdict]] = []

    def take(self, at_s: float, value: Measurement, device: str = "d") -> tuple[Verdict, ...]:
        self.state, told = rules.step(self.state, Reading(device, at(at_s), value), at_s, self.person)
        self.told += [(at_s, one) for one in told]
        return told

    def check(self, at_s: float, kind: QuantityKind, value: float, *, plausible: bool = True, age_s: float = 0.0
              ) -> list[Level]:
        return [one.level for one in self.take(at_s, SpotCheck((Quantity(kind, value, plausible, age_s),)))]

    def stream(self, kind: QuantityKind, value: float, from_s: float, until_s: float, every_s: float = 1.0,
               device: str = "d", *, plausible: bool = True) -> None:
        for n in range(round((until_s - from_s) / every_s)):
            self.take(from_s + n * every_s, Quantity(kind, value, plausible), device)

    def levels(self) -> list[Level]:
        return [one.level for _, one in self.told]


@pytest.mark.parametrize(("kind", "value", "level"), [  # NEWS2, chart 1, at both sides of each step that counts
    (HEART, 40, Level.ALARM), (HEART, 41, None), (HEART, 110, None), (HEART, 111, Level.NOTICE),
    (HEART, 130, Level.NOTICE), (HEART, 131, Level.ALARM), (OXYGEN, 91, Level.ALARM), (OXYGEN, 92, Level.NOTICE),
    (OXYGEN, 93, Level.NOTICE), (OXYGEN, 94, None), (QuantityKind.BODY_TEMPERATURE, 35.0, Level.ALARM),
    (QuantityKind.BODY_TEMPERATURE, 35.1, None), (QuantityKind.BODY_TEMPERATURE, 38.0, None),
    (QuantityKind.BODY_TEMPERATURE, 38.1, Level.NOTICE), (GLUCOSE, 2.9, Level.ALARM), (GLUCOSE, 3.8, Level.NOTICE),
    (GLUCOSE, 5.5, None), (GLUCOSE, 14.0, Level.NOTICE), (GLUCOSE, 30.5, Level.ALARM),
    (QuantityKind.DIASTOLIC, 109, None), (QuantityKind.DIASTOLIC, 110, Level.NOTICE)])
def test_a_default_limit_is_where_its_source_has_it(kind: QuantityKind, value: float, level: Level | None) -> None:
    assert Patient().check(0, kind, value) == ([level] if level else [])


def test_without_a_limit_nothing_is_told_whatever_is_measured() -> None:
    patient = Patient(Person())
    for kind in QuantityKind:
        patient.check(0, kind, 1.0)
        patient.stream(kind, 999.0, 0, 400)
    assert patient.told == []


def test_a_value_marked_as_implausible_never_tells_anything() -> None:
    patient = Patient()
    assert patient.check(0, GLUCOSE, 0.0, plausible=False) == []
    patient.stream(HEART, 0.0, 10, 1000, plausible=False)
    assert patient.told == []


def test_a_stream_is_judged_after_its_time_and_not_before() -> None:
    patient = Patient()
    patient.stream(HEART, 140, 0, 300)
    assert patient.told == []
    patient.stream(HEART, 140, 300, 302)
    ((second, verdict),) = patient.told
    assert (second, verdict.level) == (300, Level.ALARM)
    assert verdict.words == "heart rate 140 /min is above 130 /min for 5 min"
    assert verdict.evidence() == {"heart_rate_per_min": 140, "limit_per_min": 130}


def test_wild_values_between_good_ones_do_not_alarm_and_good_ones_between_bad_do_not_hide() -> None:
    calm, ill = Patient(), Patient()
    for second in range(600):
        calm.take(second, Quantity(HEART, 190.0 if second % 3 == 0 else 70.0))
        ill.take(second, Quantity(HEART, 70.0 if second % 3 == 0 else 140.0))
    assert calm.told == []
    assert ill.levels() == [Level.ALARM]


def test_a_hole_in_a_stream_begins_it_anew() -> None:
    patient = Patient()
    patient.stream(HEART, 140, 0, 200)
    patient.stream(HEART, 140, 200 + rules.GAP_S + 1, 200 + rules.GAP_S + 200)
    assert patient.told == []


def test_two_devices_do_not_make_one_stream() -> None:
    patient = Patient()
    patient.stream(HEART, 140, 0, 200, device="left")
    patient.stream(HEART, 140, 200, 400, device="right")
    assert patient.told == []


def test_what_lasts_is_told_once_a_day_and_anew_after_it_was_well() -> None:
    patient = Patient()
    patient.stream(OXYGEN, 90, 0, DAY_S + 2000, every_s=60)
    assert [second for second, _ in patient.told] == [300, 300 + AGAIN_S]
    begin = DAY_S + 2000
    patient.stream(OXYGEN, 97, begin, begin + 1200, every_s=60)
    patient.stream(OXYGEN, 90, begin + 1200, begin + 2400, every_s=60)
    assert patient.levels() == [Level.ALARM, Level.ALARM, Level.NOTICE, Level.ALARM]  # on its way down it is a notice


def test_a_notice_that_becomes_an_alarm_is_told_as_one() -> None:
    patient = Patient()
    assert patient.check(0, GLUCOSE, 3.7) == [Level.NOTICE]
    assert patient.check(60, GLUCOSE, 3.6) == []
    assert patient.check(120, GLUCOSE, 2.8) == [Level.ALARM]
    assert patient.check(180, GLUCOSE, 3.7) == []
    assert patient.check(600, GLUCOSE, 5.0) == []
    assert patient.check(900, GLUCOSE, 2.8) == [Level.ALARM]


def test_a_pressure_needs_a_second_one_for_an_alarm_and_the_first_asks_for_it() -> None:
    patient = Patient()
    assert patient.check(0, SYSTOLIC, 88) == [Level.NOTICE]
    assert patient.told[0][1].words.endswith("it should be measured again")
    assert patient.check(CONFIRM_S, SYSTOLIC, 86) == [Level.ALARM]


@pytest.mark.parametrize(("second_s", "between"), [(CONFIRM_S + 1, None), (CONFIRM_S, 120.0)])
def test_a_second_pressure_that_is_late_or_a_good_one_between_makes_no_alarm(second_s: float, between: float | None
                                                                             ) -> None:
    patient = Patient()
    patient.check(0, SYSTOLIC, 88)
    if between:
        patient.check(60, SYSTOLIC, between)
    patient.check(second_s, SYSTOLIC, 86)
    assert Level.ALARM not in patient.levels()


def test_what_was_measured_long_before_it_arrived_is_a_notice() -> None:
    assert Patient().check(9000, GLUCOSE, 2.5, age_s=LATE_S + 1) == [Level.NOTICE]
    assert Patient().check(9000, GLUCOSE, 2.5, age_s=LATE_S) == [Level.ALARM]


def test_what_was_judged_and_told_in_a_count_of_seconds_that_is_lost_silences_nothing() -> None:
    patient = Patient()
    patient.check(200 * DAY_S, GLUCOSE, 2.5)
    patient.stream(HEART, 35, 200 * DAY_S, 200 * DAY_S + 400)
    patient.told.clear()
    assert patient.check(60, GLUCOSE, 2.4) == [Level.ALARM]
    patient.stream(HEART, 35, 70, 470)
    assert patient.levels() == [Level.ALARM, Level.ALARM]


def test_an_older_measurement_that_arrives_later_is_remembered_and_not_judged() -> None:
    patient = Patient()
    patient.check(1000, GLUCOSE, 5.0)
    assert patient.check(1001, GLUCOSE, 2.5, age_s=500) == []
    assert [one.value for one in patient.state.judged["resident"][GLUCOSE]] == [2.5, 5.0]


@pytest.mark.parametrize(("kind", "value", "position", "level"), [
    (OXYGEN, 85, "wrist", Level.NOTICE), (OXYGEN, 85, "finger", Level.ALARM), (OXYGEN, 85, "", Level.ALARM),
    (QuantityKind.BODY_TEMPERATURE, 34.0, "armpit", Level.NOTICE),
    (QuantityKind.BODY_TEMPERATURE, 34.0, "ear", Level.ALARM), (HEART, 35, "wrist", Level.ALARM)])
def test_a_rough_position_never_alarms(kind: QuantityKind, value: float, position: str, level: Level) -> None:
    assert Patient(Person(limits=DEFAULTS, position=position)).check(0, kind, value) == [level]


def test_two_kilograms_in_three_days_are_noticed_in_either_direction_and_in_four_days_not() -> None:
    for day, weight, noticed in ((3, 72.1, True), (3, 67.9, True), (3, 72.0, False), (4, 72.1, False)):
        patient = Patient()
        patient.check(0, WEIGHT, 70.0)
        assert patient.check(day * DAY_S, WEIGHT, weight) == ([Level.NOTICE] if noticed else [])
    assert patient.state.judged["resident"][WEIGHT][-1].value == 72.1


def test_a_change_says_how_much_in_how_long() -> None:
    patient = Patient()
    patient.check(0, WEIGHT, 70.0)
    patient.check(2.5 * DAY_S, WEIGHT, 72.4)
    assert patient.told[0][1].words == "body weight 72.4 kg: rose by 2.4 kg in 2 days"


def test_a_stream_that_changes_fast_is_noticed_where_that_is_asked_for() -> None:
    patient = Patient(Person(limits={HEART: Limit(change=30.0, change_h=1.0, for_s=60.0)}))
    patient.stream(HEART, 70, 0, 600)
    patient.stream(HEART, 110, 600, 720)
    assert patient.levels() == [Level.NOTICE]


def test_the_mean_of_a_week_counts_from_twelve_readings_over_three_days_on() -> None:
    patient = Patient()
    for n in range(11):
        patient.check(n * DAY_S / 4, SYSTOLIC, 140)
    assert patient.told == []
    patient.check(11 * DAY_S / 4, SYSTOLIC, 140)
    assert [one.words for _, one in patient.told] == [
        "systolic pressure 140 mmHg is the mean of a week, above 135 mmHg"]
    hasty = Patient()
    for n in range(12):
        hasty.check(n * 600, SYSTOLIC, 140)
    assert hasty.told == []


def test_each_persons_limits_are_their_own_and_what_was_told_of_one_hides_nothing_of_another() -> None:
    state, copd = rules.State(), Person("Li", {OXYGEN: Limit(alarm_below=88)})
    reading = Reading("finger", at(0), SpotCheck((Quantity(OXYGEN, 90.0),)))
    state, told = rules.step(state, reading, 0, copd)
    assert told == ()
    state, told = rules.step(state, reading, 0, Person("Wang", DEFAULTS))
    assert [one.level for one in told] == [Level.ALARM]


def test_what_is_remembered_stays_small_and_survives_its_encoding() -> None:
    patient = Patient()
    for n in range(200):
        patient.check(n * HOUR_S, GLUCOSE, 5.0)
    assert len(patient.state.judged["resident"][GLUCOSE]) == rules.HISTORY
    patient.check(201 * HOUR_S, GLUCOSE, 2.0)
    patient.state = msgspec.msgpack.decode(msgspec.msgpack.encode(patient.state), type=rules.State)
    assert patient.check(202 * HOUR_S, GLUCOSE, 2.0) == []  # it was told
