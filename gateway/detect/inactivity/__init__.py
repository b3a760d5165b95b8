"""Unusual inactivity, learned in the home: silence too long for the place and the hour, and outings without a return."""

from gateway.detect.inactivity.detector import Settings, State, notice, step

__all__ = ["Settings", "State", "notice", "step"]
