"""What waits to be said, and in which order. Pure.

- About one kind of alarm only the newest state waits: a newer one takes the place of the older, which is stale.
- "Help is being called" goes before everything else that waits, in its own order.
- So no more waits than there are kinds of alarms, and one.
"""

import msgspec

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt


class Utterance(msgspec.Struct, frozen=True):
    """One thing to say; `kind` None: about no alarm in particular."""

    prompt: Prompt
    kind: FindingKind | None

    @property
    def urgent(self) -> bool:
        return self.prompt is Prompt.RAISED


Waiting = tuple[Utterance, ...]


def enqueue(waiting: Waiting, new: Utterance) -> Waiting:
    """Let an utterance wait, in the first one's stead if it makes that one stale."""
    left = tuple(one for one in waiting if one.kind is not new.kind)
    if not new.urgent:
        return (*left, new)
    urgent = tuple(one for one in left if one.urgent)
    return (*urgent, new, *(one for one in left if not one.urgent))


def overtakes(waiting: Waiting, speaking: Utterance) -> bool:
    """Tell whether what is being said must be broken off: only for an alarm, and no alarm for another one."""
    return bool(waiting) and waiting[0].urgent and not speaking.urgent
