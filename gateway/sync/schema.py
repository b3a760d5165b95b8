"""Schema: the AsyncAPI document of the city's interface, made from the types that the code itself uses.

`python -m gateway.sync.schema` prints it, `--write FILE` writes it (docs/asyncapi.yaml). Needs PyYAML, of the
developers' tools.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from gateway.model.command import Command
from gateway.model.event import Lane
from gateway.sync.batch import BATCH_BYTES, BATCH_TYPE, DEFLATED, SINGLE_TYPE
from gateway.sync.contents import CONTENTS
from gateway.sync.window import BATCH
from gateway.sync.wire import MAX_ACK_BYTES, MAX_COMMAND_BYTES, Ack, Envelope, ack_topic, command_topic, up_topic

_REF = "#/components/schemas/{name}"
_GATEWAY: dict[str, Any] = {
    "gateway": {"description": "The gateway's id: gateway.id of its configuration, and its MQTT client id."}
}


def asyncapi() -> dict[str, Any]:
    """Return the document, AsyncAPI 3.0.0, seen from the gateway: it sends `up` and receives `down`."""
    (envelope, ack, command, *_), schemas = msgspec.json.schema_components(
        [Envelope, Ack, Command, *dict.fromkeys(CONTENTS.values())], ref_template=_REF
    )
    messages = {_name(event_type): _event(event_type, envelope) for event_type in CONTENTS}
    messages |= {"batch": _batch(envelope)}
    messages |= {"ack": _down("Ack", ack), "command": _down("Command", command)}
    up = up_topic("{gateway}", Lane.ALARM).removesuffix("alarm") + "{lane}"
    lanes = [lane.name.lower() for lane in Lane]
    lane = {"lane": {"enum": lanes, "description": "Departs in this order; each lane is ordered in itself."}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Anju gateway to city",
            "version": "1.0.0",
            "description": "Rules of acknowledging, resending and ordering: docs/protocol.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "up": _channel(up, "Events, CloudEvents 1.0 in structured JSON, or batches of them. QoS 1, not retained.",
                           [*map(_name, CONTENTS), "batch"], _GATEWAY | lane),
            "ack": _channel(ack_topic("{gateway}"), "What the city's application has committed. QoS 1, not retained. "
                            f"At most {MAX_ACK_BYTES} bytes.", ["ack"], _GATEWAY),
            "command": _channel(command_topic("{gateway}"), "What the city asks. QoS 1; retained ones are refused. "
                                f"At most {MAX_COMMAND_BYTES} bytes.", ["command"], _GATEWAY),
        },
        "operations": {
            "tell": {"action": "send", "channel": {"$ref": "#/channels/up"}},
            "learn": {"action": "receive", "channel": {"$ref": "#/channels/ack"}},
            "obey": {"action": "receive", "channel": {"$ref": "#/channels/command"}},
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _channel(address: str, description: str, messages: list[str], parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "parameters": parameters,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _event(event_type: str, envelope: dict[str, Any]) -> dict[str, Any]:
    data = {"$ref": _REF.format(name=CONTENTS[event_type].__name__)}
    own = {"type": "object", "properties": {"type": {"const": event_type}, "data": data}}
    return {"name": event_type, "contentType": SINGLE_TYPE, "payload": {"allOf": [envelope, own]}}


def _batch(envelope: dict[str, Any]) -> dict[str, Any]:
    about = (f"Events of one lane, in order; never alarms. Where the first byte is 0x{DEFLATED.hex()}: deflated "
             f"(zlib, RFC 1950). At most {BATCH_BYTES} bytes of JSON.")
    payload = {"type": "array", "items": envelope, "minItems": 2, "maxItems": BATCH}
    return {"name": "Batch", "description": about, "contentType": BATCH_TYPE, "payload": payload}


def _down(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "payload": schema}


def _name(event_type: str) -> str:
    """Return the event type as a component key: `anju.alarm.raised` -> `alarm_raised`."""
    return event_type.removeprefix("anju.").replace(".", "_")


def text() -> str:
    """Return the document as YAML."""
    import yaml  # of the developers' tools: the gateway itself never needs it

    document = json.loads(json.dumps(asyncapi()))  # no object stands there twice, so YAML makes no anchors
    head = "# Made from the code: change that, then run `python -m gateway.sync.schema --write docs/asyncapi.yaml`.\n"
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def main(arguments: list[str]) -> None:
    """Print the document, or write it."""
    if arguments[:1] == ["--write"] and len(arguments) == 2:
        Path(arguments[1]).write_text(text(), encoding="utf-8")
    elif arguments:
        sys.exit("usage: python -m gateway.sync.schema [--write FILE]")
    else:
        sys.stdout.write(text())


if __name__ == "__main__":
    main(sys.argv[1:])
