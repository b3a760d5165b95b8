"""What the desk answers about falls, on a real store: each answer fits a line of the control socket."""

import os
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from gateway.alarm.evidence import told
from gateway.app.daemon import Daemon
from gateway.app.falls import falls
from gateway.detect.evidence import BEATS, CHUNKS
from gateway.model.evidence import Evidence, HeartRate, Piece
from gateway.model.time import ClockQuality, Stamp
from gateway.ops.control import MAX_LINE_BYTES, Refused
from gateway.runtime.clock import Clock
from gateway.store import Store

AT = Stamp("boot", 100.0, 1.7e9, ClockQuality.SYNCED)


def evidence(id_: str, pieces: int = 1, n: int = 7500) -> Evidence:
    cut = tuple(Piece(-9.123456 + place, 249.123456789, 16.0, n) for place in range(pieces))
    beats = tuple(HeartRate(-9.123, 123.456789, plausible=False) for _ in range(BEATS))
    return Evidence(id_, f"alarm of {id_}", "bracelet", AT, "a blow", 4.5, cut, os.urandom(pieces * n * 6), beats)


async def answers(store: Store, **request: Any) -> list[Any]:
    daemon = cast(Daemon, SimpleNamespace(store=store, clock=Clock("boot"), chronicle=SimpleNamespace(boots=list)))
    return [answer async for answer in falls(daemon, request)]


async def test_evidence_of_any_size_comes_whole_in_answers_that_fit(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for one in (evidence("long", n=20_000), evidence("in pieces", CHUNKS, 30)):
        await store.append([told(one)], evidence=one)
        head, *chunks = await answers(store, id=one.id)
        assert all(len(msgspec.json.encode({"ok": True, "result": answer})) < MAX_LINE_BYTES
                   for answer in (head, *chunks))
        assert b"".join(b64decode(chunk["samples"]) for chunk in chunks) == one.samples_mg
        assert (len(head["pieces"]), len(head["heart"])) == (len(one.pieces), BEATS)
    await store.close()


async def test_the_list_tells_each_without_its_samples(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for one in (evidence("first"), evidence("second")):
        await store.append([told(one)], evidence=one)
    found = await answers(store)
    assert [(fall["id"], fall["alarm"], fall["wall_s"], fall["n"]) for fall in found] == [
        ("second", "alarm of second", 1.7e9, 7500), ("first", "alarm of first", 1.7e9, 7500)]
    await store.close()


async def test_an_unknown_id_is_refused_with_those_there_are(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    with pytest.raises(Refused, match="nobody") as none:
        await answers(store, id="nobody")
    assert none.value.cure == "there is none yet: wait for a fall"
    one = evidence("first")
    await store.append([told(one)], evidence=one)
    with pytest.raises(Refused, match="nobody") as some:
        await answers(store, id="nobody")
    assert some.value.cure == "choose one of first"
    await store.close()


async def test_a_disk_that_does_not_answer_is_told_in_its_own_words(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.close()
    with pytest.raises(Refused, match="the store is closed"):
        await answers(store)
