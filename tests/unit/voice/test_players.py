import json
import os
import stat
import threading
import time
import wave
from pathlib import Path

import pytest

from gateway.voice import players
from gateway.voice.phrases import FRAME_BYTES, RATE_HZ
from gateway.voice.players import AlsaPlayer, NoPlayer, PlayerError, WavPlayer

SECOND = b"\x01\x02" * RATE_HZ


def never() -> bool:
    return False


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def mono_s(self) -> float:
        return self.now_s


def frames_of(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE_HZ, 2, 1)
        frames = file.readframes(file.getnframes())
        assert file.readframes(1) == b""
    assert path.stat().st_size == 44 + len(frames), "bytes beyond what the header tells"
    return frames


# -- WAV --------------------------------------------------------------------------------------------------------------

def test_the_file_is_valid_after_each_utterance_and_keeps_the_pauses(tmp_path: Path) -> None:
    path, clock = tmp_path / "said.wav", Clock()
    player = WavPlayer(path, clock.sleep, clock.mono_s)
    assert player.play(SECOND, "fall raised", never)
    assert frames_of(path) == SECOND
    clock.sleep(2.0)
    assert player.play(SECOND, "fall sent", never)
    assert frames_of(path) == SECOND + bytes(2 * RATE_HZ * FRAME_BYTES) + SECOND
    clock.sleep(3600.0)
    assert player.play(SECOND, "fall received", never)
    assert len(frames_of(path)) == (3 + 2 + players.MAX_GAP_S) * RATE_HZ * FRAME_BYTES
    player.close()
    told = [json.loads(line) for line in (tmp_path / "said.wav.jsonl").read_text().splitlines()]
    assert [one["said"] for one in told] == ["fall raised", "fall sent", "fall received"]
    assert [one["mono_s"] for one in told] == pytest.approx([100.0, 103.0, 3704.0])
    assert told[0]["seconds"] == 1.0


def test_a_later_player_continues_the_file(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"
    for _ in range(2):
        clock = Clock()
        player = WavPlayer(path, clock.sleep, clock.mono_s)
        player.play(SECOND, "x", never)
        player.close()
    assert frames_of(path) == SECOND * 2


def test_what_was_broken_off_is_in_the_file_as_far_as_it_was_heard(tmp_path: Path) -> None:
    path, clock = tmp_path / "said.wav", Clock()
    player = WavPlayer(path, clock.sleep, clock.mono_s)
    assert not player.play(SECOND, "x", lambda: clock.now_s >= 100.4)
    player.close()
    assert len(frames_of(path)) == pytest.approx(0.4 * RATE_HZ * FRAME_BYTES, abs=2 * players.STEP_S * len(SECOND))
    assert SECOND.startswith(frames_of(path))


def test_a_file_that_cannot_be_written_is_told_with_the_cure(tmp_path: Path) -> None:
    clock = Clock()
    player = WavPlayer(tmp_path / "none" / "said.wav", clock.sleep, clock.mono_s)
    with pytest.raises(PlayerError, match="cannot be written") as raised:
        player.play(SECOND, "x", never)
    assert "[voice] output" in raised.value.cure


def test_no_player_takes_no_time() -> None:
    player = NoPlayer()
    assert player.play(SECOND, "x", never)
    player.close()


# -- ALSA: real processes in aplay's place -----------------------------------------------------------------------------

def aplay(tmp_path: Path, body: str) -> str:
    """A program that stands in for aplay."""
    program = tmp_path / "aplay"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_aplay_gets_every_sample_and_is_told_the_format(tmp_path: Path) -> None:
    program = aplay(tmp_path, f'echo "$@" > {tmp_path}/args; exec cat > {tmp_path}/heard')
    samples = os.urandom(6 * RATE_HZ * FRAME_BYTES)  # more than a pipe holds
    assert AlsaPlayer("hw:1", program).play(samples, "x", never)
    assert (tmp_path / "heard").read_bytes() == samples
    assert (tmp_path / "args").read_text().strip() == "-q -t raw -f S16_LE -r 16000 -c 1 -D hw:1"


def test_a_device_that_fails_is_told_in_aplays_own_words(tmp_path: Path) -> None:
    program = aplay(tmp_path, 'echo "audio open error: No such device" >&2; exit 1')
    with pytest.raises(PlayerError, match="audio open error: No such device") as raised:
        AlsaPlayer("hw:7", program).play(SECOND, "x", never)
    assert "aplay -L" in raised.value.cure


def test_a_device_that_fails_in_the_middle_is_a_failure_too(tmp_path: Path) -> None:
    program = aplay(tmp_path, "head -c 1000 > /dev/null; exit 3")
    with pytest.raises(PlayerError, match="exit code 3"):
        AlsaPlayer(None, program).play(os.urandom(1 << 18), "x", never)


class Hasty:
    """A clock that goes two seconds on each time somebody looks at it."""

    def __init__(self) -> None:
        self.looks = 0

    def mono_s(self) -> float:
        self.looks += 1
        return 2.0 * self.looks


@pytest.mark.parametrize(("body", "samples"), [
    pytest.param("exec sleep 60", bytes(1 << 17), id="takes nothing"),  # more than a pipe holds
    pytest.param("cat > /dev/null; exec sleep 60", SECOND[:3200], id="never ends"),
])
def test_a_device_that_takes_nothing_or_never_ends_is_given_up_in_time(
    tmp_path: Path, body: str, samples: bytes
) -> None:
    clock = Hasty()
    with pytest.raises(PlayerError, match="takes no sound"):
        AlsaPlayer(None, aplay(tmp_path, body), clock.mono_s).play(samples, "x", never)
    given_up_s = 2.0 * (clock.looks - 1)
    assert 0 < given_up_s - len(samples) / (RATE_HZ * FRAME_BYTES) - players.LATE_S <= 2.0


def test_a_probe_goes_the_way_of_an_utterance_and_is_silent(tmp_path: Path) -> None:
    player = AlsaPlayer("hw:1", aplay(tmp_path, f'echo "$@" > {tmp_path}/args; exec cat > {tmp_path}/heard'))
    assert player.probe(never)
    heard = (tmp_path / "heard").read_bytes()
    assert 0 < len(heard) / (RATE_HZ * FRAME_BYTES) < 0.5
    assert not any(heard)
    assert (tmp_path / "args").read_text().strip() == "-q -t raw -f S16_LE -r 16000 -c 1 -D hw:1"
    with pytest.raises(PlayerError, match="No such device"):
        AlsaPlayer("hw:7", aplay(tmp_path, 'echo "No such device" >&2; exit 1')).probe(never)


def test_a_probe_of_a_file_opens_it_and_says_nothing(tmp_path: Path) -> None:
    player = WavPlayer(tmp_path / "said.wav")
    assert player.probe(never)
    player.close()
    assert frames_of(tmp_path / "said.wav") == b""
    assert not (tmp_path / "said.wav.jsonl").exists()
    with pytest.raises(PlayerError, match="cannot be written"):
        WavPlayer(tmp_path / "none" / "said.wav").probe(never)


def test_an_overtaken_utterance_is_cut_at_once(tmp_path: Path) -> None:
    overtaken = threading.Event()
    threading.Timer(0.2, overtaken.set).start()
    began_s = time.monotonic()
    program = aplay(tmp_path, "cat > /dev/null; exec sleep 60")
    assert not AlsaPlayer(None, program).play(SECOND, "x", overtaken.is_set)
    assert time.monotonic() - began_s < 3.0


def test_without_aplay_the_cure_is_its_package(tmp_path: Path) -> None:
    with pytest.raises(PlayerError, match="No such file") as raised:
        AlsaPlayer(None, str(tmp_path / "aplay")).play(SECOND, "x", never)
    assert "alsa-utils" in raised.value.cure
