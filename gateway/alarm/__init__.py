"""The alarm's life: what the gateway does and tells from a finding until somebody has answered. Pure."""

from gateway.alarm.effects import Append, Effect, Say, Show
from gateway.alarm.life import (
    Alarms,
    CancelPressed,
    Closed,
    Input,
    Raised,
    Received,
    Sent,
    Tick,
    decide,
    light,
)
from gateway.alarm.rules import CANCEL_S, Rules

__all__ = [
    "CANCEL_S",
    "Alarms",
    "Append",
    "CancelPressed",
    "Closed",
    "Effect",
    "Input",
    "Raised",
    "Received",
    "Rules",
    "Say",
    "Sent",
    "Show",
    "Tick",
    "decide",
    "light",
]
