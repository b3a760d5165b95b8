"""SMS PDUs: a vector, and every text against the bench's own reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices.sms_pdu import delivery, submit
from hil.devices.modem import pdu

NUMBERS = st.from_regex(r"\A\+?[0-9]{3,20}\Z")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def test_a_chinese_text_is_the_pdu_that_the_standard_makes_of_it() -> None:
    (part,) = submit("+8613800138000", "安居", 1)
    #                             SCA FO MR len/type number         PID DCS VP UDL text
    assert part.pdu == "00" + "31" "00" "0D91" "683108108300F0" "00" "08" "A7" "04" "5B895C45"
    assert part.length == len(part.pdu) // 2 - 1


@given(NUMBERS, TEXTS, st.integers(0, 255))
def test_the_network_reads_every_text_as_it_was_given(number: str, text: str, reference: int) -> None:
    parts = [pdu.parse(part.pdu, part.length) for part in submit(number, text, reference)]
    assert all(part is not None and part.number == number and part.wants_report for part in parts)
    assert "".join(part.text for part in parts if part) == text
    if len(parts) > 1:
        assert [part.part for part in parts if part] == [
            (reference, len(parts), index) for index in range(1, len(parts) + 1)]
    assert all(len(part.text.encode("utf-16-be")) <= (140 if len(parts) == 1 else 134) for part in parts if part)


def test_seventy_characters_are_one_message_and_one_more_makes_two() -> None:
    assert [len(submit("10086", "字" * count, 0)) for count in (70, 71, 134, 135)] == [1, 2, 2, 3]


def test_a_character_of_two_units_is_never_cut_and_no_part_is_too_long() -> None:
    parts = [pdu.parse(part.pdu, part.length) for part in submit("10086", "😀" * 40, 0)]
    assert [part.text for part in parts if part] == ["😀" * 33, "😀" * 7]


@pytest.mark.parametrize("number", ["", "12", "0049-171", "+", "１３８００", "+123456789012345678901"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="no telephone number"):
        submit(number, "x", 0)


@given(st.integers(0, 255), NUMBERS, st.integers(0, 255))
def test_a_status_report_tells_which_message_and_what_became_of_it(reference: int, number: str, status: int) -> None:
    told = delivery(pdu.status_report(reference, number, status))
    assert told is not None
    assert (told.reference, told.status) == (reference, status)
    assert (told.delivered, told.given_up) == (status < 0x20, status >= 0x40)


@given(st.text(max_size=80) | st.binary(max_size=60).map(bytes.hex))
def test_whatever_else_a_modem_says_is_no_report_or_reads_as_one(said: str) -> None:
    told = delivery(said)
    assert told is None or 0 <= told.status <= 255
