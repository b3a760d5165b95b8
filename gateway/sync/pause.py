"""Pause: how long to wait before the next attempt. Pure.

It doubles with every failed attempt up to a cap, and chance takes it anywhere between (almost) nothing and that ("full
jitter" of the AWS architecture blog, "Exponential Backoff And Jitter"): the gateways of a city that lost their broker
together come back spread over the whole cap, not together at its end.

So N gateways that are turned away knock N / 30 times a second, each once in half of CALM_CAP_S; one with an alarm
once in half of URGENT_CAP_S. An alarm raised during a pause ends it at once, but it alone, and not within HURRY_S
of the last attempt. Whatever happens, FLOOR_S lies between the end of an attempt and the beginning of the next.
"""

FLOOR_S = 0.1
FIRST_S = 0.5
CALM_CAP_S = 60.0
URGENT_CAP_S = 4.0  # with an alarm waiting: GB 26875.1-2011, 4.1, gives an alarm 10 s to the centre
HURRY_S = 0.5


def pause_s(attempt: int, urgent: bool, rng: float) -> float:
    """Return the pause after failed attempt number `attempt` (0, 1, ...); `rng`: 0..1."""
    cap_s = URGENT_CAP_S if urgent else CALM_CAP_S
    return FLOOR_S + rng * (min(cap_s, FIRST_S * 2.0 ** min(attempt, 16)) - FLOOR_S)
