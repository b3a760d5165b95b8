"""Codes of what is measured: LOINC (https://loinc.org/CODE); the UCUM unit of each kind stands in reading.UNIT_OF.

Those of FHIR R4, Observation Vital Signs Profile, were compared with it; the three marked "memory" with no source here.
"""

from gateway.model.reading import QuantityKind

LOINC_OF: dict[QuantityKind, str] = {
    QuantityKind.HEART_RATE: "8867-4",  # Heart rate
    QuantityKind.RESPIRATION: "9279-1",  # Respiratory rate
    QuantityKind.OXYGEN_SATURATION: "59408-5",  # Oxygen saturation in Arterial blood by Pulse oximetry
    QuantityKind.SYSTOLIC: "8480-6",  # Systolic blood pressure
    QuantityKind.DIASTOLIC: "8462-4",  # Diastolic blood pressure
    QuantityKind.MEAN_ARTERIAL: "8478-0",  # Mean blood pressure; memory
    QuantityKind.BODY_TEMPERATURE: "8310-5",  # Body temperature
    QuantityKind.GLUCOSE: "15074-8",  # Glucose [Moles/volume] in Blood; memory
    QuantityKind.WEIGHT: "29463-7",  # Body weight
    QuantityKind.STEPS: "55423-8",  # Number of steps in unspecified time Pedometer; memory
}
"""What is a vital sign of the resident; a room's temperature or a battery has none."""

BLOOD_PRESSURE_PANEL = "85354-9"
"""Blood pressure panel with all children optional: the code of a measurement that holds a systolic pressure."""
