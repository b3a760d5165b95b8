"""Pause: how long to wait before the next attempt. Pure."""

FIRST_S = 0.5
CALM_CAP_S = 30.0
URGENT_CAP_S = 4.0  # with an alarm waiting: GB 26875.1-2011, 4.1, gives an alarm 10 s to the centre


def pause_s(attempt: int, urgent: bool, rng: float) -> float:
    """Return the pause after failed attempt number `attempt` (0, 1, ...); `rng`: 0..1.

    It doubles up to a cap and is spread over its upper half, so that the gateways of a city that lost their broker
    together do not come back together.
    """
    cap_s = URGENT_CAP_S if urgent else CALM_CAP_S
    full_s = min(cap_s, FIRST_S * 2.0 ** min(attempt, 16))
    return full_s * (0.5 + 0.5 * rng)
