"""The modem driver with the emulated modem on a real line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.devices import modem as driver
from drivers.devices.modem import ModemSettings, run
from drivers.testkit.link import RecordedLink
from gateway.model.reading import Quantity, QuantityKind, SmsReport, SmsState
from gateway.spi import DeviceRejected, LinkLost, SendSms
from hil.devices.modem.line import Modem
from tests.drivers.serial.kit import bus

NUMBER, TEXT = "+8613800138000", "安居:老人按了求助按钮。编号 0190b7c2-1a2b"
LONG = TEXT * 5


@pytest.fixture
async def modem(tmp_path: Path) -> AsyncIterator[Modem]:
    modem = Modem(tmp_path / "usb-modem")
    modem.line.plug()
    yield modem
    modem.line.unplug()


@asynccontextmanager
async def session(modem: Modem, poll_s: float = 60.0) -> AsyncIterator[tuple[RecordedLink[ModemSettings],
                                                                            "asyncio.Task[None]"]]:
    settings = ModemSettings(port=str(modem.line.link), poll_s=poll_s)
    link = RecordedLink(settings)
    async with bus().open("modem", settings) as port:
        async def main() -> None:
            await run(link, port)

        task = asyncio.create_task(main())
        try:
            yield link, task
        finally:
            task.cancel()
            await asyncio.wait([task])


async def ended(task: "asyncio.Task[None]") -> Exception:
    """What a session ended with."""
    await asyncio.wait([task], timeout=20)
    error = task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error


def reports(link: RecordedLink[ModemSettings]) -> list[tuple[str, str]]:
    return [(value.order, value.state.value) for value in link.values if isinstance(value, SmsReport)]


async def test_a_text_is_sent_and_its_delivery_told(modem: Modem) -> None:
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        await link.until(lambda: len(reports(link)) == 2)
    assert reports(link) == [("a/sms/0", "sent"), ("a/sms/0", "delivered")]
    assert [(one["number"], one["text"], one["part"]) for one in modem.messages] == [(NUMBER, TEXT, None)]
    assert Quantity(QuantityKind.SIGNAL, 68) in link.values


async def test_a_long_text_goes_in_parts_and_is_delivered_with_the_last_of_them(modem: Modem) -> None:
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, LONG))
        await link.until(lambda: len(reports(link)) == 2)
        await asyncio.sleep(0.3)  # the reports on the other parts, were it told of any but the last
    assert "".join(one["text"] for one in modem.messages) == LONG
    assert len(modem.messages) > 2
    assert reports(link) == [("a/sms/0", "sent"), ("a/sms/0", "delivered")]


@pytest.mark.parametrize(("first", "end"), [(0, "delivered"), (0x46, "failed")])
async def test_a_report_on_a_part_counts_though_it_comes_before_the_last_part_is_sent(modem: Modem, first: int,
                                                                                     end: str) -> None:
    await modem.handle("delay", {"seconds": 0.3})
    await modem.handle("reports", {"status": first, "after_s": 0.05})
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, LONG))
        while not modem.messages:
            await asyncio.sleep(0.01)
        await modem.handle("reports", {"status": 0})
        await link.until(lambda: len(reports(link)) == 2)
    assert len(modem.messages) > 2
    assert reports(link) == [("a/sms/0", "sent"), ("a/sms/0", end)]


async def test_news_between_all_lines_confuse_nothing(modem: Modem) -> None:
    await modem.handle("news", {"line": "+CMTI: \"SM\",3"})
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, LONG))
        await link.until(lambda: ("a/sms/0", "delivered") in reports(link))
    assert "".join(one["text"] for one in modem.messages) == LONG


async def test_the_same_order_again_is_answered_and_not_sent_again(modem: Modem) -> None:
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        for count in (1, 2):
            link.order(SendSms("a/sms/0", NUMBER, TEXT))
            await link.until(lambda count=count: reports(link).count(("a/sms/0", "sent")) == count)
    assert len(modem.messages) == 1


async def test_a_refused_text_is_told_with_the_cause_and_goes_the_next_time(modem: Modem) -> None:
    await modem.handle("refuse", {"code": 42, "times": 1})
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        await link.until(lambda: bool(reports(link)))
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        await link.until(lambda: ("a/sms/0", "sent") in reports(link))
    told = next(value for value in link.values if isinstance(value, SmsReport))
    assert (told.state, told.reason) == (SmsState.FAILED, "the network is congested")
    assert "antenna" in told.cure


async def test_a_text_that_the_network_gives_up_is_told_as_failed(modem: Modem) -> None:
    await modem.handle("reports", {"status": 0x46})
    async with session(modem) as (link, _):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        await link.until(lambda: len(reports(link)) == 2)
    assert reports(link) == [("a/sms/0", "sent"), ("a/sms/0", "failed")]


@pytest.mark.parametrize(("state", "reason", "cure"), [
    ("SIM PIN", "locked (SIM PIN)", "take the card's PIN off"),
    ("SIM PUK", "locked (SIM PUK)", "take the card's PIN off"),
    ("none", "there is no SIM card", "put a SIM card into the modem")])
async def test_a_card_that_cannot_work_holds_the_modem_with_its_cure(modem: Modem, state: str, reason: str,
                                                                     cure: str) -> None:
    await modem.handle("sim", {"state": state})
    async with session(modem) as (link, task):
        error = await ended(task)
    assert isinstance(error, DeviceRejected)
    assert reason in error.reason
    assert cure in error.cure
    assert not link.is_ready.is_set()


async def test_a_modem_without_a_network_is_not_ready_until_it_has_one(modem: Modem,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LOOK_S", 0.02)
    monkeypatch.setattr(driver, "SEARCH_S", 1000.0)
    await modem.handle("network", {"stat": 2})
    async with session(modem) as (link, _):
        while (await modem.handle("stats", {}))["commands"] < 12:
            await asyncio.sleep(0.01)
        assert not link.is_ready.is_set()
        await modem.handle("network", {"stat": 5})
        await asyncio.wait_for(link.is_ready.wait(), 10)


async def test_no_network_for_long_and_a_network_that_is_lost_end_the_session(modem: Modem,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    async with session(modem, poll_s=0.05) as (link, task):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        await modem.handle("network", {"stat": 3})
        error = await ended(task)
        assert isinstance(error, LinkLost)
        assert "has lost its network" in error.reason
    monkeypatch.setattr(driver, "LOOK_S", 0.01)
    monkeypatch.setattr(driver, "SEARCH_S", 0.05)
    async with session(modem) as (_, task):
        assert "finds no network" in str(await ended(task))


async def test_a_modem_that_says_nothing_any_more_ends_the_session(modem: Modem,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PROMPT_S", 0.1)
    async with session(modem) as (link, task):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        await modem.handle("silent", {"on": True})
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        error = await ended(task)
    assert isinstance(error, LinkLost)
    assert reports(link) == [("a/sms/0", "failed")]


async def test_a_port_that_is_no_at_port_is_told(modem: Modem, monkeypatch: pytest.MonkeyPatch) -> None:
    await modem.handle("silent", {"on": True})
    async with session(modem) as (_, task):
        error = await ended(task)
    assert "does not answer AT" in str(error)
    assert "AT port" in str(error)


async def test_a_modem_that_is_pulled_out_in_the_midst_of_a_text_leaves_open_what_became_of_it(modem: Modem) -> None:
    await modem.handle("delay", {"seconds": 5.0})
    async with session(modem) as (link, task):
        await asyncio.wait_for(link.is_ready.wait(), 10)
        link.order(SendSms("a/sms/0", NUMBER, TEXT))
        while not (await modem.handle("stats", {}))["texts"]:
            await asyncio.sleep(0.01)
        modem.line.unplug()
        assert "is gone" in str(await ended(task))
    assert reports(link) == []  # nobody knows: whoever ordered it orders it again
