"""Noise between frames loses none of them, whatever it is, however the bytes are cut."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.devices import ld2410, ld2450, mr60
from drivers.devices.framing import Shape, split
from hil.devices.radar import frames as real

FRAMES: dict[str, tuple[Shape, list[bytes]]] = {
    "ld2410": (ld2410.SHAPE, [real.ld2410(3, 81, 59), real.ld2410(0, 0, 0)]),
    "ld2450": (ld2450.SHAPE, [real.ld2450([(-782, 1713, -16)]), real.ld2450([])]),
    "mr60": (mr60.SHAPE, [real.fall(True), real.person(True, 2), real.breath(14.5), mr60.frame(mr60.PARAMETERS)]),
}
NAMES = sorted(FRAMES)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(at)]


def all_frames(shape: Shape, chunks: list[bytes]) -> tuple[list[bytes], int]:
    """Every frame of a stream that ends in a pause, and the noise in it."""
    rest, found, noise = b"", [], 0
    for chunk in chunks:
        frames, rest, skipped = split(rest + chunk, shape)
        assert len(rest) < shape.longest
        found, noise = found + frames, noise + skipped
    frames, rest, skipped = split(rest, shape, quiet=True)
    assert rest == b""
    return found + frames, noise + skipped


def noise(shape: Shape) -> st.SearchStrategy[bytes]:
    """Bytes that love to look like the beginning of a frame."""
    crumbs = st.sampled_from([shape.head, shape.head[:-1], shape.head + b"\x0d\x00", b"\x01\x00\x00\x00\x20", b"\x00"])
    return st.lists(st.binary(max_size=12) | crumbs, max_size=6).map(b"".join)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_noise_between_frames_loses_none(name: str, data: st.DataObject) -> None:
    shape, kinds = FRAMES[name]
    sent = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    stream, made_of_noise = b"", 0
    for frame in sent:
        before = data.draw(noise(shape))
        made_of_noise += len(before)
        stream += before + frame
    cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=8))
    found, skipped = all_frames(shape, pieces(stream, cuts))
    assert found == sent
    assert skipped == made_of_noise


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(st.binary(max_size=400), max_size=10))
def test_no_bytes_at_all_raise_or_pile_up(name: str, chunks: list[bytes]) -> None:
    shape, _ = FRAMES[name]
    found, skipped = all_frames(shape, chunks)
    assert sum(map(len, found)) + skipped == sum(map(len, chunks))


@pytest.mark.parametrize("name", NAMES)
def test_a_spoilt_frame_is_dropped_and_its_neighbours_stay(name: str) -> None:
    shape, (first, second, *_) = FRAMES[name]
    for at in (0, len(first) - 1):  # the head, the end
        spoilt = bytearray(first)
        spoilt[at] ^= 0x40
        found, skipped = all_frames(shape, [second + bytes(spoilt) + second])
        assert found == [second, second]
        assert skipped == len(first)


def test_a_head_made_of_noise_delays_the_frame_behind_it_until_the_line_is_quiet_at_most() -> None:
    fall = real.fall(True)
    stream = mr60.frame(mr60.FALL, bytes(200))[:20] + fall  # it claims to be 209 bytes long
    frames, rest, _ = split(stream, mr60.SHAPE)
    assert (frames, rest) == ([], stream)
    assert split(rest, mr60.SHAPE, quiet=True).frames == [fall]


def test_a_megabyte_of_noise_is_worked_off_and_nothing_is_kept() -> None:
    source = random.Random(7)
    rest, noise_bytes, good_bytes = b"", 0, 0
    for _ in range(250):
        frames, rest, skipped = split(rest + source.randbytes(4096), mr60.SHAPE)
        noise_bytes, good_bytes = noise_bytes + skipped, good_bytes + sum(map(len, frames))
        assert len(rest) < mr60.SHAPE.longest
    assert noise_bytes + good_bytes + len(rest) == 250 * 4096
