"""Place: where the resident was last seen, and how lively it was. Pure.

A bed that is taken, and the door to the outside as the last sign, say more than a room; a sign that itself came after
more than ten minutes of silence belongs to a quiet spell, and the next may take longer.
"""

from gateway.detect.home import ROOMS, Sign, SignKind

BED, DOOR = "bed", "door"
SPOTS = (BED, *ROOMS, DOOR)
PLACES = tuple(f"{spot}{pace}" for pace in ("", ", quiet") for spot in SPOTS)
"""The classes: a spot, lively or quiet. A door has no quiet: it is used, or not."""
OUT = SPOTS.index(DOOR)
IN = SPOTS.index("hall")
"""Who came home and has not been seen further."""

WITHIN = ("bedroom", "bathroom")
"""A door there leads to no street, whatever the configuration calls it."""
LEAVING_S = 180.0
"""So long after the door a sign of the hall may still be of one who leaves: sensors tell late."""
QUIET_S = 600.0


def is_outside_door(sign: Sign) -> bool:
    """Tell whether the sign is that of a door to the outside."""
    return sign.kind is SignKind.DOOR and sign.room not in WITHIN


def place(sign: Sign, door_s: float | None, before_s: float | None, *, in_bed: bool) -> int:
    """Index in PLACES. `door_s`, `before_s`: of the last sign of a door to the outside, and of any."""
    if is_outside_door(sign) or (
            door_s is not None and sign.at_s - door_s < LEAVING_S and sign.kind is SignKind.MOTION
            and sign.room in ("hall", "other")):
        return OUT
    spot = BED if in_bed and sign.room == "bedroom" else sign.room
    quiet = before_s is not None and sign.at_s - before_s > QUIET_S
    return SPOTS.index(spot) + (len(SPOTS) if quiet else 0)
