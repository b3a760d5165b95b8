"""The AT dialogue: answers by their prefix, news between any two lines, bytes cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.at import (
    MAX_LINE_BYTES,
    Answer,
    Dialogue,
    Event,
    News,
    Phase,
    Prompt,
    Refusal,
    Report,
    numbers,
)


def lines(*said: str) -> bytes:
    return "".join(f"\r\n{line}\r\n" for line in said).encode()


def fed(dialogue: Dialogue, data: bytes, cut: int = 4096) -> list[Event]:
    return [event for at in range(0, len(data), cut) for event in dialogue.feed(data[at : at + cut])]


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 4096])
def test_an_answer_amid_news_is_told_from_it_however_the_bytes_are_cut(cut: int) -> None:
    dialogue = Dialogue()
    dialogue.ask("+CSQ")
    said = lines("RDY", "+CREG: 5", "+CSQ: 21,99", "+CDS: 25", "0006AA", "RING", "OK", "+CSQ: 3,99")
    assert fed(dialogue, said, cut) == [News("RDY"), News("+CREG: 5"), News("+CDS: 25"), Report("0006AA"),
                                        News("RING"), Answer(("21,99",)), News("+CSQ: 3,99")]
    assert dialogue.phase is Phase.IDLE


@pytest.mark.parametrize("cut", [1, 3, 4096])
def test_a_message_is_prompted_for_and_answered(cut: int) -> None:
    dialogue = Dialogue()
    dialogue.ask("+CMGS", offers=True)
    assert fed(dialogue, lines("+CMTI: 1") + b"\r\n> ", cut) == [News("+CMTI: 1"), Prompt()]
    assert fed(dialogue, lines("RING", "+CMGS: 7", "OK"), cut) == [News("RING"), Answer(("7",))]


@pytest.mark.parametrize(("line", "refusal"), [
    ("ERROR", Refusal("", None)), ("+CME ERROR: 10", Refusal("CME", 10)), ("+CMS ERROR: 331", Refusal("CMS", 331)),
    ("+CME ERROR: SIM not inserted", Refusal("CME", None))])
@pytest.mark.parametrize("offers", [False, True])
def test_a_refusal_tells_its_number(line: str, refusal: Refusal, offers: bool) -> None:
    dialogue = Dialogue()
    dialogue.ask("+CMGS", offers=offers)
    assert fed(dialogue, lines(line)) == [refusal]
    assert dialogue.phase is Phase.IDLE


def test_an_answer_that_was_given_up_is_nobodys() -> None:
    dialogue = Dialogue()
    dialogue.ask("+CSQ")
    dialogue.give_up()
    assert fed(dialogue, lines("+CSQ: 21,99", "OK")) == [News("+CSQ: 21,99")]
    dialogue.ask("+CPIN")
    assert fed(dialogue, lines("+CPIN: READY", "OK")) == [Answer(("READY",))]


def test_a_status_report_that_looks_like_an_answer_is_none() -> None:
    dialogue = Dialogue()
    dialogue.ask()
    assert fed(dialogue, lines("+CDS: 1", "OK", "OK")) == [News("+CDS: 1"), Report("OK"), Answer(())]


def test_an_endless_line_is_dropped_and_what_follows_is_read() -> None:
    dialogue = Dialogue()
    dialogue.ask()
    assert fed(dialogue, b"\xff" * 100_000) == []
    assert len(dialogue._rest) <= MAX_LINE_BYTES
    assert fed(dialogue, lines("OK")) == [Answer(())]
    assert dialogue.noise_bytes == 100_000
    assert fed(dialogue, b"+CMS ERROR: " + b"9" * 5000 + b"\r\n", 10_000) == []


CRUMBS = [b"\r\n> ", b"\r\nOK\r\n", b"+CDS:\r\n", b"+CMS ERROR: 1\r\n"]


@given(st.lists(st.binary(max_size=200) | st.sampled_from(CRUMBS)), st.booleans())
def test_noise_never_raises_and_never_piles_up(chunks: list[bytes], offers: bool) -> None:
    dialogue = Dialogue()
    dialogue.ask("+C", offers=offers)
    for chunk in chunks:
        dialogue.feed(chunk)
        assert len(dialogue._rest) <= MAX_LINE_BYTES


def test_numbers_of_a_line_leave_out_what_is_quoted() -> None:
    assert numbers('0,1,"1A2B","01234567",7') == [0, 1, 7]
    assert numbers("") == []
