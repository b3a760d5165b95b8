"""What the voice can say."""

from enum import StrEnum


class Prompt(StrEnum):
    """One spoken state; for an alarm it is said with the alarm's kind: "Smoke. Help is being called."."""

    RAISED = "raised"  # help is being called
    SENT = "sent"  # the call is on its way; nobody has answered yet
    RECEIVED = "received"  # the centre has it: only after the city's own answer
    CLOSED = "closed"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"  # could not reach the centre, trying again
    MEASURED = "measured"  # and what it was
    MEASURE_AGAIN = "measure_again"  # that measurement failed
    WELL_NOTED = "well_noted"  # "I am fine" came late: the centre is told and may still call
