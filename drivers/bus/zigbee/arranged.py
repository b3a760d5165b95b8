# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices everything is agreed with: one small file, so that a power cut between joining and that is made up for.

A lost or damaged file costs only that each device is asked once more. Blocking, from any thread: a few hundred bytes.
"""

import json
import os
from pathlib import Path
from threading import Lock

NAME = "arranged.json"


class Arranged:
    """A set of addresses on disk."""

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / NAME, Lock()
        try:
            self._known = set(map(str, json.loads(self._path.read_text(encoding="ascii"))))
        except (OSError, ValueError, TypeError):
            self._known = set()

    def __contains__(self, ieee: str) -> bool:
        return ieee in self._known

    def add(self, ieee: str) -> None:
        with self._lock:
            self._keep(self._known | {ieee})

    def discard(self, ieee: str) -> None:
        with self._lock:
            self._keep(self._known - {ieee})

    def _keep(self, known: set[str]) -> None:
        if known == self._known:
            return
        self._known = known
        draft = self._path.with_suffix(".draft")
        with draft.open("w", encoding="ascii") as file:
            json.dump(sorted(known), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
