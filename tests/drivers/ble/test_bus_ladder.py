"""What is tried when the radio does not work, in which order, and how often: the ladder as a table, in made-up time."""

import logging
from collections.abc import Set
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.bus.ble.ladder import FORGOTTEN_S, LADDER, ROUND_S, Climb, Rung, Symptom, at_foot, failed, step
from drivers.bus.ble.notebook import Notebook
from drivers.bus.ble.recovery import NotPermitted, Recovery
from gateway.spi import BusUnavailable

ALL = frozenset(Rung)
DAY_S = 24 * 3600.0


def climbed(symptom: Symptom, from_s: float, for_s: float, possible: Set[Rung] = ALL, links: int = 0,
            climb: Climb | None = None) -> list[tuple[float, Rung]]:
    """What is done, and when, about a symptom that is looked at every 2.5 s and never goes."""
    done, now_s, climb = [], from_s, climb or Climb()
    while now_s < from_s + for_s:
        climb, rung = step(climb, symptom, now_s, possible, links)
        if rung is not None:
            done.append((now_s, rung))
        now_s += 2.5
    return done


def order(done: list[tuple[float, Rung]]) -> list[Rung]:
    return [rung for _at, rung in done]


@pytest.mark.parametrize(("symptom", "rungs"), [
    (Symptom.SILENT, [Rung.RESCAN, Rung.RESCAN, Rung.POWER_CYCLE, Rung.RESTART]),
    (Symptom.BROKEN, [Rung.POWER_CYCLE, Rung.RESTART, Rung.REBIND, Rung.REBOOT]),
    (Symptom.GONE, [Rung.RESCAN, Rung.RESCAN, Rung.RESTART, Rung.REBOOT]),
    (Symptom.LOST, [Rung.RESCAN, Rung.RESCAN, Rung.RESTART, Rung.REBIND, Rung.REBOOT]),
    (Symptom.MISSING, [Rung.RESCAN, Rung.RESCAN, Rung.RESTART, Rung.RESCAN, Rung.RESCAN]),
])
def test_each_symptom_climbs_the_rungs_that_can_cure_it(symptom: Symptom, rungs: list[Rung]) -> None:
    assert order(climbed(symptom, DAY_S, 300))[:len(rungs)] == rungs


def test_a_rung_is_given_its_time_before_the_next() -> None:
    done = climbed(Symptom.LOST, DAY_S, 300)
    for (at_s, rung), (next_s, _next) in pairwise(done):
        assert next_s - at_s >= LADDER[rung].settle_s


@pytest.mark.parametrize(("symptom", "when_s"), [  # of every rung but the rescans
    (Symptom.SILENT, {Rung.POWER_CYCLE: [25, 325, 680, 1035], Rung.RESTART: [40, 1845]}),
    (Symptom.BROKEN, {Rung.POWER_CYCLE: [0, 735, 1050, 1365], Rung.RESTART: [15, 1815], Rung.REBIND: [45, 1845],
                      Rung.REBOOT: [75]}),
    (Symptom.GONE, {Rung.RESTART: [25, 1845], Rung.REBOOT: [55]}),
    (Symptom.LOST, {Rung.RESTART: [25, 1875], Rung.REBIND: [55, 1905], Rung.REBOOT: [85]}),
    (Symptom.MISSING, {Rung.RESTART: [25, 1840]}),
])
def test_each_rung_comes_at_its_time(symptom: Symptom, when_s: dict[Rung, list[float]]) -> None:
    done = [(at_s - DAY_S, rung) for at_s, rung in climbed(symptom, DAY_S, 40 * 60)]
    for rung in ALL - {Rung.RESCAN}:
        assert [at_s for at_s, each in done if each is rung][:len(when_s.get(rung, [])) or None] == when_s.get(rung, [])
    rescans_s = [at_s for at_s, rung in done if rung is Rung.RESCAN]
    assert rescans_s[:2] == ([] if symptom is Symptom.BROKEN else [0, 12.5])


def test_a_fault_that_is_proved_costs_the_links_that_stand() -> None:
    assert order(climbed(Symptom.BROKEN, DAY_S, 60, links=3)) == [Rung.POWER_CYCLE, Rung.RESTART, Rung.REBIND]


def test_a_rung_may_be_used_again_from_the_moment_it_has_rested() -> None:
    climb, _rung = step(Climb(), Symptom.BROKEN, DAY_S, {Rung.POWER_CYCLE}, 0)
    rested_s = DAY_S + LADDER[Rung.POWER_CYCLE].rest_s
    assert step(at_foot(climb), Symptom.BROKEN, rested_s, {Rung.POWER_CYCLE}, 0)[1] is Rung.POWER_CYCLE


@pytest.mark.parametrize(("after_s", "rung"), [(FORGOTTEN_S - 60, Rung.RESTART), (FORGOTTEN_S + 60, Rung.RESCAN)])
def test_a_climb_goes_on_where_it_was_for_ten_minutes(after_s: float, rung: Rung) -> None:
    climb = Climb()
    for at_s in (0.0, 12.0):
        climb, _rung = step(climb, Symptom.GONE, DAY_S + at_s, ALL, 0)
    assert FORGOTTEN_S == 600
    assert step(climb, Symptom.GONE, climb.wait_until_s + after_s, ALL, 0)[1] is rung


def test_silence_never_costs_a_link_that_stands() -> None:
    assert set(order(climbed(Symptom.SILENT, DAY_S, 3 * 3600, links=1))) == {Rung.RESCAN}


def test_silence_for_a_day_unbinds_no_radio_and_reboots_nothing() -> None:
    done = order(climbed(Symptom.SILENT, DAY_S, DAY_S))
    assert set(done) == {Rung.RESCAN, Rung.POWER_CYCLE, Rung.RESTART}
    assert done.count(Rung.RESTART) <= 48, "once in half an hour"
    assert done.count(Rung.POWER_CYCLE) <= 288, "once in five minutes: nobody is heard meanwhile"


def test_a_gateway_is_not_rebooted_within_six_hours_of_its_boot() -> None:
    done = climbed(Symptom.BROKEN, 60, 12 * 3600)
    reboots_s = [at_s for at_s, rung in done if rung is Rung.REBOOT]
    assert reboots_s[0] >= 6 * 3600
    assert len(reboots_s) == 1 + (reboots_s[-1] - reboots_s[0] >= 6 * 3600)


def test_other_rungs_may_be_used_right_after_the_boot() -> None:
    assert order(climbed(Symptom.GONE, 5, 60))[-1] is Rung.RESTART


def test_a_rung_that_is_not_possible_is_skipped_without_a_wait() -> None:
    done = climbed(Symptom.LOST, DAY_S, 300, possible=ALL - {Rung.RESTART, Rung.REBIND})
    assert order(done)[:3] == [Rung.RESCAN, Rung.RESCAN, Rung.REBOOT]
    assert done[2][0] - done[1][0] < 15


def test_where_nothing_is_possible_nothing_is_done() -> None:
    assert climbed(Symptom.BROKEN, DAY_S, 600, possible=frozenset()) == []


def test_the_climb_begins_anew_after_its_top() -> None:
    done = climbed(Symptom.GONE, DAY_S, 600, possible={Rung.RESCAN})
    assert done[2][0] - done[1][0] >= ROUND_S
    assert len(done) > 6


def test_a_sign_of_life_begins_anew_and_forgets_no_rest() -> None:
    climb, rung = step(Climb(), Symptom.BROKEN, DAY_S, ALL, 0)
    assert rung is Rung.POWER_CYCLE
    assert at_foot(climb).at_rest
    _climb, rung = step(at_foot(climb), Symptom.BROKEN, DAY_S + 5, ALL, 0)
    assert rung is Rung.RESTART, "the power was cycled just now"


def test_a_fault_long_after_another_begins_at_the_foot() -> None:
    climb, _rung = step(Climb(), Symptom.LOST, DAY_S, {Rung.RESTART}, 0)
    _climb, rung = step(climb, Symptom.LOST, DAY_S + 30 + FORGOTTEN_S + 1, ALL, 0)
    assert rung is Rung.RESCAN


def test_a_rung_that_could_not_be_tried_makes_way_at_once() -> None:
    climb, rung = step(Climb(), Symptom.BROKEN, DAY_S, ALL, 0)
    assert rung is Rung.POWER_CYCLE
    assert step(failed(climb, DAY_S), Symptom.BROKEN, DAY_S, ALL, 0)[1] is Rung.RESTART


def test_a_first_try_that_failed_has_no_second_one() -> None:
    climb, rung = step(Climb(), Symptom.GONE, DAY_S, ALL, 0)
    assert rung is Rung.RESCAN
    assert step(failed(climb, DAY_S), Symptom.GONE, DAY_S, ALL, 0)[1] is Rung.RESTART


class Host:
    """A machine on which every rung is noted, and some fail."""

    def __init__(self, notebook: Notebook | None = None, **fail: BusUnavailable) -> None:
        self.now_s, self.done, self._fail, self.calm = DAY_S, [], fail, True
        self.own = {rung: self._action(rung) for rung in (Rung.RESCAN, Rung.POWER_CYCLE)}
        self.recovery = Recovery({rung: self._action(rung) for rung in ALL - self.own.keys()}, lambda: self.now_s,
                                 notebook or Notebook(None), lambda: self.calm)

    def _action(self, rung: Rung):
        async def act() -> None:
            self.done.append(rung)
            if rung.name in self._fail:
                raise self._fail[rung.name]
        return act

    async def suffer(self, symptom: Symptom, for_s: float) -> None:
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            await self.recovery.meet(symptom, 0, self.own)
            self.now_s += 2.5


async def test_every_rung_is_counted_and_told_once_and_so_is_the_end(caplog) -> None:
    caplog.set_level(logging.INFO)
    host = Host()
    await host.suffer(Symptom.BROKEN, 3 * 3600)
    assert host.done.count(Rung.RESTART) >= 4
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "rung=restart" in line] == [
        "bluetooth recovery rung=restart_bluetoothd symptom=broken"]
    assert {rung for rung, count in host.recovery.health()["recovery"].items() if count} == {
        "power_cycle", "restart_bluetoothd", "rebind", "reboot"}
    host.recovery.well()
    host.recovery.well()
    assert ["works again" in record.getMessage() for record in caplog.records].count(True) == 1


async def test_what_is_not_permitted_is_told_once_with_its_cure_and_skipped(caplog) -> None:
    host = Host(RESTART=NotPermitted("not allowed", "allow it"), REBIND=NotPermitted("no unit", "install it"))
    await host.suffer(Symptom.BROKEN, 3 * 3600)
    assert host.done.count(Rung.RESTART) == 1
    assert host.done.count(Rung.REBOOT) >= 1
    assert [record.getMessage() for record in caplog.records if "allow it" in record.getMessage()] == [
        "bluetooth recovery skipped rung=restart_bluetoothd reason='not allowed': allow it"]
    refused = host.recovery.health()["not_permitted"]
    assert (refused["restart_bluetoothd"], refused["rebind"]) == ("allow it", "install it")
    assert host.recovery.health()["recovery"]["restart_bluetoothd"] == 0
    host.recovery.well()
    assert "not_permitted" not in host.recovery.health(), "a technician may have mended it since"


async def test_a_rung_of_the_bus_that_fails_is_another_symptom_and_one_of_the_system_is_not() -> None:
    host = Host(POWER_CYCLE=BusUnavailable("hangs", "wait"), RESTART=BusUnavailable("not now", "wait"))
    with pytest.raises(BusUnavailable, match="hangs"):
        await host.recovery.meet(Symptom.BROKEN, 0, host.own)
    await host.recovery.meet(Symptom.BROKEN, 0, host.own)
    await host.recovery.meet(Symptom.BROKEN, 0, host.own)
    assert host.done == [Rung.POWER_CYCLE, Rung.RESTART, Rung.REBIND]


async def test_a_rung_that_is_not_permitted_makes_way_within_the_same_look() -> None:
    host = Host(POWER_CYCLE=NotPermitted("not allowed", "allow it"))
    await host.recovery.meet(Symptom.BROKEN, 0, host.own)
    assert host.done == [Rung.POWER_CYCLE, Rung.RESTART]


async def test_after_a_sign_of_life_the_climb_begins_at_the_foot_and_is_told_anew(caplog) -> None:
    caplog.set_level(logging.INFO)
    host = Host()
    for _ in range(2):
        await host.suffer(Symptom.GONE, 15)
        host.recovery.well()
        await host.suffer(Symptom.GONE, 15)
        host.recovery.well()
    assert host.done == [Rung.RESCAN] * 8, "never a third"
    told = [record.getMessage() for record in caplog.records]
    assert len([line for line in told if "rung=rescan" in line]) == 4
    assert not [line for line in told if "works again" in line], "a rescan is no fault worth an end"


async def booted(folder: Path, **fail: BusUnavailable) -> tuple[Host, Notebook]:
    """The machine after a boot: of what was, it knows what stands on disk."""
    notebook = Notebook(folder)
    await notebook.load()
    return Host(notebook, **fail), notebook


async def test_a_reboot_that_did_not_help_is_the_last_until_somebody_is_heard(tmp_path) -> None:
    host, _notebook = await booted(tmp_path)
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert host.done.count(Rung.REBOOT) == 1
    host, notebook = await booted(tmp_path)
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert Rung.REBOOT not in host.done
    assert host.done.count(Rung.RESTART) > 1, "all else goes on"
    assert "did not help" in host.recovery.health()["not_permitted"]["reboot"]
    host.recovery.well()
    await notebook.save()
    assert "not_permitted" not in host.recovery.health()
    host, _notebook = await booted(tmp_path)
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert host.done.count(Rung.REBOOT) == 1


async def test_a_reboot_that_systemd_refused_was_none(tmp_path) -> None:
    host, _notebook = await booted(tmp_path, REBOOT=BusUnavailable("not now", "wait"))
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert host.done.count(Rung.REBOOT) > 1


async def test_nobody_is_rebooted_under_an_alarm() -> None:
    host = Host()
    host.calm = False
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert Rung.REBOOT not in host.done
    assert host.done.count(Rung.RESTART) > 1
    host.calm = True
    await host.suffer(Symptom.BROKEN, DAY_S)
    assert Rung.REBOOT in host.done
