"""Readback: what was just measured in words, as the names of clips: "blood pressure 128 over 76". Pure.

Whole numbers up to 999, and one decimal. Both languages say hundreds, tens and ones; Chinese names the zero between
them (一百零五) and the one of a ten behind a hundred (一百一十).
"""

from gateway.model.reading import QuantityKind, SpotCheck

ORDER: dict[QuantityKind, tuple[int, str]] = {
    QuantityKind.SYSTOLIC: (0, ""), QuantityKind.DIASTOLIC: (0, ""), QuantityKind.OXYGEN_SATURATION: (0, ""),
    QuantityKind.HEART_RATE: (0, ""), QuantityKind.BODY_TEMPERATURE: (1, "word-degrees"),
    QuantityKind.GLUCOSE: (1, ""), QuantityKind.WEIGHT: (1, "word-kilos"),
}
"""What is said, in this order: decimals, and the word behind the number."""

NUMBERS = (*map(str, range(20)), *map(str, range(20, 100, 10)), "hundred", "point")
CLIPS = (*(f"number-{name}" for name in NUMBERS), *(f"word-{kind.value}" for kind in ORDER), "word-degrees",
         "word-kilos")
"""Every clip that a readback may need."""


def clips(check: SpotCheck, language: str) -> tuple[str, ...]:
    """The clips that say a measurement in a language, "zh" or "en"; none where it failed."""
    said: list[str] = []
    values = {value.kind: value.value for value in check.values if value.plausible}
    for kind, (decimals, behind) in ORDER.items():
        if kind in values and 0 <= round(values[kind], decimals) < 1000:
            said += [f"word-{kind.value}", *_number(round(values[kind], decimals), language)]
            said += [behind] if behind else []
    return tuple(said)


def _number(value: float, language: str) -> list[str]:
    whole, tenths = divmod(round(value * 10), 10)
    names = _whole(whole, language) + (["point", str(tenths)] if tenths else [])
    return [f"number-{name}" for name in names]


def _whole(value: int, language: str) -> list[str]:
    hundreds, rest = divmod(value, 100)
    said = [str(hundreds), "hundred"] if hundreds else []
    if hundreds and not rest:
        return said
    if hundreds and language == "zh" and rest < 20:
        said += ["0"] if rest < 10 else ["1"]
        return [*said, *([str(rest)] if rest <= 10 else ["10", str(rest - 10)])]
    if rest < 20:
        return [*said, str(rest)]
    tens, ones = divmod(rest, 10)
    return [*said, str(tens * 10), *([str(ones)] if ones else [])]
