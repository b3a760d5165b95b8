"""Outbox to city, over a real broker and real files."""

import asyncio
import base64
import json
import random
import threading
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.model.command import Outcome
from gateway.model.event import EventType, Lane
from gateway.model.time import ClockQuality
from gateway.store import Limits
from gateway.sync.conversation import ROUNDS
from hil.resources import control
from hil.resources.proxy import Proxy
from tests.system.broker import GATEWAY, HOST, FlatClock, city, event, flat, mosquitto, numbered, process


async def test_an_event_is_settled_once_the_city_has_committed_it(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.store.append([event("a", Lane.ALARM), event("b"), event("c", Lane.TELEMETRY)])
        await home.until(lambda: len(home.received) == 3)
        assert sorted(home.received) == ["a", "b", "c"]
        assert sorted(await there.ids()) == ["a", "b", "c"]
        assert [count.waiting for count in home.store.counts().values()] == [0, 0, 0]
        health = home.uplink.health()
        assert (health["state"], health["mqtt"], health["sent"], health["received"]) == ("connected", "5", 3, 3)


async def test_the_brokers_word_alone_settles_nothing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await there("hold_acks", on=True)
        await home.store.append([event("a", Lane.ALARM)])
        await there.until("a")
        await home.until(lambda: home.sent == ["a"])
        assert home.received == []
        assert home.store.counts()[Lane.ALARM].waiting == 1
        await there("hold_acks", on=False)
        await home.until(lambda: home.received == ["a"])


async def test_an_alarm_raised_in_an_outage_arrives_before_the_backlog(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there:
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with flat(tmp_path / "state", proxy.port) as home:
            await home.until_state("connected")
            await proxy.cut()
            await home.until(lambda: not home.uplink.health()["connected"])
            await home.store.append(list(numbered("t", 400, Lane.TELEMETRY)))
            await home.store.append(list(numbered("e", 100)))
            await home.store.append([event("alarm", Lane.ALARM)])
            await proxy.heal()
            healed_s = time.monotonic()
            await home.until(lambda: "alarm" in home.received)
            alarm_after_s = time.monotonic() - healed_s
            await home.until(lambda: len(home.received) == 501)
            events = (await there("events"))["events"]
        await proxy.close()
    assert events[0]["id"] == "alarm"
    assert alarm_after_s < 6.0
    assert [found["id"] for found in events if found["lane"] == "event"] == [f"e{n}" for n in range(100)]
    assert all(found["historical"] for found in events)


async def test_an_alarm_overtakes_a_backlog_that_is_already_flowing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.store.append(list(numbered("t", 2000, Lane.TELEMETRY)))
        await home.until(lambda: len(home.received) > 50)
        await home.store.append([event("alarm", Lane.ALARM)])
        await home.until(lambda: "alarm" in home.received)
        assert len(home.received) < 1500
        await home.until(lambda: len(home.received) == 2001)
        stats = await there("stats")
        assert (stats["received"], stats["duplicates"], stats["gaps"]) == (2001, 0, 0)


async def test_a_link_cut_again_and_again_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there:
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with flat(tmp_path / "state", proxy.port) as home:
            for cut in range(4):
                await home.store.append(list(numbered(f"{cut}-", 300)))
                await home.until(lambda target=cut: len(home.received) > target * 300 + 20)
                await proxy.cut()
                await home.store.append([event(f"alarm-{cut}", Lane.ALARM)])
                await proxy.heal()
            await home.until(lambda: sum(c.waiting for c in home.store.counts().values()) == 0)
            ids = await there.ids()
        await proxy.close()
    expected = {f"{cut}-{n}" for cut in range(4) for n in range(300)} | {f"alarm-{n}" for n in range(4)}
    assert sorted(ids) == sorted(expected)


async def test_an_acknowledgement_lost_on_its_way_is_asked_for_again(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port, answer_s=0.8) as home:
        await there("hold_acks", on=True)
        await home.store.append([event("a", Lane.ALARM)])
        health = await home.until_state("no_answer")
        assert "acknowledged nothing" in health["reason"]
        assert "tell the city's platform" in health["cure"]
        reconnects = health["reconnects"]
        await home.until(lambda: home.uplink.health()["reconnects"] > reconnects)
        await there("hold_acks", on=False)
        await home.until(lambda: home.received == ["a"])
        await home.until_state("connected")
        stats = await there("stats")
        assert stats["duplicates"] >= 2
        assert await there.ids() == ["a"]


async def test_an_alarm_that_the_city_lost_is_sent_again_though_events_are_acknowledged(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, aiomqtt.Client(HOST, broker.port) as there, \
            flat(tmp_path / "state", broker.port, answer_s=1.0) as home:
        await there.subscribe("anju/v1/+/up/+", qos=1)
        copies = 0

        async def lossy_city() -> None:
            nonlocal copies
            async for message in there.messages:
                told = json.loads(bytes(message.payload))
                copies += told["lane"] == "alarm"
                if told["lane"] == "event" or copies > 1:
                    ack = {key: told[key] for key in ("epoch", "lane", "id")} | {"upto": int(told["sequence"])}
                    await there.publish(f"anju/v1/{GATEWAY}/down/ack", json.dumps(ack), qos=1)

        serving = asyncio.create_task(lossy_city())
        await home.store.append([event("alarm", Lane.ALARM)])
        flowing = 0
        while "alarm" not in home.received:
            assert flowing < 100, "never sent again"
            await home.store.append([event(f"e{flowing}")])
            await home.until(lambda: f"e{flowing}" in home.received)  # noqa: B023 - awaited at once
            flowing += 1
            await asyncio.sleep(0.1)
        assert copies == 2
        assert home.uplink.health()["reconnects"] == 1
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_city_that_counts_too_high_is_given_one_new_epoch_and_settles_nothing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, aiomqtt.Client(HOST, broker.port) as there, \
            flat(tmp_path / "state", broker.port, answer_s=0.5) as home:
        await there.subscribe("anju/v1/+/up/+", qos=1)
        epochs, copies = set(), 0

        async def miscounting_city() -> None:
            nonlocal copies
            async for message in there.messages:
                told = json.loads(bytes(message.payload))
                epochs.add(told["epoch"])
                copies += 1
                ack = {"epoch": told["epoch"], "lane": told["lane"], "upto": int(told["sequence"]) + 1000}
                await there.publish(f"anju/v1/{GATEWAY}/down/ack", json.dumps(ack), qos=1)

        serving = asyncio.create_task(miscounting_city())
        await home.store.append([event("alarm", Lane.ALARM)])
        await home.until(lambda: home.uplink.health()["reconnects"] == 2)
        assert len(epochs) == 2
        assert copies <= 2 + 4 * ROUNDS + 1, "the alarm lane goes again each quarter of answer_s, for ROUNDS of it"
        assert home.received == []
        assert home.store.counts()[Lane.ALARM].waiting == 1
        assert len(home.store.faults()) == 1
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_stalled_link_is_left_and_a_new_one_made(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port):
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with flat(tmp_path / "state", proxy.port, answer_s=0.5) as home:
            await home.until_state("connected")
            proxy.stall()
            await home.store.append([event("a", Lane.ALARM)])
            await home.until(lambda: not home.uplink.health()["connected"])
            await proxy.heal()
            await home.until(lambda: home.received == ["a"])
        await proxy.close()


async def test_the_citys_restart_loses_nothing(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, flat(tmp_path / "state", broker.port, answer_s=1.0) as home:
        async with city(tmp_path, broker.port):
            await home.store.append([event("a")])
            await home.until(lambda: home.received == ["a"])
        await home.store.append([event("b", Lane.ALARM), event("c")])
        await home.until(lambda: {"b", "c"} <= set(home.sent))
        async with city(tmp_path, broker.port) as there:
            await home.until(lambda: sorted(home.received) == ["a", "b", "c"])
            assert sorted(await there.ids()) == ["a", "b", "c"]


async def test_a_city_that_forgot_everything_takes_up_where_the_gateway_stands(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.store.append([event("a"), event("b")])
        await home.until(lambda: len(home.received) == 2)
        await there("forget")
        await home.store.append([event("c")])
        await home.until(lambda: home.received == ["a", "b", "c"])


async def test_a_gateway_whose_disk_went_back_in_time_loses_nothing(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there:
        async with flat(state, broker.port) as home:
            await home.store.append([event("a")])
            await home.until(lambda: home.received == ["a"])
        await asyncio.to_thread(_copy, state, copy)
        async with flat(state, broker.port) as home:
            await home.store.append(list(numbered("lost-memory-of-", 5)))
            await home.until(lambda: len(home.received) == 5)
        async with flat(copy, broker.port) as home:
            await home.store.append(list(numbered("new", 4)))
            await home.until(lambda: sum(c.waiting for c in home.store.counts().values()) == 0)
            assert home.store.faults() == ()  # no number is given twice in one epoch: nobody even notices
        assert {f"new{n}" for n in range(4)} <= set(await there.ids())


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.glob("anju.db*"):
        (target / path.name).write_bytes(path.read_bytes())


async def test_what_the_disk_did_not_take_goes_out_of_memory(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file in the way")
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(folder, broker.port) as home:
        home.uplink.offer([event("a", Lane.ALARM)])
        await home.until(lambda: home.received == ["a"])
        assert home.uplink.health()["state"] == "store_unusable"
        folder.unlink()
        await home.store.append([event("a", Lane.ALARM), event("b")])
        await home.until(lambda: home.received == ["a", "a", "b"])
        assert sorted(await there.ids()) == ["a", "b"]
        assert home.uplink.health()["state"] == "connected"


async def test_a_disk_that_says_nothing_holds_up_no_alarm_in_memory(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port), \
            flat(tmp_path / "state", broker.port) as home:
        await home.until_state("connected")
        answers = threading.Event()
        try:
            home.store._thread.submit(lambda ledger: answers.wait(30.0))
            kept = asyncio.ensure_future(home.store.append([event("on-disk", Lane.ALARM)]))
            home.uplink._appended()  # the uplink reads the store, which says nothing
            async with aiomqtt.Client(HOST, broker.port) as stranger:  # and so it does to an acknowledgement
                ack = {"epoch": home.store.epoch, "lane": "alarm", "upto": 1}
                await stranger.publish(f"anju/v1/{GATEWAY}/down/ack", json.dumps(ack), qos=1)
            for number in range(3):
                home.uplink.offer([event(f"alarm-{number}", Lane.ALARM)])
                await home.until(lambda: f"alarm-{number}" in home.received, 1.0)  # noqa: B023 - awaited at once
            health = await home.until_state("store_unusable")
            assert "the disk has said nothing" in health["reason"]
            assert health["connected"]
        finally:
            answers.set()
        await kept
        await home.until(lambda: "on-disk" in home.received)
        await home.until_state("connected")


async def test_garbage_from_the_city_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    garbage = [b"", b"{", b"\xff\xfe", b"[]", b'{"epoch": "x", "lane": "alarm", "upto": -1}', b"0" * 100_000,
               b'{"epoch": "x", "lane": "attic", "upto": 1}', b'{"id": "c", "verb": "explode", "target": "x"}']
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port), \
            flat(tmp_path / "state", broker.port) as home:
        await home.until_state("connected")
        async with aiomqtt.Client(HOST, broker.port) as stranger:
            for payload in garbage:
                await stranger.publish(f"anju/v1/{GATEWAY}/down/ack", payload, qos=1)
                await stranger.publish(f"anju/v1/{GATEWAY}/down/command", payload, qos=1)
        await home.until(lambda: home.uplink.health()["garbage"] == 2 * len(garbage))
        await home.store.append([event("a")])
        await home.until(lambda: home.received == ["a"])
        assert home.uplink.health()["reconnects"] == 1


async def test_a_lane_that_the_broker_refuses_rests_and_the_others_go_on(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite anju/v1/+/up/alarm\ntopic read anju/v1/+/up/+\ntopic readwrite anju/v1/+/down/#\n")
    async with mosquitto(tmp_path, f"acl_file {acl}") as broker, city(tmp_path, broker.port), \
            flat(tmp_path / "state", broker.port, answer_s=1.0) as home:
        await home.store.append(list(numbered("e", 40)))
        health = await home.until_state("not_authorised")
        assert f"let this gateway publish to anju/v1/{GATEWAY}/up/event" in health["cure"]
        for number in range(5):
            await home.store.append([event(f"alarm-{number}", Lane.ALARM)])
            await home.until(lambda: f"alarm-{number}" in home.received, 2.0)  # noqa: B023 - awaited at once
        await home.until(lambda: home.uplink.health()["resent_rounds"] >= 4)
        health = home.uplink.health()
        assert (health["connected"], health["reconnects"], health["waiting"]["event"]) == (True, 1, 40)
        assert health["state"] == "not_authorised"


async def test_a_command_is_obeyed_once_and_its_result_reaches_the_city(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.until_state("connected")
        for _ in range(3):
            await there("close_alarm", gateway=GATEWAY, alarm="alarm-1", id="c1")
        events = await there.until("c1.accepted", "c1.done")
        await there("close_alarm", gateway=GATEWAY, alarm="alarm-2", id="c2", expires_s=time.time() - 1)
        await there.until("c2.expired")
        assert [(command.id, command.target) for command in home.commands] == [("c1", "alarm-1")]
        outcome = [found["data"]["outcome"] for found in events if found["id"] == "c1.done"]
        assert outcome == [Outcome.DONE]


async def test_a_command_is_not_judged_without_a_clock(tmp_path: Path) -> None:
    clock = FlatClock(ClockQuality.UNSET)
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port, clock=clock) as home:
        await home.until_state("connected")
        await there("close_alarm", gateway=GATEWAY, alarm="alarm-1", id="c1")
        (rejected,) = [e for e in await there.until("c1.rejected") if e["id"] == "c1.rejected"]
        assert "clock" in rejected["data"]["words"]
        assert "time" not in rejected
        clock.quality = ClockQuality.SYNCED
        await there("close_alarm", gateway=GATEWAY, alarm="alarm-1", id="c1")
        await there.until("c1.done")


async def test_a_retained_command_is_refused_at_every_connection_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order = {"id": "old", "verb": "close_alarm", "target": "alarm-1", "expires_s": time.time() + 600}
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port):
        async with aiomqtt.Client(HOST, broker.port) as stranger:
            await stranger.publish(f"anju/v1/{GATEWAY}/down/command", json.dumps(order), qos=1, retain=True)
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with flat(tmp_path / "state", proxy.port) as home:
            await home.until(lambda: home.uplink.health()["garbage"] == 1)
            await proxy.cut()
            await home.until(lambda: not home.uplink.health()["connected"])
            await proxy.heal()
            await home.until(lambda: home.uplink.health()["garbage"] == 2)
            assert home.commands == []
        await proxy.close()
    (told,) = [record.message for record in caplog.records if "retained" in record.message]
    assert "id=old" in told


@asynccontextmanager
async def overheard(port: int, version: aiomqtt.ProtocolVersion) -> AsyncIterator[list[aiomqtt.Message]]:
    """Everything that goes up, as a stranger reads it."""
    heard: list[aiomqtt.Message] = []
    async with aiomqtt.Client(HOST, port, protocol=version) as stranger:
        await stranger.subscribe("anju/v1/+/up/+", qos=1)

        async def listen() -> None:
            async for message in stranger.messages:
                heard.append(message)  # noqa: PERF401 - it never ends

        listening = asyncio.create_task(listen())
        yield heard
        listening.cancel()
        await asyncio.wait([listening])


def envelopes(message: aiomqtt.Message) -> list[dict[str, Any]]:
    payload = bytes(message.payload)
    found = json.loads(zlib.decompress(payload) if payload[:1] == b"\x78" else payload)
    return found if isinstance(found, list) else [found]


async def test_what_waits_together_travels_together_over_mqtt_5(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, city(tmp_path, broker.port) as there, \
            overheard(broker.port, aiomqtt.ProtocolVersion.V5) as heard, flat(tmp_path / "state", broker.port) as home:
        await home.store.append([*numbered("t", 67, Lane.TELEMETRY), *numbered("e", 60), event("a", Lane.ALARM)])
        await home.until(lambda: len(home.received) == 128)
        await home.store.append([event("b", Lane.ALARM)])
        await home.until(lambda: len(home.received) == 129)
        assert sorted(await there.ids()) == sorted(home.received)
        await home.until(lambda: sum(len(envelopes(message)) for message in heard) == 129)
    assert len(heard) == 7
    for message in heard:
        alone = str(message.topic).endswith("alarm")
        media = "application/cloudevents+json" if alone else "application/cloudevents-batch+json"
        assert message.properties is not None
        assert message.properties.ContentType == media
        assert getattr(message.properties, "UserProperty", []) == ([] if alone else [("content-encoding", "deflate")])


async def test_what_waits_together_travels_together_over_mqtt_3_1_1(tmp_path: Path) -> None:
    async with process("hil.cloud.broker", "--port", "0", "--control", str(tmp_path / "broker.sock")) as broker, \
            city(tmp_path, broker["direct_port"]) as there, \
            overheard(broker["direct_port"], aiomqtt.ProtocolVersion.V311) as heard, \
            flat(tmp_path / "state", broker["port"]) as home:
        await home.store.append([*numbered("e", 60), event("a", Lane.ALARM)])
        await home.until(lambda: len(home.received) == 61)
        assert home.uplink.health()["mqtt"] == "3.1.1"
        assert sorted(await there.ids()) == sorted(home.received)
        await home.until(lambda: sum(len(envelopes(message)) for message in heard) == 61)
    assert sorted(bytes(message.payload)[:1] for message in heard) == [b"\x78"] * 2 + [b"{"]


@pytest.mark.parametrize("limit_bytes", [1500, 700])
async def test_a_broker_of_small_packets_gets_small_packets(tmp_path: Path, limit_bytes: int) -> None:
    large = event("large")
    large.data["noise"] = base64.b85encode(random.Random(1).randbytes(3000)).decode()
    async with mosquitto(tmp_path, f"max_packet_size {limit_bytes}") as broker, city(tmp_path, broker.port) as there, \
            flat(tmp_path / "state", broker.port) as home:
        await home.store.append([*numbered("e", 60), large, event("a", Lane.ALARM), *numbered("f", 60)])
        await home.until(lambda: len(home.received) == 122)
        health = home.uplink.health()
        assert (health["shortened"], health["reconnects"]) == (1, 1)
        (told,) = [found for found in (await there("events"))["events"] if found["id"] == "large"]
    assert told["data"] == {"kind": "contact", "active": True}
    assert int(told["dataomittedbytes"]) > 3000


async def test_what_was_given_up_for_want_of_room_is_told_and_the_rest_arrives(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.thread.HOUSE_S", 0.0)
    async with mosquitto(tmp_path) as broker:
        proxy = Proxy(HOST, broker.port)
        await proxy.start()
        async with city(tmp_path, broker.port) as there, \
                flat(tmp_path / "state", proxy.port, limits=Limits(max_bytes=600e3, telemetry_delay_s=0.0)) as home:
            await home.store.append([event("before", Lane.TELEMETRY)])
            await home.until(lambda: home.received == ["before"])
            await proxy.cut()
            await home.until(lambda: not home.uplink.health()["connected"])
            for group in range(20):
                await home.store.append(list(numbered(f"{group}-", 200, Lane.TELEMETRY)))
            await home.store.append([event("alarm", Lane.ALARM)])
            await proxy.heal()
            await home.until(lambda: sum(count.waiting for count in home.store.counts().values()) == 0)
            given_up = home.store.given_up()
            stats = await there("stats")
            gaps = (await there("events", type=EventType.OUTBOX_GAP))["events"]
        await proxy.close()
    assert given_up > 1000
    assert stats["gateways"][GATEWAY]["lost"] == given_up
    assert stats["gaps"] == 0
    assert stats["gateways"][GATEWAY]["conflicts"] == 0
    (gap,) = gaps
    assert (int(gap["sequencefrom"]), int(gap["sequence"])) == (2, 1 + given_up)
    assert gap["data"]["events"] == given_up


async def test_a_broker_of_mqtt_3_1_1_alone_serves_as_well(tmp_path: Path) -> None:
    socket_path = tmp_path / "broker.sock"
    async with process("hil.cloud.broker", "--port", "0", "--control", str(socket_path)) as broker, \
            city(tmp_path, broker["direct_port"]) as there, flat(tmp_path / "state", broker["port"]) as home:
        await home.store.append([event("a", Lane.ALARM)])
        await home.until(lambda: home.received == ["a"])
        assert home.uplink.health()["mqtt"] == "3.1.1"
        await control.call(socket_path, "cut")
        await home.until(lambda: not home.uplink.health()["connected"])
        await home.store.append([event("b", Lane.ALARM)])
        await control.call(socket_path, "heal")
        await home.until(lambda: home.received == ["a", "b"])
        assert await there.ids() == ["a", "b"]


async def test_a_link_that_ends_while_topics_are_asked_for_is_noticed_at_once(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an alarm waiting nobody may wait until the broker's word would be overdue."""
    monkeypatch.setattr("gateway.sync.session.PUBACK_S", 300.0)
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"MQTT")
        writer.write(bytes([0x20, 3, 0, 0, 0]))  # CONNACK, MQTT 5
        await reader.readuntil(b"down/ack")
        writer.transport.abort()

    async with await asyncio.start_server(serve, HOST, 0) as server, \
            flat(tmp_path, server.sockets[0].getsockname()[1]) as home:
        await home.store.append([event("sos", Lane.ALARM)])
        await home.until(lambda: connections >= 2)
        assert home.uplink.health()["state"] == "dropped"
