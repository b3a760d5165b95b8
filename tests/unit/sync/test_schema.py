"""The published schema is the code's own, and real messages obey it."""

import json
import zlib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from gateway.alarm import Rules
from gateway.alarm import events as alarm_events
from gateway.alarm import evidence as alarm_evidence
from gateway.detect.battery import Forecast, Low
from gateway.detect.cover import WORDS, Cover, Reason, Standing
from gateway.detect.vitals import spot
from gateway.detect.vitals.limits import NOBODY, Person
from gateway.detect.vitals.rules import Level, Verdict
from gateway.model.alarm import Alarm, AlarmState
from gateway.model.command import CommandResult, Outcome
from gateway.model.event import Event, EventType, Lane
from gateway.model.evidence import Evidence, HeartRate, Piece
from gateway.model.finding import CODES_OF, Codes, Finding, FindingKind
from gateway.model.reading import Quantity, QuantityKind, SpotCheck
from gateway.sync import schema, wire
from gateway.sync.batch import BATCH_BYTES, pack
from gateway.sync.contents import CONTENTS
from gateway.sync.conversation import ROUNDS, STUCK
from gateway.sync.pause import CALM_CAP_S, FIRST_S, FLOOR_S, HURRY_S, URGENT_CAP_S
from gateway.sync.uplink import ANSWER_S
from gateway.sync.window import BATCH, PER_LANE
from tests.unit.sync.kit import NOW, event, row

DOCUMENT = Path(__file__).parents[3] / "docs" / "asyncapi.yaml"
PROTOCOL = DOCUMENT.with_name("protocol.md")
DEVICE = {"state": "silent", "covered": False, "reason": "no sign of life", "cure": "change the battery"}
SMS = {"alarm": "0190b7c2-1a2b-7c3d-8e4f-001122334455", "short": "0190b7c2-1a2b", "number": "…8000"}
VITALS = {"kind": "heart_rate", "unit": "/min", "loinc": "8867-4", "span_s": 60.0, "n": 58, "implausible": 2,
          "min": 61.0, "median": 66.0, "max": 80.0}


CUFF = SpotCheck((Quantity(QuantityKind.SYSTOLIC, 128.0), Quantity(QuantityKind.DIASTOLIC, 76.0)))
BEYOND = Verdict(Level.NOTICE, QuantityKind.GLUCOSE, 3.7, 3.9, "glucose 3.7 mmol/L is below 3.9 mmol/L")
EVIDENCE = Evidence("f1", "a1", "bracelet", NOW, "a blow", 3.1, (Piece(-1.0, 52.0, 8.0, 2),), bytes(12),
                    (HeartRate(0.5, 70.0, True),))


def alarm(kind: FindingKind) -> Alarm:
    return Alarm("a1", AlarmState.RAISED, Finding(kind, "pendant", NOW, 0.9, "pressed", {"peak_g": 3.1}), NOW)


def samples() -> list[Event]:
    told = [alarm_events.raised(alarm(kind), Rules(rooms={"pendant": "bedroom"})) for kind in FindingKind]
    told += [alarm_events.further(alarm(FindingKind.SOS), name, NOW, Rules(), by="pendant")[1] for name in (
        EventType.ALARM_REPEATED, EventType.ALARM_CANCELLED, EventType.ALARM_CLOSED, EventType.RESIDENT_WELL)]
    result = msgspec.to_builtins(CommandResult("c1", Outcome.DONE))
    fault = {"what": "store", "reason": "damaged", "cure": "check the disk"}
    reason = Reason("pendant", Standing.NOT_WORN, 900.0, *WORDS[Standing.NOT_WORN])
    told += [Event(EventType.COVER_CHANGED, EventType.COVER_CHANGED, Lane.EVENT, "gateway", NOW, cover.data())
             for cover in (Cover("falls", False, (), (reason,), 900.0), Cover("falls", True, ("d",), (), 60.0, "Li"))]
    told += [Event(name, name, Lane.EVENT, "gateway", NOW, content) for name, content in (
        (EventType.DEVICE_STATE, DEVICE), (EventType.GATEWAY_FAULT, fault), (EventType.COMMAND_RESULT, result),
        (EventType.VITALS_SUMMARY, VITALS), (EventType.VITALS_MEASURED, spot.data(CUFF, Person("Li", position="arm"))),
        (EventType.VITALS_MEASURED, spot.data(SpotCheck((Quantity(QuantityKind.WEIGHT, 0.0, False, None),)), NOBODY)),
        (EventType.VITALS_NOTICED, BEYOND.data("Li")), (EventType.BATTERY_LOW, Low("d", 12.0, None).data()),
        (EventType.BATTERY_LOW, Low("d", 40.0, Forecast(9.0, 4.0, None)).data()),
        (EventType.ROUTINE_NOTICED, {"kind": "rhythm_drift", "words": "rises late", "evidence": {"now_h": 9.5}}),
        (EventType.ROUTINE_COVER, {"reduced": True, "reasons": ["an animal moves here"]}),
        (EventType.SMS_SENT, SMS), (EventType.SMS_DELIVERED, SMS),
        (EventType.SMS_FAILED, SMS | {"reason": "no modem is up", "cure": "look at the modem"}),
        (EventType.OUTBOX_GAP, {"events": 7, "reason": "the outbox is full", "cure": "restore the link"}),
        (EventType.GATEWAY_STARTED, {"version": "1", "devices": ["pendant"], "epoch": "e"}))]
    return [*told, event(), alarm_evidence.told(EVIDENCE)]


def validate(instance: Any, payload: dict[str, Any]) -> None:
    document = schema.asyncapi()
    jsonschema.Draft202012Validator(payload | {"components": document["components"]}).validate(instance)


def message(event_type: str) -> dict[str, Any]:
    found: dict[str, Any] = schema.asyncapi()["components"]["messages"][
        event_type.removeprefix("anju.").replace(".", "_")]["payload"]
    return found


def test_the_document_is_not_stale() -> None:
    assert DOCUMENT.read_text("utf-8") == schema.text(), "run: python -m gateway.sync.schema --write docs/asyncapi.yaml"


def test_the_limits_of_an_acknowledgement_stand_in_the_protocol() -> None:
    ack = msgspec.json.schema(wire.Ack)["$defs"]["Ack"]["properties"]
    words = PROTOCOL.read_text("utf-8").replace("\n", " ")
    assert f"At most {wire.MAX_ACK_BYTES} bytes" in words
    assert f"`epoch` has {ack['epoch']['minLength']} to {ack['epoch']['maxLength']} characters" in words
    assert f"`id` at most {ack['id']['maxLength']}" in words


def test_the_numbers_of_batches_rounds_and_pauses_stand_in_the_protocol() -> None:
    words = " ".join(PROTOCOL.read_text("utf-8").split())
    assert f"2 to {BATCH} envelopes and at most {BATCH_BYTES // 1024} KiB of JSON" in words
    assert f"Up to {PER_LANE} events of a lane" in words
    assert f"no lane at all was acknowledged for {ANSWER_S * ROUNDS:.0f} s" in words
    assert f"when one lane was not for {ANSWER_S * STUCK:.0f} s (the alarm lane: {ANSWER_S * STUCK / 4:.0f} s)" in words
    assert f"between {FLOOR_S} s and a limit that doubles from half a second to {CALM_CAP_S:.0f} s, to " \
        f"{URGENT_CAP_S:.0f} s while an alarm waits" in words
    assert FIRST_S == HURRY_S == 0.5


def test_a_real_batch_obeys_the_schema_and_a_wrong_one_does_not() -> None:
    encoded = [wire.encode(row(event(f"e{seq}"), seq), gateway="g", now=NOW, online_since_s=0.0) for seq in (1, 2, 3)]
    ((_, payload),) = pack(encoded, 100_000)
    batch = json.loads(zlib.decompress(payload))
    validate(batch, message("batch"))
    for wrong in (batch[:1], batch * 11, [*batch, {"id": "x"}]):
        with pytest.raises(jsonschema.ValidationError):
            validate(wrong, message("batch"))


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = yaml.safe_load(DOCUMENT.read_text("utf-8"))

    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for inner in node for found in references(inner)]
        if not isinstance(node, dict):
            return []
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for inner in node.values() for found in references(inner)]

    assert len(references(document)) > 20
    for reference in references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_event_type_has_its_contents_and_a_sample_here() -> None:
    known = {value for name, value in vars(EventType).items() if name.isupper()}
    assert set(CONTENTS) == known
    assert {sample.type for sample in samples()} == known


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.type)
def test_what_is_sent_obeys_the_schema(sample: Event) -> None:
    sent = json.loads(wire.encode(row(sample), gateway="flat-12", now=NOW, online_since_s=0.0))
    validate(sent, message(sample.type))
    fields = {field.encode_name for field in msgspec.structs.fields(CONTENTS[sample.type])}
    assert set(sent["data"]) <= fields, "describe the new key in gateway/sync/contents.py"


@pytest.mark.parametrize("change", [
    {"type": "anju.alarm.closed"}, {"lane": "attic"}, {"sequence": "7"}, {"clock": "wrong"}, {"data": {"kind": "sos"}},
])
def test_what_differs_from_the_schema_is_found(change: dict[str, Any]) -> None:
    sent = json.loads(wire.encode(row(samples()[0]), gateway="flat-12", now=NOW, online_since_s=0.0))
    with pytest.raises(jsonschema.ValidationError):
        validate(sent | change, message(EventType.ALARM_RAISED))


def test_the_examples_of_the_protocol_are_true() -> None:
    blocks = [part.split("```")[0] for part in PROTOCOL.read_text("utf-8").split("```json\n")[1:]]
    example, ack, command = blocks
    envelope = msgspec.json.decode(example, type=wire.Envelope)
    assert envelope.type == EventType.ALARM_RAISED
    assert wire.decode_ack(ack.encode()).upto == int(envelope.sequence)
    assert wire.decode_command(command.encode()).target == envelope.id


def test_the_codes_of_the_protocol_are_those_of_the_code() -> None:
    table = PROTOCOL.read_text("utf-8").split("## Vocabularies")[1].split("\n- ")[0]
    told = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and cells[0] != "`kind`":
            ieee = int(cells[1]) if cells[1] else None
            told[FindingKind(cells[0].strip("`"))] = Codes(ieee, cells[2] or None, cells[3] or None)
    assert told == CODES_OF
