"""The demo's screen: at every width all keys and the whole of a failure can be read."""

import io

import pytest
from rich.console import Console

from hil.scenarios.board import FAILED, Board
from hil.scenarios.live import Play
from hil.scenarios.screen import Screen, rows

REASON = "anju devices add: no device answered within four seconds, so wake it and try again"


def drawn(board: Board, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(Screen(board, Play.KEYS), height=height)
    return shown.get().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 36), (60, 24)])
def test_every_key_is_on_the_screen_whole(width: int, height: int) -> None:
    lines = drawn(Board("live"), width, height)
    assert len(lines) == height
    for key in Play.KEYS:
        assert any(key in line for line in lines), key


@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 36)])
def test_a_failure_is_wrapped_and_the_newest_lines_stay_in_sight(width: int, height: int) -> None:
    board = Board("live")
    for number in range(50):
        board.did(f"old {number} with many words that do not fit into the column")
    board.did(f"{FAILED} {REASON}")
    board.did("the last")
    lines = drawn(board, width, height)
    column = " ".join(line[1:width // 3 - 1].strip("│ ") for line in lines)
    assert REASON in column
    assert column.index(REASON) < column.index("the last")
    assert len(lines) == height


def test_words_fill_rows_and_none_is_broken() -> None:
    assert rows(["aa", "bb", "cc dd"], 7) == ["aa   bb", "cc dd"]
    assert rows(["wider than it"], 4) == ["wider than it"]
