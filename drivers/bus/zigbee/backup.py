# SPDX-License-Identifier: GPL-3.0-or-later
"""The network's backup off the database: one sealed file, to be taken away and put into a new gateway.

What is sealed is an open coordinator backup (zigpy/open-coordinator-backup, version 1) with the network's keys, under
AES-256-GCM with a key made by scrypt from a passphrase that the operator keeps. What is outside tells only which
network it is. Blocking: scrypt takes a tenth of a second; call it in a thread.
"""

import json
import os
from hashlib import scrypt
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NAME = "network.backup"
FORMAT = "anju-zigbee-network/1"
_N, _R, _P = 1 << 14, 8, 1  # 16 MB for a moment (RFC 7914)
_SALT, _NONCE = 16, 12


class BackupError(Exception):
    """The backup cannot be used."""

    def __init__(self, reason: str, cure: str) -> None:
        self.reason, self.cure = reason, cure
        super().__init__(f"{reason}: {cure}")


def keep(folder: Path, passphrase: str, network: dict[str, Any]) -> None:
    """Seal a network's backup and put it in the place of the last one. Raises OSError."""
    about = {"format": FORMAT, "extended_pan": network["extended_pan_id"], "channel": network["channel"],
             "created": network["metadata"]["internal"]["creation_time"]}
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(network).encode(), _bound(about))
    draft = folder / f"{NAME}.draft"
    with draft.open("w", encoding="ascii") as file:
        json.dump(about | {"salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)


def unseal(folder: Path, passphrase: str) -> dict[str, Any] | None:
    """Return the network of the sealed backup, None where there is no file. Raises BackupError."""
    try:
        raw = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        told = json.loads(raw)
        salt, nonce, sealed = (bytes.fromhex(told.pop(key)) for key in ("salt", "nonce", "sealed"))
        network: dict[str, Any] = json.loads(AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, _bound(told)))
    except InvalidTag:
        raise BackupError("the passphrase does not fit the Zigbee network's backup",
                          f"correct bus.zigbee.backup_passphrase, or take {NAME} away to form a new network") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"the Zigbee network's backup is damaged ({error!r})",
                          f"put another copy of {NAME} in its place, or take it away to form a new network") from None
    return network


def _key(passphrase: str, salt: bytes) -> bytes:
    return scrypt(passphrase.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32)


def _bound(about: dict[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()
