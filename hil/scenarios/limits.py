"""What a tour's result must hold. Pure: result -> the limits that do not hold, each with both figures."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

SOS_OVER_FLOOR = 3.0
DAEMON_RSS_MB = 80.0
START_S = 2.0
L1_CARRIES_MORE = "rss_mb.daemon: on layer L1 the daemon carries the emulated Bluetooth controller as well"


@dataclass(frozen=True, slots=True)
class Limit:
    """`name`: the figure's way through the result, with dots. `timing`: the machine's load can break it."""

    name: str
    words: str
    holds: Callable[[Any], bool]
    timing: bool = False


LIMITS = (
    Limit("missed", "== []", lambda is_: is_ == []),
    Limit("events_lost", "== 0", lambda is_: is_ == 0),
    Limit("duplicates_after_dedupe", "== 0", lambda is_: is_ == 0),
    Limit("outage.alarm_first", "true", lambda is_: is_ is True),
    Limit("received_said_after_commit", "true", lambda is_: is_ is True),
    Limit("fall_detected", "true", lambda is_: is_ is True),
    Limit("rss_mb.daemon", f"<= {DAEMON_RSS_MB:g}", lambda is_: is_ <= DAEMON_RSS_MB),
    Limit("latency_ms.sos_over_floor", f"<= {SOS_OVER_FLOOR:g}", lambda is_: is_ <= SOS_OVER_FLOOR, timing=True),
    Limit("start_s", f"< {START_S:g}", lambda is_: is_ < START_S, timing=True),
)


def failed(result: dict[str, Any], layer: str) -> list[dict[str, Any]]:
    """Return every limit that does not hold; a figure that is not there holds none. On L1 memory is not judged."""
    limits = [limit for limit in LIMITS if not (layer == "l1" and limit.name == "rss_mb.daemon")]
    caused = result.get("alarms_caused")
    limits += [Limit(name, f"== {caused}, as many as were caused", lambda is_: is_ == caused)
               for name in ("alarms_raised", "alarms_received")]
    return [{"limit": limit.name, "is": is_, "must_be": limit.words, "timing": limit.timing}
            for limit in limits if (is_ := _figure(result, limit.name)) is None or not limit.holds(is_)]


def not_judged(layer: str) -> list[str]:
    return [L1_CARRIES_MORE] if layer == "l1" else []


def duplicates(events: Iterable[dict[str, Any]], caused: dict[tuple[str, str], int]) -> int:
    """Count alarms beyond their causes, and events told under more than one id.

    `caused`: how often (kind, device) was made to raise an alarm. The city's table holds every id once, so ids alone
    show nothing: the same thing told twice has the same type, subject, instant and content.
    """
    raised: dict[tuple[str, str], int] = {}
    ids: dict[str, set[str]] = {}
    for event in events:
        if event["type"] == "anju.alarm.raised":
            of = event["data"]["kind"], event["subject"]
            raised[of] = raised.get(of, 0) + 1
        what = json.dumps([event[key] for key in ("type", "subject", "boot", "monotonicms", "data")], sort_keys=True)
        ids.setdefault(what, set()).add(event["id"])
    beyond = sum(max(0, count - caused.get(of, 0)) for of, count in raised.items())
    return beyond + sum(len(same) - 1 for same in ids.values())


def _figure(result: dict[str, Any], name: str) -> Any:
    found: Any = result
    for key in name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found
