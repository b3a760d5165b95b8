"""What the rules of routine have in common: who can be in the flat, what can be seen, and when it is night. Pure."""

import msgspec
from msgspec.structs import replace

from gateway.detect.home import GATEWAY, Away, Input, Outage, Sign, SignKind
from gateway.detect.routines import night as nights

LEAVING_S = 20.0
"""After a door's sign for so long a sign within may still be of one who leaves: sensors tell late."""

_BY_ITSELF = frozenset({SignKind.MOTION, SignKind.APPLIANCE, SignKind.WATER})
"""What ends by itself: only its beginning is somebody's doing."""


class Scene(msgspec.Struct, frozen=True):
    """All times in seconds of `at_s`, None for never.

    `ahead_s`: local time less `at_s`, None while no clock is set. `inside_at_s`: of the last sign within by a person.
    `door_at_s`: of the last one of a door to the outside. `lost`: sensors known to be blind. `seen_from_s`: since when
    the gateway watches without a break. `was_empty`: so it was taken for until this very input. `human_only`: an animal
    or others move here too, and motion is no sign of the resident.
    """

    ahead_s: float | None = None
    inside_at_s: float | None = None
    door_at_s: float | None = None
    lost: frozenset[str] = frozenset()
    seen_from_s: float | None = None
    away_until_local_s: float | None = None
    night: nights.Night = nights.Night()
    was_empty: bool = False
    human_only: bool = False

    def out(self) -> bool:
        """Nobody has been seen within since the door to the outside was last used."""
        return self.door_at_s is not None and (
            self.inside_at_s is None or self.inside_at_s <= self.door_at_s + LEAVING_S)

    def empty(self) -> bool:
        """The flat is taken for empty: the resident went out, or somebody said so."""
        return self.away_until_local_s is not None or self.out()

    def seen_since(self, at_s: float | None) -> bool:
        """The gateway has watched without a break since then."""
        return at_s is not None and self.seen_from_s is not None and at_s >= self.seen_from_s

    def is_night(self, at_s: float) -> bool | None:
        """None while no clock is set."""
        return None if self.ahead_s is None else nights.within(self.night, at_s + self.ahead_s)


def step(scene: Scene, happened: Input, *, human: bool) -> Scene:
    """Take one input. `human`: it is a sign that a person gave (is_human)."""
    ahead_s = scene.ahead_s if happened.local_s is None else happened.local_s - happened.at_s
    if isinstance(happened, Sign):
        return _sign(scene, happened, ahead_s, human=human)
    if isinstance(happened, Outage):
        if happened.sensor == GATEWAY:
            return replace(scene, ahead_s=ahead_s, seen_from_s=None if happened.lost else happened.at_s)
        lost = scene.lost | {happened.sensor} if happened.lost else scene.lost - {happened.sensor}
        return replace(scene, ahead_s=ahead_s, lost=lost)
    if isinstance(happened, Away):
        return replace(scene, ahead_s=ahead_s, away_until_local_s=happened.until_local_s)
    until_s, local_s = scene.away_until_local_s, happened.local_s
    over = until_s is not None and local_s is not None and local_s >= until_s
    if ahead_s == scene.ahead_s and not over:
        return scene
    return replace(scene, ahead_s=ahead_s, away_until_local_s=None if over else until_s)


def _sign(scene: Scene, sign: Sign, ahead_s: float | None, *, human: bool) -> Scene:
    at_s = sign.at_s
    lost = scene.lost - {sign.sensor} if scene.lost else scene.lost
    inside_at_s, door_at_s, hours, was_empty = scene.inside_at_s, scene.door_at_s, scene.night, scene.empty()
    if sign.kind is SignKind.DOOR:
        door_at_s = at_s
    elif human:
        if ahead_s is not None and sign.room != "bedroom":  # who turns over in bed is not up
            seen = scene.seen_since(None if hours.slot is None else hours.slot * nights.SLOT_S - ahead_s)
            hours = nights.learned(hours, at_s + ahead_s, seen=seen and not was_empty)
        inside_at_s = at_s
    seen_from_s = at_s if scene.seen_from_s is None else scene.seen_from_s
    return Scene(ahead_s, inside_at_s, door_at_s, lost, seen_from_s, scene.away_until_local_s, hours,
                 was_empty, scene.human_only)


def is_human(sign: Sign, *, human_only: bool) -> bool:
    """Tell whether a person gave this sign; `human_only`: an animal moves here, or nobody knows who does."""
    if sign.kind is SignKind.MOTION and human_only:
        return False
    return sign.on or sign.kind not in _BY_ITSELF
