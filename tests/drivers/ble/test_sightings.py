"""Who was heard, and waiting for somebody."""

import asyncio

import pytest

from drivers.bus.ble.sightings import FRESH_S, MAX_KEPT, Sighting, Sightings
from gateway.spi import BusUnavailable

WRIST = "A0:9E:1A:C0:FF:EE"


def seen(address: str = WRIST, at_s: float = 100.0, rssi_dbm: int = -60, connected: bool = False) -> Sighting:
    return Sighting(address, None, rssi_dbm, at_s, object(), connected)


async def test_a_fresh_sighting_is_given_at_once() -> None:
    sightings = Sightings()
    sightings.add(sighting := seen())
    assert await sightings.wait(WRIST, 100.0 + FRESH_S / 2) is sighting


async def test_a_stale_sighting_is_waited_out() -> None:
    sightings = Sightings()
    sightings.add(seen())
    waiting = asyncio.ensure_future(sightings.wait(WRIST, 100.0 + 2 * FRESH_S))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert sightings.awaited == {WRIST}
    sightings.add(fresh := seen(at_s=130.0))
    assert await waiting is fresh
    assert sightings.awaited == frozenset()


async def test_a_kept_link_does_not_grow_stale() -> None:
    sightings = Sightings()
    sightings.add(kept := seen(connected=True))
    assert await sightings.wait(WRIST, 1e6) is kept


async def test_a_forgotten_device_must_be_heard_anew() -> None:
    sightings = Sightings()
    sightings.add(seen())
    sightings.forget(WRIST)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sightings.wait(WRIST, 100.0), 0.01)
    assert sightings.awaited == frozenset()


async def test_everybody_who_waits_for_a_device_is_woken() -> None:
    sightings = Sightings()
    waiting = [asyncio.ensure_future(sightings.wait(WRIST, 0.0)) for _ in range(2)]
    await asyncio.sleep(0)
    sightings.add(sighting := seen())
    assert await asyncio.gather(*waiting) == [sighting, sighting]


async def test_a_bus_that_goes_down_ends_every_wait_and_forgets_everybody() -> None:
    sightings = Sightings()
    sightings.add(seen("C0:00:00:00:00:01"))
    waiting = asyncio.ensure_future(sightings.wait(WRIST, 0.0))
    await asyncio.sleep(0)
    sightings.clear(BusUnavailable("down", "wait"))
    with pytest.raises(BusUnavailable):
        await waiting
    assert sightings.since(0.0) == []


async def test_a_flood_of_random_addresses_is_bounded_and_spares_the_newest() -> None:
    sightings = Sightings()
    for number in range(2 * MAX_KEPT):
        sightings.add(seen(f"address {number}", at_s=number))
    kept = sightings.since(0.0)
    assert len(kept) == MAX_KEPT
    assert min(sighting.mono_s for sighting in kept) == MAX_KEPT


async def test_a_device_heard_again_and_again_survives_the_flood() -> None:
    sightings = Sightings()
    for number in range(2 * MAX_KEPT):
        sightings.add(seen(f"address {number}"))
        sightings.add(seen())
    assert WRIST in {sighting.address for sighting in sightings.since(0.0)}


async def test_the_strongest_comes_first() -> None:
    sightings = Sightings()
    for address, rssi_dbm in (("far", -90), ("near", -40), ("middle", -70)):
        sightings.add(seen(address, rssi_dbm=rssi_dbm))
    assert [sighting.address for sighting in sightings.since(0.0)] == ["near", "middle", "far"]
