"""Moments for the tests of the detectors."""

from gateway.model.time import ClockQuality, Stamp


def at(mono_s: float, boot_id: str = "boot-1") -> Stamp:
    return Stamp(boot_id, mono_s, None, ClockQuality.UNSET)
