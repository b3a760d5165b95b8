"""Forecast of a battery: a robust line, an honest span, told once a charge and early enough."""

import random

import msgspec
import pytest

from gateway.detect import battery
from gateway.detect.battery import Forecast, Known, Low
from gateway.model.reading import Binary, BinaryKind, Measurement, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at

HOUR_S = 3600.0


class Cell:
    """One device's battery, and what was told of it: (hour, Low)."""

    def __init__(self) -> None:
        self.state: battery.State = {}
        self.told: list[tuple[float, Low]] = []

    def take(self, hour: float, value: Measurement) -> None:
        self.state, low = battery.step(self.state, Reading("d", at(hour * HOUR_S), value), hour * HOUR_S)
        if low is not None:
            self.told.append((hour, low))

    def percent(self, hour: float, percent: float, *, plausible: bool = True) -> None:
        self.take(hour, Quantity(QuantityKind.BATTERY, percent, plausible))

    def forecast(self, hour: float) -> Forecast | None:
        return battery.forecast(self.state.get("d", Known()), hour * HOUR_S)

    def fall(self, life_h: float, until_h: float, every_h: float = 0.25, from_h: float = 0.0) -> None:
        hour = from_h
        while hour < until_h:
            self.percent(hour, max(0.0, round(100 - 100 * (hour - from_h) / life_h)))
            hour += every_h


def test_a_steady_fall_is_forecast_to_the_hour() -> None:
    cell = Cell()
    cell.fall(40, until_h=10)
    ahead = cell.forecast(10)
    assert ahead is not None
    assert ahead.flat_in_h == pytest.approx(30, abs=1)
    assert ahead.latest_h is not None
    assert ahead.earliest_h < ahead.flat_in_h < ahead.latest_h
    later = cell.forecast(15)  # nothing was heard meanwhile: the line goes on
    assert later is not None
    assert later.flat_in_h == pytest.approx(25, abs=1)


def test_wild_values_do_not_turn_the_line() -> None:
    cell = Cell()
    for n in range(40):
        hour = n / 4
        cell.percent(hour, 20.0 if n in (13, 30) else round(100 - 2.5 * hour) - (n % 2))
    # 20 is a fall and its end a rise: rises of RISE_PERCENT begin anew, so the last begin is after the second one
    ahead = cell.forecast(10)
    assert ahead is None or ahead.flat_in_h == pytest.approx(30, abs=8)


@pytest.mark.parametrize("fall", [[(0, 100), (1, 100), (5, 100)], [(0, 100), (1, 97), (3, 96), (4, 96)],
                                  [(0, 100), (0.5, 98), (1, 96), (1.5, 94)], [(0, 100), (9, 50)],
                                  [(0, 100), (2, 99), (4, 98), (6, 97), (8, 96)]])
def test_too_little_makes_no_forecast(fall: list[tuple[float, float]]) -> None:
    cell = Cell()
    for hour, percent in fall:
        cell.percent(hour, percent)
    assert cell.forecast(10) is None


def test_a_bracelet_of_a_day_is_told_half_a_day_ahead_and_once() -> None:
    cell = Cell()
    cell.fall(24, until_h=24)
    ((hour, low),) = cell.told
    assert low.forecast is not None
    assert 10 <= 24 - hour <= 13
    assert low.data()["cure"]


def test_a_sensor_of_a_year_is_told_two_months_ahead() -> None:
    cell = Cell()
    cell.fall(365 * 24, until_h=365 * 24, every_h=24)
    ((hour, _),) = cell.told
    assert 65 <= 365 - hour / 24 <= 80


def test_after_a_charge_it_is_told_anew_and_the_old_line_is_forgotten() -> None:
    cell = Cell()
    cell.fall(24, until_h=22)
    cell.percent(23, 100)
    assert cell.forecast(23) is None
    cell.fall(24, until_h=47, from_h=24)
    assert len(cell.told) == 2


def test_on_its_charger_nothing_is_forecast_or_told() -> None:
    cell = Cell()
    cell.take(0, Binary(BinaryKind.CHARGING, active=True))
    cell.fall(20, until_h=20)
    assert (cell.forecast(20), cell.told) == (None, [])
    cell.take(20, Binary(BinaryKind.CHARGING, active=False))
    cell.percent(20.1, 12)
    assert [low.forecast for _, low in cell.told] == [None]


def test_without_a_line_a_low_battery_is_told_once_and_an_implausible_one_never() -> None:
    cell = Cell()
    cell.percent(0, 3, plausible=False)
    assert cell.told == []
    cell.percent(0, 16)
    cell.percent(1, 15)
    cell.percent(2, 14)
    assert [(hour, low.percent, low.forecast) for hour, low in cell.told] == [(1, 15, None)]


def test_what_is_kept_stays_small_keeps_the_whole_length_and_survives_its_encoding() -> None:
    cell = Cell()
    cell.fall(1000, until_h=900, every_h=1)
    points = cell.state["d"].points
    assert len(points) <= battery.KEPT
    assert points[0].at_s == 0
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(cell.state), type=battery.State) == cell.state


def held(curve: str, step: int, seeds: int = 40) -> float:
    """In which share of forecasts at 70, 50 and 30 % the truth lay between earliest and latest."""
    inside = asked = 0
    for seed in range(seeds):
        chance = random.Random(seed)
        life_h, cell, due = chance.uniform(12, 200), Cell(), [70.0, 50.0, 30.0]
        for n in range(400):
            gone = n / 400
            true = 100 * (1 - gone) if curve == "straight" else 100 * (1 - 0.85 * gone - 0.15 * gone ** 6)
            told = max(0.0, round((true + chance.gauss(0, 0.7)) / step) * step)
            cell.percent(gone * life_h, min(told, 100.0))
            if due and true <= due[0]:
                due.pop(0)
                ahead = cell.forecast(gone * life_h)
                if ahead is not None:
                    asked += 1
                    inside += ahead.earliest_h <= life_h * (1 - gone) <= (ahead.latest_h or float("inf"))
    return inside / asked


@pytest.mark.parametrize(("curve", "step"), [("straight", 1), ("straight", 10), ("bent", 1), ("bent", 10)])
def test_the_truth_lies_within_the_span_four_times_of_five(curve: str, step: int) -> None:
    assert held(curve, step) >= 0.8
