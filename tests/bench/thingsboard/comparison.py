"""Comparison: one figure of Anju beside the peer's, measured in the same run; which is ahead, and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PEER = "ThingsBoard IoT Gateway 3.8.5"
LOWER, HIGHER = "lower", "higher"
_HEAD = ("", "Anju", PEER, "", "why")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`better`: LOWER or HIGHER. `why`: the mechanism behind both figures, whichever is ahead.

    A value of None was not measured; `why` then says what is missing.
    """

    name: str
    unit: str
    better: str
    value: float | None
    peer_value: float | None
    why: str

    def __post_init__(self) -> None:
        if self.better not in (LOWER, HIGHER):
            raise ValueError(f"{self.name}: better is {self.better!r}: give {LOWER!r} or {HIGHER!r}")
        if not self.why.strip():
            raise ValueError(f"{self.name}: say why")

    @property
    def ahead(self) -> bool | None:
        """Tell whether Anju is ahead; None where both are equal or one is not known."""
        if self.value is None or self.peer_value is None or _short(self.value) == _short(self.peer_value):
            return None
        return (self.value < self.peer_value) == (self.better == LOWER)

    def as_json(self) -> dict[str, Any]:
        numbers = {"value": _short(self.value), "peer": PEER, "peer_value": _short(self.peer_value)}
        return asdict(self) | numbers | {"ahead": self.ahead}


def markdown(report: Mapping[str, Any], brief: bool = False) -> str:
    """Return the table of a report for a document, with what was compared below; `brief`: why only where not ahead."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---|--:|--:|---|---|"]
    lines += ["| " + " | ".join(_cells(row | {"why": ""} if brief and row["ahead"] else row)) + " |"
              for row in report["rows"]]
    lines += ["", verdict(report["rows"]), ""]
    lines += [f"- {what}: {text}" for what, text in report["settings"].items()]
    return "\n".join(lines)


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in one sentence where Anju is ahead and where it is not."""
    behind = [row["name"] for row in rows if row["ahead"] is False]
    level = [row["name"] for row in rows if row["ahead"] is None and _known(row)]
    missing = [row["name"] for row in rows if not _known(row)]
    parts = [f"Anju is ahead in {sum(row['ahead'] is True for row in rows)} of {len(rows)} rows"]
    parts += [f"{word}: " + ", ".join(f"“{name}”" for name in names) for word, names in
              (("behind", behind), ("level", level), ("not measured", missing)) if names]
    return "; ".join(parts) + "."


def lost(accepted: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Return which of the accepted events the store has not got, in their order."""
    there = set(kept)
    return [number for number in accepted if number not in there]


def _known(row: Mapping[str, Any]) -> bool:
    return row["value"] is not None and row["peer_value"] is not None


def _cells(row: Mapping[str, Any]) -> list[str]:
    place = {True: "ahead", False: "**behind**", None: "level" if _known(row) else "not measured"}[row["ahead"]]
    figures = [_figure(row[key], row["unit"]).strip() for key in ("value", "peer_value")]
    return [row["name"], *figures, place, row["why"].replace("|", "\\|")]


def _figure(number: float | None, unit: str) -> str:
    if number is None:
        return "–"
    return f"{number:,.0f} {unit}" if abs(number) >= 1000 else f"{number:,.4g} {unit}"


def _short(number: float | None) -> float | None:
    return None if number is None else round(float(number), 3 if abs(number) < 10 else 1)
