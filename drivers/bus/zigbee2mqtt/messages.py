"""What Zigbee2MQTT publishes, as values. Pure.

Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html (bridge, availability),
.../guide/usage/exposes.html, .../guide/configuration/device-availability.html (`online`, or {"state": "online"}),
.../guide/configuration/mqtt.html and all-settings `advanced.last_seen` (ISO 8601, or milliseconds since 1970).
"""

import contextlib
from datetime import datetime
from typing import Any

import msgspec

from gateway.spi.exposed import Exposed, Scalar

MAX_STATE_BYTES = 65536
MAX_AGE_S = 366 * 86400.0
"""What was heard longer ago was stamped, or is read, by a clock that nobody had set."""
_DEPTH = 4  # specific exposes (a switch, a light) hold features; nothing is nested deeper


class MalformedMessage(Exception):
    """The payload is not what its topic promises."""


class Known(msgspec.Struct, frozen=True):
    """A device as Zigbee2MQTT lists it. `problem`: why it cannot be used, and `cure`; empty where it can."""

    ieee: str
    name: str
    manufacturer: str
    model: str
    exposes: dict[str, Exposed]
    problem: str = ""
    cure: str = ""


def decode_devices(payload: bytes) -> dict[str, Known]:
    """Read `bridge/devices`: IEEE address in lower case -> device; what is no whole entry is left out."""
    listed = _json(payload)
    if not isinstance(listed, list):
        raise MalformedMessage("no list of devices")
    known = [_device(one) for one in listed if isinstance(one, dict) and one.get("type") != "Coordinator"]
    return {one.ieee: one for one in known if one.ieee and one.name}


def _device(entry: dict[str, Any]) -> Known:
    definition = entry.get("definition")
    table = definition if isinstance(definition, dict) else {}
    exposes: dict[str, Exposed] = {}
    _gather(table.get("exposes"), exposes, _DEPTH)
    problem, cure = "", ""
    if entry.get("disabled") is True:
        problem, cure = "it is disabled in Zigbee2MQTT", "enable it there, or remove it from the configuration"
    elif not table:
        problem, cure = ("Zigbee2MQTT does not know what it means (unsupported, or still being interviewed)",
                         "pair it again beside the stick; if it stays so, update Zigbee2MQTT")
    return Known(_text(entry, "ieee_address").lower(), _text(entry, "friendly_name"),
                 _text(table, "vendor") or _text(entry, "manufacturer"),
                 _text(table, "model") or _text(entry, "model_id"), exposes, problem, cure)


def _gather(listed: Any, into: dict[str, Exposed], depth: int) -> None:
    """Take each value that stands at the top of the device's messages; composites and lists hold theirs deeper."""
    for one in listed if isinstance(listed, list) and depth else ():
        if not isinstance(one, dict) or one.get("type") in ("composite", "list"):
            continue
        if "features" in one:
            _gather(one["features"], into, depth - 1)
        elif name := _text(one, "property"):
            choices = one.get("values")
            into[name] = Exposed(_scalar(one.get("value_on")), _scalar(one.get("value_off")), _text(one, "unit"), tuple(
                word for word in (choices if isinstance(choices, list) else ()) if isinstance(word, str)))


def decode_state(payload: bytes) -> dict[str, Any]:
    """Read a device's message. Raises MalformedMessage where it is no JSON object, or too long for one."""
    if len(payload) > MAX_STATE_BYTES:
        raise MalformedMessage("too long")
    values = _json(payload)
    if not isinstance(values, dict):
        raise MalformedMessage("no JSON object")
    return values


def decode_online(payload: bytes) -> bool:
    """Read `bridge/state` or a device's `availability`, in its plain or its JSON form. Raises MalformedMessage."""
    word: Any = payload.decode("utf-8", "replace")
    if payload.startswith((b"{", b'"')):
        word = _json(payload)
        word = word.get("state") if isinstance(word, dict) else word
    if word not in ("online", "offline"):
        raise MalformedMessage("neither online nor offline")
    return bool(word == "online")


def age_s(values: dict[str, Any], wall_s: float) -> float | None:
    """How long ago the device spoke by `last_seen`; None where it does not say, or a clock cannot be right."""
    seen = values.get("last_seen")
    seen_s: float | None = None
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if isinstance(seen, str):
            seen_s = datetime.fromisoformat(seen.replace("Z", "+00:00")).timestamp()
        elif isinstance(seen, int | float) and not isinstance(seen, bool):
            seen_s = seen / 1000
    if seen_s is None or wall_s - seen_s > MAX_AGE_S:
        return None
    return max(0.0, wall_s - seen_s)


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedMessage(f"no JSON: {error}") from None


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _scalar(value: Any) -> Scalar | None:
    return value if isinstance(value, bool | int | float | str) else None
