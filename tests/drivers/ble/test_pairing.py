"""Pairing over BlueZ's D-Bus: who gets in through the enrolment window, and that nobody else does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from drivers.bus.ble import BleBus
from gateway.spi import Addressed, BusUnavailable, LinkError
from hil.bluez.air import Air
from hil.bluez.controller import central
from hil.bluez.private_bus import VARIABLE, private_bus
from hil.bluez.service import FakeBlueZ, fake_bluez
from hil.devices.bracelet.bonded import ADDRESS, BATTERY_PERCENT, COMPARES, DISPLAY, NOTHING, Bonded, bonded
from tests.drivers.ble.kit import BATTERY, NEEDS_DBUS, ended, environment, running, until

pytestmark = NEEDS_DBUS

SETTINGS = Addressed(address=ADDRESS)
CURE = f"anju ble pair {ADDRESS}"
OTHER = "C0:00:00:00:00:B1"
DEVICE = f"/org/bluez/hci0/dev_{ADDRESS.replace(':', '_')}"


@dataclass
class World:
    bus: BleBus
    band: Bonded
    bluez: FakeBlueZ
    bus_address: str
    ahead_s: float = 0.0

    def mono_s(self) -> float:
        return time.monotonic() + self.ahead_s

    @property
    def bonded(self) -> bool:
        return self.property("Bonded")

    def property(self, name: str) -> bool:
        return self.bluez._tree.get(DEVICE, "org.bluez.Device1", name, False)

    def shown(self, _step) -> str:
        return self.band.display.shown

    def another(self, _step) -> str:
        return f"{(int(self.band.display.shown) + 1) % 1_000_000:06d}"

    def hurry(self, _step) -> str:
        self.ahead_s += 3600.0
        return self.band.display.shown


@asynccontextmanager
async def world(io=DISPLAY, run: bool = True) -> AsyncIterator[World]:
    """A bus that runs over BlueZ's D-Bus, and a bracelet that wants a bond."""
    before = asyncio.all_tasks()
    async with private_bus() as bus_address:
        with environment(VARIABLE, bus_address):
            air = Air()
            async with bonded(air, io) as band, fake_bluez(await central(air), bus_address) as bluez:
                w = World(BleBus("hci0", "bluez", time.monotonic), band, bluez, bus_address)
                w.bus = BleBus("hci0", "bluez", w.mono_s)
                async with running(w.bus) if run else contextlib.nullcontext():
                    yield w
    await ended(before)


async def pair(w: World, *answers, address: str = ADDRESS, seconds: float = 60.0, seen=None) -> list[str]:
    """The states that a pairing goes through; each question is answered by the next of `answers`, called."""
    states, left = [] if seen is None else seen, list(answers)
    async with contextlib.aclosing(w.bus.pair(address, seconds)) as steps:
        async for step in steps:
            if step["state"] != "open":
                states.append(step["state"])
            if step["state"] in ("passkey", "number") and left:
                w.bus.answer_pairing(left.pop(0)(step))
            if step["state"] == "paired":
                states.append(step["check"])
    return states


async def battery(w: World) -> int:
    async with w.bus.open("band", SETTINGS) as peer:
        return (await peer.read(BATTERY))[0]


async def test_a_passkey_typed_by_the_technician_bonds_the_device() -> None:
    async with world() as w:
        assert await pair(w, w.shown) == ["pairing", "passkey", "paired", "passkey"]
        assert w.bonded
        assert not w.property("Trusted"), "pairing is no leave to use services of ours"
        await until(lambda: not w.band.connected)  # the link is left to whoever opens the device
        assert await battery(w) == BATTERY_PERCENT
        assert w.bus.health()["pairings"] == 1
        assert w.bus.health()["pairings_rejected"] == 0


async def test_a_wrong_passkey_bonds_nobody_and_the_next_try_may_be_right() -> None:
    async with world() as w:
        with pytest.raises(LinkError, match="wrong passkey"):
            await pair(w, w.another)
        assert not w.bonded
        assert (await pair(w, w.shown))[-2:] == ["paired", "passkey"]


async def test_what_is_no_passkey_is_told_and_the_question_stays() -> None:
    async with world() as w:
        def clumsy(step) -> str:
            for text in ("12345", "1234567", "yes", "", "12345a", "１２３４５６"):
                with pytest.raises(LinkError, match="six digits"):
                    w.bus.answer_pairing(text)
            return w.shown(step)

        assert (await pair(w, clumsy))[-2:] == ["paired", "passkey"]


async def test_the_number_that_both_show_is_confirmed_by_the_technician() -> None:
    async with world(COMPARES) as w:
        def same(step) -> str:
            assert step["number"] == w.band.display.shown
            return "yes"

        assert await pair(w, same) == ["pairing", "number", "paired", "number"]
        assert await battery(w) == BATTERY_PERCENT


async def test_a_number_that_the_technician_declines_bonds_nobody() -> None:
    async with world(COMPARES) as w:
        with pytest.raises(LinkError, match="did not agree"):
            await pair(w, lambda _step: "no")
        assert not w.bonded


async def test_a_device_without_display_is_paired_and_said_to_be_unchecked() -> None:
    async with world(NOTHING) as w:
        assert await pair(w) == ["pairing", "paired", "none"]
        assert await battery(w) == BATTERY_PERCENT


@pytest.mark.parametrize("io", [DISPLAY, COMPARES, NOTHING])
async def test_outside_of_a_window_nobody_pairs_and_the_session_says_how(io) -> None:
    async with world(io) as w:
        with pytest.raises(LinkError, match=CURE):
            await battery(w)  # BlueZ would pair by itself to read what is protected, and asks its agent
        assert not w.bonded
        assert w.bus.health()["pairings_rejected"] == 1


async def test_a_window_for_one_device_lets_no_other_in() -> None:
    async with world() as w:
        waiting = asyncio.ensure_future(pair(w, address=OTHER))
        await until(lambda: w.bus._pairing.concerns(OTHER))
        with pytest.raises(LinkError, match=CURE):
            await battery(w)
        assert not w.bonded
        assert w.bus.health()["pairings_rejected"] == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_window_that_ends_under_the_question_pairs_nobody() -> None:
    async with world() as w:
        seen = []

        def late(step) -> str:
            w.hurry(step)
            return "no digits needed"

        with pytest.raises(LinkError, match="came too late"):
            await pair(w, late, seen=seen)
        assert seen == ["pairing", "passkey"]
        assert not w.bonded
        assert (await pair(w, w.shown))[-1] == "passkey", "and the next window is a new one"


async def test_a_window_that_ends_unanswered_cancels_the_pairing_at_bluetoothd() -> None:
    async with world() as w:
        seen = []
        pairing_ = asyncio.ensure_future(pair(w, seen=seen))
        await until(lambda: "passkey" in seen)
        w.hurry(None)
        with pytest.raises(LinkError, match="time is up"):
            await pairing_
        await until(lambda: not w.bluez._bonds._under_way)
        await until(lambda: not w.band.connected)
        with pytest.raises(LinkError, match="nothing is asked"):
            w.bus.answer_pairing(w.band.display.shown)
        assert not w.bonded


async def test_a_technician_who_hangs_up_closes_the_window() -> None:
    async with world() as w:
        steps = w.bus.pair(ADDRESS, 600.0)
        while (await anext(steps))["state"] != "passkey":
            pass
        await steps.aclose()
        await until(lambda: not w.bluez._bonds._under_way)
        with pytest.raises(LinkError, match=CURE):
            await battery(w)
        assert not w.bonded


async def test_only_one_device_is_paired_at_a_time() -> None:
    async with world() as w:
        steps = w.bus.pair(OTHER, 600.0)
        await anext(steps)
        with pytest.raises(LinkError, match=f"{OTHER} is being paired"):
            await pair(w)
        await steps.aclose()
        assert (await pair(w, w.shown))[-1] == "passkey"


async def test_a_bond_that_the_device_has_lost_is_told_with_its_cure_and_mended_by_pairing_anew() -> None:
    async with world() as w:
        await pair(w, w.shown)
        await w.band.reset()
        with pytest.raises(LinkError, match=f"connecting failed.*no bond.*{CURE}"):
            await battery(w)
        assert (await pair(w, w.shown))[-1] == "passkey"
        assert await battery(w) == BATTERY_PERCENT


async def test_a_bonded_device_that_does_not_connect_may_have_lost_its_bond() -> None:
    async with world() as w:
        for bonded_, cure in ((False, "bring it nearer"), (True, f"bring it nearer.*if it was reset.*{CURE}")):
            w.bluez.faults.expect("Device1.Connect", ["org.bluez.Error.Failed:Software caused connection abort"] * 2)
            with pytest.raises(LinkError, match=cure) as told:
                await battery(w)
            assert (CURE in str(told.value)) is bonded_
            if not bonded_:
                await pair(w, w.shown)


async def test_bonds_survive_a_restart_of_bluetoothd_and_of_the_daemon() -> None:
    async with world() as w:
        await pair(w, w.shown)
        await w.bluez.restart(down_s=0.2)
        await until(lambda: w.bus.health()["state"] == "down")
        await until(lambda: w.bus.health()["state"] == "up")
        assert w.bonded
        assert await battery(w) == BATTERY_PERCENT
    async with world(run=False) as w:
        async with running(w.bus):
            await pair(w, w.shown)
        async with running(BleBus("hci0", "bluez", time.monotonic)) as w.bus:
            assert await battery(w) == BATTERY_PERCENT
            assert w.bus.health()["pairings"] == 0


async def test_a_window_stays_open_over_a_restart_of_bluetoothd() -> None:
    async with world() as w:
        seen = []
        pairing_ = asyncio.ensure_future(pair(w, w.shown, seen=seen))
        await until(lambda: w.bus._pairing.concerns(ADDRESS))
        await w.bluez.restart(down_s=0.2)
        await pairing_
        assert seen[-2:] == ["paired", "passkey"]
        assert w.bonded


async def test_a_question_ends_with_the_bluetoothd_that_asked_it_and_is_asked_anew() -> None:
    async with world() as w:
        seen = []
        questions = 0
        async with contextlib.aclosing(w.bus.pair(ADDRESS, 60.0)) as steps:
            async for step in steps:
                seen.append(step["state"])
                if step["state"] != "passkey":
                    continue
                questions += 1
                if questions == 1:
                    await w.bluez.restart(down_s=0.2)
                else:
                    w.bus.answer_pairing(w.band.display.shown)
        assert [state for state in seen if state != "open"] == [
            "pairing", "passkey", "withdrawn", "pairing", "passkey", "paired"]


async def test_a_session_lets_go_for_the_pairing_and_comes_back_after_it() -> None:
    async with world() as w, w.bus.open("band", SETTINGS) as peer:
        assert w.band.connected
        coming = []

        async def session() -> None:
            coming.append(await battery(w))

        async with asyncio.TaskGroup() as group:
            def answer(step) -> str:
                assert peer.is_lost, "who holds the link may end it at any moment"
                group.create_task(session())
                return w.shown(step)

            assert (await pair(w, answer))[-1] == "passkey"
        assert coming == [BATTERY_PERCENT]


async def test_a_device_that_is_paired_and_does_not_connect_keeps_no_other_from_connecting(monkeypatch) -> None:
    monkeypatch.setattr("drivers.bus.ble.pairing.CONNECT_S", 1.0)
    async with world() as w, bonded(w.band.air, NOTHING, OTHER) as pendant:
        w.bluez.faults.expect("Device1.Pair", ["HANG"])
        pairing = asyncio.ensure_future(pair(w, seconds=60.0))
        await until(lambda: w.bluez.faults.met)

        async def wear() -> None:
            async with w.bus.open("pendant", Addressed(address=OTHER)):
                await asyncio.Event().wait()

        session = asyncio.ensure_future(wear())
        await until(lambda: pendant.connected)
        with pytest.raises(LinkError, match="does not connect"):
            await pairing
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)


async def test_a_device_that_is_not_there_is_told_when_the_time_is_up() -> None:
    async with world() as w:
        with pytest.raises(LinkError, match=r"time is up.*pairing mode"):
            await pair(w, address=OTHER, seconds=1.0)


async def test_without_bluez_there_is_no_pairing_and_the_cure_is_said() -> None:
    with pytest.raises(BusUnavailable, match=r"backend.*bluez"):
        await anext(BleBus("hci0", "bumble", time.monotonic).pair(ADDRESS, 1.0))


@asynccontextmanager
async def stranger(w: World):
    """Another program on the same D-Bus, and its calls."""
    bus = await MessageBus(bus_address=w.bus_address).connect()

    async def call(destination: str, path: str, interface: str, member: str, signature: str = "", body=()) -> Message:
        return await bus.call(Message(destination=destination, path=path, interface=interface, member=member,
                                      signature=signature, body=list(body)))

    try:
        yield call
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()


async def test_another_program_that_pairs_behind_our_back_is_rejected_by_our_agent() -> None:
    async with world() as w, stranger(w) as call:
        await until(lambda: DEVICE in w.bluez._tree.objects)
        reply = await call("org.bluez", DEVICE, "org.bluez.Device1", "Pair")
        assert reply.error_name == "org.bluez.Error.AuthenticationFailed"
        assert not w.bonded
        assert w.bus.health()["pairings_rejected"] == 1


async def test_our_own_agent_answers_for_our_own_pairing_whoever_else_made_his_the_default() -> None:
    async with world() as w, stranger(w) as call:
        await until(lambda: w.bluez.agents.of(None) is not None)
        manager = "org.bluez", "/org/bluez", "org.bluez.AgentManager1"
        await call(*manager, "RegisterAgent", "os", ["/elsewhere", "NoInputNoOutput"])
        await call(*manager, "RequestDefaultAgent", "o", ["/elsewhere"])
        assert (await pair(w, w.shown))[-1] == "passkey"


@pytest.mark.parametrize(("method", "signature", "body"), [
    ("RequestPinCode", "o", [DEVICE]), ("DisplayPinCode", "os", [DEVICE, "1234"]),
    ("AuthorizeService", "os", [DEVICE, BATTERY]), ("DisplayPasskey", "ouq", [DEVICE, 1, 0]), ("Surprise", "", [])])
async def test_what_the_agent_does_not_offer_is_rejected_even_within_the_window(method, signature, body) -> None:
    async with world() as w, stranger(w) as call:
        steps = w.bus.pair(ADDRESS, 60.0)
        while (await anext(steps))["state"] != "passkey":
            pass
        agent = w.bluez.agents.of(None)
        reply = await call(agent.owner, agent.path, "org.bluez.Agent1", method, signature, body)
        assert reply.message_type is MessageType.ERROR
        assert reply.error_name == "org.bluez.Error.Rejected"
        await steps.aclose()


async def test_the_emulated_bluez_keeps_the_rules_of_agents() -> None:
    async with world(run=False) as w, stranger(w) as call:
        async def manager(member: str, signature: str, body) -> str | None:
            reply = await call("org.bluez", "/org/bluez", "org.bluez.AgentManager1", member, signature, body)
            return reply.error_name

        assert await manager("RequestDefaultAgent", "o", ["/a"]) == "org.bluez.Error.DoesNotExist"
        assert await manager("RegisterAgent", "os", ["/a", "Telepathy"]) == "org.bluez.Error.InvalidArguments"
        assert await manager("RegisterAgent", "os", ["/a", "DisplayYesNo"]) is None
        assert await manager("RegisterAgent", "os", ["/b", "DisplayYesNo"]) == "org.bluez.Error.AlreadyExists"
        assert await manager("RequestDefaultAgent", "o", ["/b"]) == "org.bluez.Error.DoesNotExist"
        assert await manager("RequestDefaultAgent", "o", ["/a"]) is None
        assert w.bluez.agents.of("somebody else").path == "/a"
        assert await manager("UnregisterAgent", "o", ["/a"]) is None
        assert w.bluez.agents.of(None) is None
        assert await manager("RegisterAgent", "os", ["/a", ""]) is None
        assert await manager("RequestDefaultAgent", "o", ["/a"]) is None
        assert w.bluez.agents.of(None) is not None
    async with world(run=False) as w:
        async with stranger(w) as call:
            await call("org.bluez", "/org/bluez", "org.bluez.AgentManager1", "RegisterAgent", "os", ["/a", ""])
            await call("org.bluez", "/org/bluez", "org.bluez.AgentManager1", "RequestDefaultAgent", "o", ["/a"])
            assert w.bluez.agents.of(None) is not None
        await until(lambda: w.bluez.agents.of(None) is None)
