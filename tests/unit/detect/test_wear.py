"""Whether a wearable is worn, from its movement, its skin contact and its charger."""

from gateway.detect import wear
from gateway.detect.wear import BRISK_S, STILL_S, TURNS
from gateway.model.reading import Accel, Binary, BinaryKind, Quantity, QuantityKind, Reading
from tests.unit.detect.stamps import at
from tests.unit.detect.wrist import HANGING, LYING, Sample, Wrist

RATE_HZ = 20.0
TILTED: Sample = (-0.97, 0.04, 0.1)


class Bracelet:
    """Plays a wearable's life; `now_s` goes on with what it says."""

    def __init__(self) -> None:
        self.state, self.now_s = wear.State(), 100.0

    def says(self, value: Accel | Binary | Quantity) -> "Bracelet":
        self.state = wear.step(self.state, Reading("bracelet", at(self.now_s), value))
        return self

    def contact(self, worn: bool) -> "Bracelet":
        return self.says(Binary(BinaryKind.WORN, worn))

    def measures(self, wrist: Wrist, size: int = 10) -> "Bracelet":
        for block in wrist.blocks(size):
            self.now_s += len(block.samples_mg) / 6 / RATE_HZ
            self.says(block)
            self.state = wear.tick(self.state, self.now_s)
        return self

    def lies(self, seconds: float, posture: Sample = LYING) -> "Bracelet":
        """Lie still, a second of samples a minute: the rest is the same again."""
        for _ in range(round(seconds / 60)):
            self.now_s += 59
            self.measures(Wrist(RATE_HZ).rest(1, posture, noise_g=0.004))
        return self

    def wears(self) -> "Bracelet":
        return self.measures(Wrist(RATE_HZ).walk(30))


def test_nothing_is_known_of_a_bracelet_that_only_lies_there() -> None:
    assert Bracelet().lies(STILL_S * 2).state.worn is None


def test_a_wrist_that_moves_is_worn_without_any_word_of_contact() -> None:
    bracelet = Bracelet().wears()
    assert bracelet.state.worn is True
    assert 100 < bracelet.state.since_mono_s < 100 + BRISK_S


def test_a_bracelet_that_is_moved_from_here_to_there_is_not_worn() -> None:
    bracelet = Bracelet().lies(300)
    bracelet.measures(Wrist(RATE_HZ).rest(1, HANGING).rest(1, TILTED).rest(1, HANGING).rest(1, LYING)).lies(300)
    assert bracelet.state.worn is None


def test_turns_that_are_far_between_prove_no_wrist() -> None:
    bracelet = Bracelet()
    for _ in range(TURNS * 2):
        bracelet.lies(120, HANGING).lies(120, LYING)
    assert bracelet.state.worn is None


def test_a_worn_bracelet_stays_worn_while_it_turns_now_and_then_as_in_sleep() -> None:
    bracelet = Bracelet().wears()
    for _ in range(4):
        bracelet.lies(STILL_S - 120, HANGING).lies(STILL_S - 120, LYING)
        assert bracelet.state.worn is True


def test_a_bracelet_that_lies_for_an_hour_is_not_worn_since_its_last_turn() -> None:
    bracelet = Bracelet().wears().lies(60)
    turned_s = bracelet.now_s
    bracelet.lies(STILL_S - 120)
    assert bracelet.state.worn is True
    bracelet.lies(240)
    assert bracelet.state.worn is False
    assert abs(bracelet.state.since_mono_s - turned_s) <= 60
    assert bracelet.lies(STILL_S * 3).wears().state.worn is True


def test_a_sensor_that_drifts_as_it_cools_is_no_turning_wrist() -> None:
    bracelet = Bracelet().wears().lies(60)
    x, y, z = LYING
    for _ in range(35):
        bracelet.lies(60, (x + 0.01, y, z - 0.01)).lies(60, (x - 0.01, y, z + 0.01))
    assert bracelet.state.worn is False


def test_knocks_on_the_table_are_no_turns() -> None:
    bracelet = Bracelet().wears().lies(60)
    for _ in range(80):
        knocked = Wrist(RATE_HZ).rest(0.5, LYING)
        x, y, z = LYING
        knocked.samples += [(x, y, z + 1.2), (x, y, z - 1.2), (x, y, z + 0.4), (x, y, z - 0.4)]
        bracelet.lies(60).measures(knocked.rest(0.3, LYING))
    assert bracelet.state.worn is False


def test_contact_is_worn_at_once_and_its_loss_is_not() -> None:
    bracelet = Bracelet().contact(worn=True)
    assert (bracelet.state.worn, bracelet.state.since_mono_s) == (True, 100)
    bracelet.now_s = 130
    bracelet.contact(worn=False)
    assert (bracelet.state.worn, bracelet.state.since_mono_s) == (False, 130)


def test_what_moves_without_contact_is_carried_not_worn() -> None:
    assert Bracelet().contact(worn=False).wears().state.worn is False


def test_contact_with_a_table_is_not_believed_for_ever() -> None:
    bracelet = Bracelet().contact(worn=True).lies(STILL_S + 120)
    assert bracelet.state.worn is False
    assert bracelet.contact(worn=True).lies(60).state.worn is False, "the same level again is no news"
    assert bracelet.lies(60, HANGING).state.worn is True, "a sleeper who turns"


def test_contact_alone_is_believed_where_nothing_measures_movement() -> None:
    bracelet = Bracelet().contact(worn=True)
    assert wear.tick(bracelet.state, 100 + STILL_S * 5).worn is True


def test_a_charger_ends_it_and_what_comes_off_the_charger_is_not_worn_by_that() -> None:
    bracelet = Bracelet().contact(worn=True).wears().says(Binary(BinaryKind.CHARGING, active=True))
    assert (bracelet.state.charging, bracelet.state.worn, bracelet.state.contact) == (True, None, None)
    bracelet.says(Binary(BinaryKind.CHARGING, active=False))
    assert (bracelet.state.charging, bracelet.state.worn) == (False, None)
    assert bracelet.wears().state.worn is True


def test_a_battery_is_flat_by_its_level_or_its_own_word() -> None:
    assert Bracelet().says(Quantity(QuantityKind.BATTERY, 10)).state.flat
    assert not Bracelet().says(Quantity(QuantityKind.BATTERY, 10)).says(Quantity(QuantityKind.BATTERY, 80)).state.flat
    assert not Bracelet().says(Quantity(QuantityKind.BATTERY, 0, plausible=False)).state.flat
    assert Bracelet().says(Binary(BinaryKind.BATTERY_LOW, active=True)).state.flat


def test_of_one_who_was_away_for_long_only_charger_and_battery_are_still_known() -> None:
    bracelet = Bracelet().contact(worn=True).wears().says(Quantity(QuantityKind.BATTERY, 5))
    assert wear.away(bracelet.state) == wear.State(flat=True)


def test_an_empty_or_odd_block_is_nothing() -> None:
    state = wear.State()
    assert wear.step(state, Reading("b", at(1), Accel(20, 2, 0, b"\1"))) == state
    assert wear.step(state, Reading("b", at(1), Accel(0, 2, 0, b"\0\0\0\0\0\0"))).posture == (0, 0, 0)
