"""Ids."""

import uuid

from gateway.runtime.ids import new_id


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    found = uuid.UUID(new_id(1_772_352_990.123))
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == 1_772_352_990_123


def test_later_ids_sort_behind_earlier_ones_and_no_two_are_equal() -> None:
    ids = [new_id(1_772_352_990.0 + number / 1000) for number in range(1000)]
    assert ids == sorted(ids)
    assert len({new_id(0.0) for _ in range(10_000)}) == 10_000


def test_a_clock_far_off_makes_an_id_all_the_same() -> None:
    for wall_s in (-1.0, 0.0, 1e12):
        assert uuid.UUID(new_id(wall_s)).version == 7
