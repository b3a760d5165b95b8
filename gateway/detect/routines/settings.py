"""What the configuration decides about the rules of routine."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """`off`: names of rules that are switched off (rules.RULES). `residents`: how many live here.

    `night`: from and to as minutes of the day, instead of what is learned; `up_by`: minute of the day by which the
    resident is up, until that is learned. `left_on_min`: appliance -> minutes that it may be on while nobody is in its
    room; one that is not in it is not watched.
    """

    off: frozenset[str] = frozenset()
    residents: int = 1
    night: tuple[int, int] | None = None
    up_by: int | None = None
    night_exit_min: float = 12.0
    left_on_min: dict[str, float] = {}
