"""Spot checks as events: what somebody measured on purpose reaches the city whole, at once. Pure."""

from typing import Any

from gateway.detect.vitals.limits import RESIDENT, Person
from gateway.model.reading import UNIT_OF, QuantityKind, SpotCheck
from gateway.model.time import Stamp, earlier
from gateway.model.vocabulary import BLOOD_PRESSURE_PANEL, LOINC_OF


def taken(check: SpotCheck, at: Stamp) -> Stamp:
    """When it was measured; when it arrived, where the device's clock could not be compared."""
    age_s = next((value.age_s for value in check.values), None)
    return earlier(at, age_s) if age_s else at


def data(check: SpotCheck, person: Person) -> dict[str, Any]:
    """Data of `anju.vitals.measured`."""
    first = check.values[0]
    whose = {} if person.name == RESIDENT else {"wearer": person.name}
    where = {"position": person.position} if person.position else {}
    panel = any(value.kind is QuantityKind.SYSTOLIC for value in check.values)
    return {
        "values": [{"kind": value.kind.value, "value": round(value.value, 3), "unit": UNIT_OF[value.kind],
                    "loinc": LOINC_OF.get(value.kind), "plausible": value.plausible} for value in check.values],
        "loinc": BLOOD_PRESSURE_PANEL if panel else LOINC_OF.get(first.kind),
        "age_s": None if first.age_s is None else round(first.age_s, 1), "taken_local": first.taken_local,
    } | where | whose
