"""A real daemon whose city is dead tells an alarm through a modem: once, and twice at most whenever it is killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.alarm.text import short
from hil.resources.process import Program
from tests.system.daemon import BASE, Flat, device, flat

AFTER_S = 5.0
NUMBER = "+8613800138000"
SMS = """
[sms]
numbers = ["+8613800138000"]
after_s = 5
language = "zh"
[devices.modem]
driver = "modem"
port = "{folder}/tty-modem"
"""


@asynccontextmanager
async def texting_flat(folder: Path) -> AsyncIterator[Flat]:
    """A flat with a modem that is up, and a city that has just died."""
    modem = Program.module("hil.devices.modem", "--control", folder / "modem.sock", "--link", folder / "tty-modem",
                           log=folder / "modem.log")
    await modem.start_ready()
    try:
        async with flat(folder, BASE + SMS) as f:
            await f.until(ready)
            await f.broker.stop()
            yield f
    finally:
        await modem.stop()


def ready(status: dict[str, Any]) -> bool:
    return device(status, "sos")["state"] == device(status, "modem")["state"] == "up"


async def texts(f: Flat) -> list[dict[str, Any]]:
    return list((await f.do("modem", "messages"))["messages"])


async def wait_texts(f: Flat, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while len(found := await texts(f)) < count:
            await asyncio.sleep(0.05)
    return found


async def alarm_id(f: Flat) -> str:
    status = await f.until(lambda s: s["alarms"])
    return str(status["alarms"][0]["id"])


def second(status: dict[str, Any]) -> str:
    """The state of the open alarm's text."""
    path = status["alarms"][0]["second"] or {"texts": []}
    return str(path["texts"][0]["state"]) if path["texts"] else ""


async def kill(f: Flat) -> None:
    await f.gateway.program.kill()


async def sms_events(f: Flat, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            events = (await f.city("events"))["events"]
            if len(found := [e for e in events if e["type"].startswith("anju.sms.")]) >= count:
                return found
            await asyncio.sleep(0.1)


async def test_an_sos_that_the_city_does_not_answer_is_texted_once_and_arrives_all_the_same(tmp_path: Path) -> None:
    async with texting_flat(tmp_path) as f:
        await f.press_sos()
        id_ = await alarm_id(f)
        (text,) = await wait_texts(f, 1)
        assert text["number"] == NUMBER
        words = "安居 flat-12：有人按了求助按钮。服务中心没有应答，请打电话或上门查看。编号 "
        assert text["text"] == words + short(id_)
        status = await f.until(lambda s: second(s) == "delivered")
        assert text["mono_s"] - status["alarms"][0]["finding"]["at"]["mono_s"] >= AFTER_S
        await f.broker.start()
        assert (await f.city_has("sos"))["id"] == id_
        events = await sms_events(f, 2)
        assert [e["type"] for e in events] == ["anju.sms.sent", "anju.sms.delivered"]
        assert {(e["data"]["alarm"], e["data"]["number"]) for e in events} == {(id_, "…8000")}
        await f.until(lambda s: s["alarms"] and s["alarms"][0]["state"] == "received")
        await f.city("close_alarm", gateway="flat-12", alarm=id_)
        await f.until(lambda s: not s["alarms"])
        async with asyncio.timeout(10):
            while not (closed := (await f.city("events", type="anju.alarm.closed"))["events"]):
                await asyncio.sleep(0.05)
        assert closed[0]["data"]["sms"] == ["delivered"]
        assert len(await texts(f)) == 1


async def test_killed_before_the_text_is_due_it_goes_after_the_start_and_once(tmp_path: Path) -> None:
    async with texting_flat(tmp_path) as f:
        await f.press_sos()
        id_ = await alarm_id(f)
        await kill(f)
        await f.gateway.start()
        (text,) = await wait_texts(f, 1)
        assert short(id_) in text["text"]
        await f.until(lambda s: second(s) == "delivered")
        await kill(f)
        await f.gateway.start()
        await f.until(lambda s: ready(s) and s["alarms"])
        await asyncio.sleep(3)  # ticks in which it would go again
        assert len(await texts(f)) == 1


async def test_killed_between_sending_and_noting_it_is_sent_once_more_and_no_further(tmp_path: Path) -> None:
    async with texting_flat(tmp_path) as f:
        await f.do("modem", "delay", seconds=0.5)
        await f.press_sos()
        id_ = await alarm_id(f)
        async with asyncio.timeout(30):
            while not (await f.do("modem", "stats"))["texts"]:
                await asyncio.sleep(0.01)
        await kill(f)  # the modem has the text and has not answered yet
        await wait_texts(f, 1)
        for _ in range(2):
            await f.gateway.start()
            await f.until(lambda s: s["alarms"] and second(s) in ("sent", "delivered"))
            await kill(f)
        sent = await texts(f)
        assert [short(id_) in text["text"] for text in sent] == [True, True]


async def test_numbers_without_a_modem_are_a_problem_from_the_start(tmp_path: Path) -> None:
    async with flat(tmp_path, BASE + SMS.partition("[devices")[0]) as f:
        status = await f.until(lambda s: device(s, "sos")["state"] == "up")
        (told,) = [one for one in status["faults"] if "sms.numbers" in one["reason"]]
        assert 'driver = "modem"' in told["cure"]
