"""What waits to be said, and in which order. Pure.

- About one alarm only the newest state waits: a newer one takes the place of the older, which is stale. What waits
  about another alarm stays, even of the same kind. "Help is being called" stays too when it is on its way or received
  before it could be said: whoever fell must hear that it was noticed, and at once.
- "Help is being called" goes before everything else that waits, in its own order.
- What sounds the same is said once for all alarms that it waits for.
- At most LINE_MAX wait: beyond it the oldest goes that does not call for help, or the oldest of all.
"""

import msgspec

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt

LINE_MAX = 32
_ON_ITS_WAY = frozenset({Prompt.SENT, Prompt.RECEIVED, Prompt.UNREACHABLE})


class Utterance(msgspec.Struct, frozen=True):
    """One thing to say; `kind` None and `alarm` "": about no alarm in particular. `words`: clips that follow."""

    prompt: Prompt
    kind: FindingKind | None
    alarm: str = ""
    words: tuple[str, ...] = ()

    @property
    def urgent(self) -> bool:
        return self.prompt is Prompt.RAISED

    def sounds_like(self, other: "Utterance") -> bool:
        """Tell whether nobody could hear a difference."""
        return (self.prompt, self.kind, self.words) == (other.prompt, other.kind, other.words)


Waiting = tuple[Utterance, ...]


def enqueue(waiting: Waiting, new: Utterance) -> Waiting:
    """Let an utterance wait, in the first one's stead if it makes that one stale."""
    left = tuple(one for one in waiting if one.alarm != new.alarm or (one.urgent and new.prompt in _ON_ITS_WAY))
    urgent = tuple(one for one in (*left, new) if one.urgent)
    rest = tuple(one for one in (*left, new) if not one.urgent)
    if len(left) < LINE_MAX:
        return urgent + rest
    return urgent + rest[1:] if rest else urgent[1:]


def take(waiting: Waiting) -> tuple[Utterance, Waiting]:
    """Return what is said next, and what waits then: without whatever has been heard with it."""
    return waiting[0], unheard(waiting[1:], waiting[0])


def unheard(waiting: Waiting, speaking: Utterance) -> Waiting:
    """Return what need still be said while this is being said."""
    return tuple(one for one in waiting if not one.sounds_like(speaking))


def overtakes(waiting: Waiting, speaking: Utterance) -> bool:
    """Tell whether what is being said must be broken off: only for an alarm, and no alarm for another one."""
    return bool(waiting) and waiting[0].urgent and not speaking.urgent
