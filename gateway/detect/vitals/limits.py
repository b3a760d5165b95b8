"""Limits of vital signs: what a family or a city may ask to be watched, and defaults with their source. Pure.

Nothing is watched that nobody asked for: without a Limit of a kind no value of it alarms. docs/vitals.md has the table.

Sources of DEFAULTS. NEWS2: Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017, chart 1 (SpO2
scale 1); an alarm is its single score of 3, a notice its score of 2 (of fever: 1). From memory are:
ESH: European Society of Hypertension, J Hypertens 39 (2021) 1293, home blood pressure: 135/85 as the mean of 3 to 7
days with at least 12 readings; grade 3 from 180/110. ADA: Standards of Care in Diabetes, section 6: hypoglycaemia level
1 below 3.9, level 2 below 3.0; very high above 13.9. JBDS: hyperosmolar state from 30 mmol/L. ESC: heart failure
guideline 2021: more than 2 kg gained within 3 days.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from gateway.model.reading import QuantityKind

RESIDENT = "resident"
"""Whose a device is that names no wearer."""

UNSURE: frozenset[tuple[QuantityKind, str]] = frozenset({
    (QuantityKind.OXYGEN_SATURATION, "wrist"), (QuantityKind.SYSTOLIC, "wrist"), (QuantityKind.DIASTOLIC, "wrist"),
    (QuantityKind.BODY_TEMPERATURE, "armpit"), (QuantityKind.BODY_TEMPERATURE, "forehead")})
"""Where a kind is measured too roughly to call for help: such a value gives notice at most. From memory: oximeters are
validated at finger and ear (ISO 80601-2-61), ESH 2021 advises against cuffs at the wrist, skin is colder than the body.
"""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one kind, in its unit (reading.UNIT_OF). A value beyond one, not at it, counts.

    `for_s`: a streamed value is judged by the median of so long. `times`: so many spot checks in a row, each within
    CONFIRM_S of the one before, make an alarm; a first one gives notice. `mean_above`: of the spot checks of a week.
    `change`: a rise or fall by more than this within `change_h`. These two give notice only.
    """

    alarm_below: float | None = None
    notice_below: float | None = None
    notice_above: float | None = None
    alarm_above: float | None = None
    mean_above: float | None = None
    change: Annotated[float, msgspec.Meta(gt=0)] | None = None
    change_h: Annotated[float, msgspec.Meta(gt=0, le=720)] = 72.0
    for_s: Annotated[float, msgspec.Meta(ge=30, le=3600)] = 300.0
    times: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1


DEFAULTS: dict[QuantityKind, Limit] = {
    QuantityKind.HEART_RATE: Limit(alarm_below=41, notice_above=110, alarm_above=130),  # NEWS2
    QuantityKind.OXYGEN_SATURATION: Limit(alarm_below=92, notice_below=94),  # NEWS2, scale 1
    QuantityKind.SYSTOLIC: Limit(alarm_below=91, notice_below=101, notice_above=179, alarm_above=219, mean_above=135,
                                 times=2),  # NEWS2; 179 and 135 ESH
    QuantityKind.DIASTOLIC: Limit(notice_above=109, mean_above=85),  # ESH
    QuantityKind.BODY_TEMPERATURE: Limit(alarm_below=35.1, notice_above=38.0),  # NEWS2
    QuantityKind.GLUCOSE: Limit(alarm_below=3.0, notice_below=3.9, notice_above=13.9, alarm_above=30.0),  # ADA; 30 JBDS
    QuantityKind.WEIGHT: Limit(change=2.0),  # ESC
}


class Person(msgspec.Struct, frozen=True):
    """Whose measurement it is and what was asked for. `position`: where the device sits. `speak`: say it aloud."""

    name: str = RESIDENT
    limits: Mapping[QuantityKind, Limit] = {}
    position: str = ""
    speak: bool = False


NOBODY = Person()
"""Of whom nothing was asked to be watched."""
