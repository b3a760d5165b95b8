"""Readback: a measurement in the words of the resident's language, and what is not said."""

import pytest

from gateway.model.reading import Quantity, QuantityKind, SpotCheck
from gateway.voice.readback import CLIPS, clips


def said(language: str, *values: tuple[QuantityKind, float]) -> str:
    names = clips(SpotCheck(tuple(Quantity(kind, value) for kind, value in values)), language)
    return " ".join(name.removeprefix("number-").removeprefix("word-") for name in names)


def number(language: str, value: float) -> str:
    return said(language, (QuantityKind.HEART_RATE, value)).removeprefix("heart_rate ")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pressure_is_said_as_one_over_the_other_and_its_mean_is_not(language: str) -> None:
    assert said(language, (QuantityKind.MEAN_ARTERIAL, 93), (QuantityKind.DIASTOLIC, 76), (QuantityKind.SYSTOLIC, 128),
                (QuantityKind.HEART_RATE, 71)) == (
        "systolic_pressure 1 hundred 20 8 diastolic_pressure 70 6 heart_rate 70 1")


@pytest.mark.parametrize(("value", "en", "zh"), [
    (0, "0", "0"), (7, "7", "7"), (10, "10", "10"), (13, "13", "13"), (20, "20", "20"), (99, "90 9", "90 9"),
    (100, "1 hundred", "1 hundred"), (105, "1 hundred 5", "1 hundred 0 5"), (110, "1 hundred 10", "1 hundred 1 10"),
    (112, "1 hundred 12", "1 hundred 1 10 2"), (120, "1 hundred 20", "1 hundred 20"),
    (238, "2 hundred 30 8", "2 hundred 30 8")])
def test_numbers_are_said_as_people_say_them(value: int, en: str, zh: str) -> None:
    assert (number("en", value), number("zh", value)) == (en, zh)


def test_one_decimal_is_said_where_it_matters_and_a_whole_number_is_said_as_one() -> None:
    assert said("en", (QuantityKind.BODY_TEMPERATURE, 36.66)) == "body_temperature 30 6 point 7 degrees"
    assert said("en", (QuantityKind.BODY_TEMPERATURE, 37.0)) == "body_temperature 30 7 degrees"
    assert said("zh", (QuantityKind.GLUCOSE, 5.62)) == "glucose 5 point 6"
    assert said("en", (QuantityKind.OXYGEN_SATURATION, 97.6)) == "oxygen_saturation 90 8"


def test_what_failed_is_not_said_as_if_it_were_a_value() -> None:
    assert clips(SpotCheck((Quantity(QuantityKind.SYSTOLIC, 0.0, plausible=False),)), "en") == ()
    assert said("en", (QuantityKind.WEIGHT, 1e6)) == ""


def test_every_word_has_its_clip() -> None:
    for kind in QuantityKind:
        for value in (*range(300), 36.7):
            for language in ("en", "zh"):
                assert set(clips(SpotCheck((Quantity(kind, value),)), language)) <= set(CLIPS)
