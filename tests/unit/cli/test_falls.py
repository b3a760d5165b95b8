"""`anju falls`: what is kept, and how one fall is drawn, in a terminal of any width and in a file."""

import json
import struct
import xml.etree.ElementTree as ElementTree
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import braille, curves
from gateway.cli import svg as drawing
from gateway.cli.falls import cut, kept, when
from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused

RATE_HZ = 52.0
HEAD: dict[str, Any] = {
    "id": "f1", "alarm": "a1", "device": "bracelet", "words": "a blow of 6.0 g & then <still>", "peak_g": 6.0,
    "wall_s": 1.7e9, "clock": "synced", "n": 1560, "holes": [], "missing": "", "awaited": False}
BEATS = [{"at_s": second - 10.0, "per_min": 70.0 + second, "plausible": second != 5} for second in range(30)]


def samples(count: int = 1560, impact: int = 520) -> list[tuple[int, int, int]]:
    return [(0, 0, 6000 if place == impact else 1000) for place in range(count)]


def answers(values: list[tuple[int, int, int]], *sizes: int, **more: Any) -> list[dict[str, Any]]:
    """A head and the samples in answers of so many bytes, the last one with the rest."""
    raw = b"".join(struct.pack("<3h", *value) for value in values)
    pieces = [{"first_s": -10.0, "rate_hz": RATE_HZ, "full_scale_g": 8.0, "n": len(values)}]
    chunks, begin = [], 0
    for size in (*sizes, len(raw)):
        chunks.append({"samples": b64encode(raw[begin : begin + size]).decode()})
        begin += size
    return [HEAD | {"pieces": pieces, "heart": BEATS} | more, *chunks]


def panels(holes: tuple[tuple[float, float], ...] = ()) -> tuple[curves.Panel, curves.Panel]:
    heart = [(beat["at_s"], beat["per_min"]) for beat in BEATS if beat["plausible"]]
    return curves.panels([(-10.0, RATE_HZ, samples())], heart, holes)


def read(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own


# -- the list --------------------------------------------------------------------------------------------------------


def test_every_kept_fall_is_listed_with_its_alarm_and_what_there_is(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = [
        HEAD | {"alarm_state": "cancelled"},
        HEAD | {"id": "f2", "alarm_state": "", "holes": [[5.0, 20.0]]},
        HEAD | {"id": "f3", "alarm_state": "raised", "missing": "the disk had no space left for it", "wall_s": None},
        HEAD | {"id": "f4", "alarm_state": "raised", "awaited": True}]
    lines = shell("falls").stdout.splitlines()
    told = ["\n".join(lines[place : place + 3]) for place in range(0, len(lines), 3)]
    assert [fall.split()[0] for fall in told] == ["f1", "f2", "f3", "f4"]
    for words, fall in zip((("2023-11-1", "6.0 g", "cancelled", "1560 samples", "& then <still>"),
                            ("alarm unknown", "15.0 s without"), ("unknown  bracelet", "missing: the disk had"),
                            ("not complete yet",)), told, strict=True):
        assert [word for word in words if word not in fall] == []
    assert [fall["id"] for fall in shell.json("falls")] == ["f1", "f2", "f3", "f4"]


def test_where_nothing_is_kept_that_is_said(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = []
    assert "no fall is kept yet" in shell("falls").stdout
    assert shell.json("falls") == []


def test_a_date_says_when_it_is_not_to_be_trusted() -> None:
    assert when(HEAD | {"clock": "estimated"}).endswith("(estimated)")
    assert kept(HEAD) == "1560 samples"


# -- one of them -----------------------------------------------------------------------------------------------------


def test_one_fall_is_asked_for_by_its_id_and_put_together_from_many_answers(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = answers(samples(), 6, 3000, 12)
    told = shell.json("falls", "show", "f1")
    assert desk.asked[-1] == {"verb": "falls", "id": "f1"}
    assert [tuple(sample) for sample in told["pieces"][0]["samples_mg"]] == samples()
    assert told["words"] == HEAD["words"]


def test_without_a_terminal_it_is_drawn_in_80_columns(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = answers(samples())
    lines = shell("falls", "show", "f1").stdout.splitlines()
    assert lines[0].startswith("fall f1, bracelet, 2023-")
    assert lines[1] == HEAD["words"]
    assert 75 < max(map(len, lines[2:])) <= 80
    assert any("impact" in line for line in lines)


def test_an_unknown_id_is_refused_with_those_there_are(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = refused("no fall 'f9' is kept here", "choose one of f1, f2")
    result = shell("falls", "show", "f9", code=1)
    assert "no fall 'f9'" in result.stderr
    assert "choose one of f1, f2" in result.stderr


def test_of_missing_evidence_the_reason_is_shown_and_nothing_drawn(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = [HEAD | {"pieces": [], "heart": [], "missing": "the gateway was stopped", "n": 0}]
    said = shell("falls", "show", "f1").stdout
    assert "missing: the gateway was stopped" in said
    assert "impact" not in said


def test_the_drawing_goes_to_the_file_too(shell: Shell, desk: Desk, tmp_path: Path) -> None:
    desk.answers["falls"] = answers(samples())
    shell("falls", "show", "f1", "--svg", tmp_path / "fall.svg")
    assert "<still>" in "".join(read((tmp_path / "fall.svg").read_text()).itertext())


def test_a_file_that_cannot_be_written_is_told_with_its_cure(shell: Shell, desk: Desk, tmp_path: Path) -> None:
    desk.answers["falls"] = answers(samples())
    result = shell("falls", "show", "f1", "--svg", tmp_path / "nowhere" / "fall.svg", code=1)
    assert "cannot be written" in result.stderr
    assert "a folder of yours" in result.stderr
    told = shell.json("falls", "show", "f1", "--svg", tmp_path / "nowhere" / "fall.svg", code=1)
    assert "cannot be written" in told["error"]


def test_samples_go_to_their_pieces() -> None:
    pieces = [{"first_s": -1.0, "rate_hz": 2.0, "n": 1}, {"first_s": 1.0, "rate_hz": 4.0, "n": 2}]
    assert cut(pieces, struct.pack("<9h", *range(9))) == [(-1.0, 2.0, [(0, 1, 2)]), (1.0, 4.0, [(3, 4, 5), (6, 7, 8)])]


# -- drawn -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80, 81, 200])
def test_the_peak_stands_over_the_word_impact_whatever_the_width(width: int) -> None:
    drawn = braille.drawn(panels()[0], width, 14)
    axis, words = braille.time_axis(width)
    assert len(drawn) == 15
    assert all(len(line) <= width for line in [*drawn, axis, words])
    place = axis.index("┼")
    assert words.index("impact") <= place < words.index("impact") + len("impact")
    peak = [place for place, character in enumerate(drawn[1]) if ord(character) > 0x2800]
    assert peak == [place]
    assert drawn[1].split()[0] == "6"
    assert {line[place] for line in braille.drawn(panels()[1], width, 9)[1:]} >= {"┊"}
    assert {mark for line in braille.drawn(panels()[1], width, 9)[1:] for mark in line[9:place]} <= {
        " ", *map(chr, range(0x2801, 0x2900))}


def test_what_was_not_measured_is_shaded_and_not_bridged() -> None:
    left = [(-10.0, RATE_HZ, samples(104)), (-4.0, RATE_HZ, samples(1248, impact=208))]
    drawn = braille.drawn(curves.panels(left, [], [(-8.0, -4.0)])[0], 129, 8)
    column = 9 + round((-6.0 + 10) / 30 * 120)
    assert {line[column] for line in drawn[1:]} == {"░"}
    assert {line[column + 12] for line in drawn[1:]} >= {" "}
    assert not any(line[column + 12 : column + 13] == "░" for line in drawn)


def test_heart_rates_far_apart_are_not_joined() -> None:
    _, heart = curves.panels([], [(-9.0, 70.0), (-8.0, 71.0), (5.0, 90.0)], [])
    assert heart.runs == [[(-9.0, 70.0), (-8.0, 71.0)], [(5.0, 90.0)]]
    assert heart.limits == (60.0, 100.0)


def test_the_svg_has_both_curves_their_units_the_impact_and_the_hole() -> None:
    text = drawing.drawn(["fall f1", "a & b"], panels(holes=((2.0, 5.0),)))
    root = read(text)
    space = "{http://www.w3.org/2000/svg}"
    words = [node.text for node in root.iter(f"{space}text")]
    assert {"fall f1", "a & b", "acceleration (g)", "heart rate (/min)", "impact"} <= set(words)
    assert "seconds from the impact" in words
    curve, heart = root.iter(f"{space}polyline")
    points = [tuple(map(float, point.split(","))) for point in curve.attrib["points"].split()]
    assert len(points) == 1560
    peak_x, _ = min(points, key=lambda point: point[1])
    (impact,) = [node for node in root.iter(f"{space}text") if node.text == "impact"]
    assert peak_x == pytest.approx(float(impact.attrib["x"]), abs=0.2)
    (hole,) = root.iter(f"{space}rect")
    assert float(hole.attrib["width"]) == pytest.approx((960 - 64 - 24) / 10, abs=0.1)
    assert len(heart.attrib["points"].split()) == 29
    assert "background" not in text


def test_the_json_of_a_fall_is_one_line_for_programs(shell: Shell, desk: Desk) -> None:
    desk.answers["falls"] = answers(samples())
    assert json.loads(shell("falls", "show", "f1", "--json").stdout.splitlines()[0])["id"] == "f1"
