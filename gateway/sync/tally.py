"""Tally: what the uplink counts since the start."""

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Events but where the name says otherwise."""

    sent: int = 0
    received: int = 0
    shortened: int = 0
    publications: int = 0
    resent_rounds: int = 0
    reconnects: int = 0
    garbage: int = 0
