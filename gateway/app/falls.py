"""The desk's answers about falls: the evidence that is kept, and one of it, in answers that fit the control socket."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from gateway.app.daemon import Daemon
from gateway.model.evidence import Evidence
from gateway.ops.control import Refused
from gateway.store import StoreError
from gateway.sync.dating import dated

CHUNK_BYTES = 30_000  # of samples in one answer: 40 KB in base64, and a line has at most 64 KiB


async def falls(daemon: Daemon, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """Answer each evidence, newest first; or the one of `id`, without its samples, and then these in pieces."""
    try:
        if "id" not in request:
            for evidence, alarm_state in await daemon.store.evidence.heads():
                yield _told(daemon, evidence) | {"alarm_state": alarm_state}
            return
        found = await daemon.store.evidence.find(str(request["id"]))
        known = [] if found else [evidence.id for evidence, _ in await daemon.store.evidence.heads()]
    except StoreError as error:
        raise Refused(error.reason, error.cure) from error
    if found is None:
        raise Refused(f"no fall {request['id']!r} is kept here",
                      f"choose one of {', '.join(known)}" if known else "there is none yet: wait for a fall")
    curves = {"pieces": msgspec.to_builtins(found.pieces), "heart": msgspec.to_builtins(found.heart)}
    yield _told(daemon, found) | curves
    for begin in range(0, len(found.samples_mg), CHUNK_BYTES):
        yield {"samples": b64encode(found.samples_mg[begin : begin + CHUNK_BYTES]).decode()}


def _told(daemon: Daemon, evidence: Evidence) -> dict[str, Any]:
    date = dated(evidence.at, daemon.clock.stamp(), daemon.chronicle.boots())
    return {
        "id": evidence.id, "alarm": evidence.alarm, "device": evidence.device, "words": evidence.words,
        "peak_g": evidence.peak_g, "wall_s": date.wall_s, "clock": date.quality.value,
        "n": sum(piece.n for piece in evidence.pieces), "holes": evidence.holes(),
        "missing": evidence.missing, "awaited": evidence.awaited,
    }
