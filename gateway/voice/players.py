"""Players: where samples go. They run in the voice's own thread and may block it, but never for ever.

A player asks `overtaken()` at least every STEP_S, and stops at once where it is true.
"""

import contextlib
import json
import os
import select
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from gateway.voice.phrases import FRAME_BYTES, RATE_HZ, seconds

STEP_S = 0.05
LATE_S = 5.0  # a sound device that is so far behind its own clock takes nothing any more
MAX_GAP_S = 5.0
HEADER_BYTES = 44
SILENCE = bytes(round(0.1 * RATE_HZ) * FRAME_BYTES)


class PlayerError(Exception):
    """The sound device failed; `cure` says what the technician should do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure


class Player(Protocol):
    """Plays samples as Phrases makes them."""

    def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
        """Play to the end, or until overtaken: then False. Raises PlayerError."""

    def probe(self, overtaken: Callable[[], bool]) -> bool:
        """Try the device without a sound, by the way that every utterance takes. Returns and raises as play()."""

    def close(self) -> None: ...


class NoPlayer:
    """Says nothing, in no time."""

    def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
        return True

    def probe(self, overtaken: Callable[[], bool]) -> bool:
        return True

    def close(self) -> None:
        pass


class AlsaPlayer:
    """An `aplay` for each utterance: the device is free in between, and a stuck one can be killed."""

    def __init__(self, device: str | None = None, program: str = "aplay",
                 mono_s: Callable[[], float] = time.monotonic) -> None:
        self._command = [program, "-q", "-t", "raw", "-f", "S16_LE", "-r", str(RATE_HZ), "-c", "1",
                         *(["-D", device] if device else [])]
        self._name = device or "default"
        self._mono_s = mono_s

    def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
        late_s = self._mono_s() + seconds(samples) + LATE_S
        try:
            aplay = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
        except OSError as error:
            raise PlayerError(f"{self._command[0]} cannot be started ({error.strerror})",
                              "install it with: apt install alsa-utils") from error
        assert aplay.stdin is not None  # noqa: S101 - a pipe, as asked
        try:
            feed = _Feed(aplay.stdin, samples)
            while aplay.poll() is None:
                if overtaken():
                    return False
                if self._mono_s() > late_s:
                    raise PlayerError(f"the sound device {self._name} takes no sound", "check it with: aplay -l")
                if feed.done:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        aplay.wait(STEP_S)
                else:
                    feed.step()
            if aplay.returncode:
                raise PlayerError(f"the sound device {self._name} failed ({_last_line(aplay)})",
                                  "see which there are with: aplay -L, and set [voice] output = \"alsa:DEVICE\"")
            return True
        finally:
            aplay.kill()
            with contextlib.suppress(OSError):
                aplay.stdin.close()
            aplay.wait()
            if aplay.stderr:
                aplay.stderr.close()

    def probe(self, overtaken: Callable[[], bool]) -> bool:
        return self.play(SILENCE, "", overtaken)

    def close(self) -> None:
        pass


class _Feed:
    """Writes into a pipe no more than it takes, then closes it."""

    def __init__(self, pipe: BinaryIO | object, samples: bytes) -> None:
        self._pipe: BinaryIO = pipe  # type: ignore[assignment]
        self._left = memoryview(samples)
        os.set_blocking(self._pipe.fileno(), False)

    @property
    def done(self) -> bool:
        return not self._left

    def step(self) -> None:
        """Write what can be written within STEP_S."""
        if not select.select([], [self._pipe], [], STEP_S)[1]:
            return
        try:
            self._left = self._left[os.write(self._pipe.fileno(), self._left):]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = self._left[:0]  # the program has ended: its exit code tells
        if self.done:
            with contextlib.suppress(BrokenPipeError):
                self._pipe.close()


class WavPlayer:
    """Writes what a resident would have heard into a WAV file, valid after each utterance, and takes the time for it.

    The pause before an utterance is as long as it was, at most MAX_GAP_S. FILE.jsonl tells when each began, on
    CLOCK_MONOTONIC, before it is said. An existing file is continued.
    """

    def __init__(self, path: Path, sleep: Callable[[float], None] = time.sleep,
                 mono_s: Callable[[], float] = time.monotonic) -> None:
        self._path, self._sleep, self._mono_s = path, sleep, mono_s
        self._file: BinaryIO | None = None
        self._ended_mono_s = mono_s()

    def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
        began_mono_s = self._mono_s()
        try:
            file = self._opened()
            with self._path.with_name(self._path.name + ".jsonl").open("a", encoding="utf-8") as told:
                told.write(json.dumps({"mono_s": began_mono_s, "said": label, "seconds": seconds(samples)}) + "\n")
            heard, whole = 0, True
            while heard < len(samples):
                if overtaken():
                    whole = False
                    break
                step = samples[heard:heard + round(STEP_S * RATE_HZ) * FRAME_BYTES]
                self._sleep(seconds(step))
                heard += len(step)
            gap_s = min(MAX_GAP_S, max(0.0, began_mono_s - self._ended_mono_s))
            _append(file, bytes(round(gap_s * RATE_HZ) * FRAME_BYTES) + samples[:heard])
        except OSError as error:
            raise self._unwritable(error) from error
        self._ended_mono_s = self._mono_s()
        return whole

    def probe(self, overtaken: Callable[[], bool]) -> bool:
        try:
            self._opened()
        except OSError as error:
            raise self._unwritable(error) from error
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _unwritable(self, error: OSError) -> PlayerError:
        return PlayerError(f"{self._path} cannot be written ({error.strerror})",
                           "set [voice] output to a file that may be written")

    def _opened(self) -> BinaryIO:
        if self._file is None:
            fresh = not self._path.exists() or self._path.stat().st_size < HEADER_BYTES
            self._file = self._path.open("w+b" if fresh else "r+b")
            _append(self._file, b"")
        return self._file


def _append(file: BinaryIO, samples: bytes) -> None:
    """Put samples at the end and the new length into the header (RIFF WAVE, PCM)."""
    length = max(0, file.seek(0, os.SEEK_END) - HEADER_BYTES)
    file.seek(HEADER_BYTES + length)
    file.write(samples)
    length += len(samples)
    file.seek(0)
    form = (16, 1, 1, RATE_HZ, RATE_HZ * FRAME_BYTES, FRAME_BYTES, 8 * FRAME_BYTES)  # length, PCM, mono, ...
    file.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", HEADER_BYTES - 8 + length, b"WAVE", b"fmt ", *form, b"data",
                           length))
    file.flush()


def _last_line(aplay: subprocess.Popen[bytes]) -> str:
    lines = aplay.stderr.read().decode(errors="replace").strip().splitlines() if aplay.stderr else []
    return lines[-1] if lines else f"exit code {aplay.returncode}"
