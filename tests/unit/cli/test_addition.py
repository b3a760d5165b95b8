"""A device's block: read back as it was written, and put into the file so that a failure leaves the old one."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import addition


def test_a_file_is_replaced_with_its_rights_and_no_trace(tmp_path: Path):
    path = tmp_path / "anju.toml"
    path.write_text("old")
    path.chmod(0o640)
    addition.write(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["anju.toml"]


def test_a_disk_that_refuses_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "anju.toml"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        addition.write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["anju.toml"]


VALUES = st.recursive(
    st.booleans() | st.integers(-2**63, 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


@given(st.text(min_size=1), st.text(), st.dictionaries(st.text(), VALUES, max_size=4))
def test_every_block_reads_back_as_what_it_was_made_of(name: str, room: str, settings: dict[str, Any]):
    settings = {key: value for key, value in settings.items() if key not in ("driver", "room")}
    table = tomllib.loads(addition.block(name, "polar", room, settings))["devices"][name]
    assert table == {"driver": "polar", **({"room": room} if room else {}), **settings}


@given(st.text(), st.sets(st.sampled_from(["a", "a-2", "a-3", "device", "device-2"])))
def test_a_suggested_name_is_allowed_and_free(wish: str, taken: set[str]):
    name = addition.free_name(wish, taken)
    assert name not in taken
    assert name[0].isascii()
    assert name[0].isalnum()
    assert len(name) <= 32
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
