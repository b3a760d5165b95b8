"""The mailbox between sessions."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee.peer import FRESH_S, KEPT, REPEAT_S, Peer, Port
from gateway.spi import Attribute, ZclCommand, ZclMessage, ZoneStatus

STATUS, EMERGENCY = (1, 0x0500), (1, 0x0501)


def status(number: int, bits: int) -> bytes:
    return bytes((0x09, number, 0x00, bits, 0, 0, 0, 0, 0))


def reading(number: int) -> ZclMessage:
    return Attribute(float(number), 1, 0x0001, 0x0021, number)


def alarm(number: int) -> ZclMessage:
    return ZoneStatus(float(number), 1)


def test_alarms_outlive_any_number_of_reports() -> None:
    peer = Peer("a")
    peer.put([alarm(0)])
    peer.put([reading(number) for number in range(1, 10 * KEPT)])
    peer.put([ZoneStatus(5000.0, 0)])
    assert peer.mail[0] == alarm(0)
    assert peer.mail[-1] == ZoneStatus(5000.0, 0)
    assert len(peer.mail) == KEPT
    assert peer.dropped == 9 * KEPT + 1


@given(st.lists(st.sampled_from(["reading", "restore", "alarm", "press"]), max_size=200))
def test_what_is_dropped_is_never_more_important_than_what_is_kept(kinds: list[str]) -> None:
    weights = {"reading": 0, "restore": 1, "press": 2, "alarm": 3}
    make = {"reading": reading, "restore": lambda n: ZoneStatus(float(n), 0), "alarm": alarm,
            "press": lambda n: ZclCommand(float(n), 1, 0x0501, 2, b"")}
    peer = Peer("a")
    messages = [make[kind](number) for number, kind in enumerate(kinds)]
    for message in messages:
        peer.put([message])
    assert len(peer.mail) == min(len(kinds), KEPT)
    assert peer.dropped == len(kinds) - len(peer.mail)
    assert list(peer.mail) == [message for message in messages if message in peer.mail]  # in order of arrival
    assert list(peer.mail)[-1:] == messages[-1:]
    kept_alarms = sum(message in peer.mail for message, kind in zip(messages, kinds, strict=True) if kind == "alarm")
    assert kept_alarms >= min(kinds.count("alarm"), KEPT - 1)  # one place is for what came last
    alarms = [message for message, kind in zip(messages, kinds, strict=True) if kind == "alarm"]
    assert all(message in peer.mail for message in alarms[:1])
    lost = [weights[kind] for message, kind in zip(messages, kinds, strict=True) if message not in peer.mail]
    kept = [weights[kind] for message, kind in zip(messages, kinds, strict=True) if message in peer.mail]
    assert not lost or max(lost) <= min(kept) or len(kinds) > KEPT


def test_of_alarms_alone_the_first_is_kept_and_how_it_ended() -> None:
    peer = Peer("a")
    peer.put([alarm(number) for number in range(3 * KEPT)])
    peer.put([ZoneStatus(5000.0, 0)])
    assert peer.mail[0] == alarm(0)  # since when it burns
    assert list(peer.mail)[-3:] == [alarm(3 * KEPT - 2), alarm(3 * KEPT - 1), ZoneStatus(5000.0, 0)]
    assert len(peer.mail) == KEPT


def test_a_radars_fall_outlives_its_breaths() -> None:
    peer = Peer("a")
    fall = Attribute(0.0, 1, 0xFD00, 0x0000, 5)
    peer.put([fall])
    peer.put([Attribute(float(number), 1, 0xFD00, 0x0002, 15) for number in range(1, 10 * KEPT)])
    assert peer.mail[0] == fall


def test_who_speaks_amid_a_look_at_its_enrolment_is_looked_at_again_all_the_same() -> None:
    peer = Peer("a")
    peer.again = True  # it announced itself anew, reset by hand perhaps
    peer.hear(1.0, *STATUS, status(3, 1))
    assert peer.again


def test_a_command_sent_again_counts_once_and_a_level_stays_a_level() -> None:
    peer = Peer("a")
    press = bytes((0x01, 9, 0x02))
    peer.hear(1.0, *EMERGENCY, press)
    peer.hear(2.6, *EMERGENCY, press)
    peer.hear(1.0 + REPEAT_S + 0.1, *EMERGENCY, press)  # too late for a repetition: pressed again
    peer.hear(1.5, *STATUS, status(3, 1))
    peer.hear(2.0, *STATUS, status(3, 1))
    assert [type(message) for message in peer.mail] == [ZclCommand, ZclCommand, ZoneStatus, ZoneStatus]
    assert [message.news for message in peer.mail if isinstance(message, ZoneStatus)] == [True, False]


def test_a_device_nobody_had_configured_brings_no_old_alarm() -> None:
    peer = Peer("a")
    peer.put([ZoneStatus(100.0, 1), ZoneStatus(100.0 + FRESH_S, 0)])
    peer.attach(Port(peer, "", "", None), 150.0 + FRESH_S)
    assert [message.mono_s for message in peer.mail] == [100.0 + FRESH_S]


def test_a_configured_device_brings_every_alarm_however_late() -> None:
    peer = Peer("a")
    peer.attach(Port(peer, "", "", None), 1.0)
    peer.detach()
    peer.put([ZoneStatus(100.0, 1)])
    peer.attach(Port(peer, "", "", None), 100.0 + 10 * FRESH_S)
    assert list(peer.mail) == [ZoneStatus(100.0, 1)]
