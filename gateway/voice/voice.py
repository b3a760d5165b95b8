"""Voice: says prompts in a thread of its own, so that whoever asks goes on at once, whatever the sound device does.

The caller and the thread share two things that need no lock: a bounded deque, in which a full one forgets its oldest,
and a SimpleQueue that wakes the thread.

The device is probed with a moment of silence before the first alarm needs it, and again every PROBE_S while it fails.
"""

import asyncio
import logging
import threading
from collections import deque
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.model.reading import SpotCheck
from gateway.voice import readback
from gateway.voice.phrases import Phrases
from gateway.voice.players import AlsaPlayer, NoPlayer, Player, PlayerError, WavPlayer
from gateway.voice.waiting import Utterance, Waiting, enqueue, overtakes, take, unheard

log = logging.getLogger(__name__)

INBOX = 64
CLOSE_S = 2.0
PROBE_S = 180.0


class Voice:
    """`say()` from one thread, any time; `health()` for `anju status`; `close()` at the end."""

    def __init__(self, player: Player, language: str, output: str = "", probe_s: float = PROBE_S) -> None:
        self._player, self._language, self._output, self._probe_s = player, language, output, probe_s
        self._inbox: deque[Utterance] = deque(maxlen=INBOX)
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._closing = False
        self._waiting: Waiting = ()
        self._speaking: Utterance | None = None
        self._fault: PlayerError | None = None  # of the device
        self._lack: PlayerError | None = None  # of clips: it stays
        self._said = self._broken_off = 0
        self._thread = threading.Thread(target=self._run, name="voice", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, output: str, language: str) -> "Voice":
        """Start a voice: `output` "alsa", "alsa:DEVICE", "wav:FILE" or "none"; `language` "zh" or "en".

        A device that does not work is told by health(), not raised.
        """
        return cls(player_for(output), language, output)

    def say(self, prompt: Prompt, kind: FindingKind | None, alarm: str = "") -> None:
        """Say a prompt about an alarm of this id and kind, soon. Returns at once and never raises."""
        self._put(Utterance(prompt, kind, alarm))

    def _put(self, utterance: Utterance) -> None:
        self._inbox.append(utterance)
        if self._wake.empty():
            self._wake.put(None)

    def aloud(self, device: str, check: SpotCheck) -> None:
        """Say what somebody just measured, or that it failed, soon and after every alarm. Returns at once."""
        words = readback.clips(check, self._language)
        self._put(Utterance(Prompt.MEASURED if words else Prompt.MEASURE_AGAIN, None, f"measured {device}", words))

    def health(self) -> dict[str, Any]:
        """What is said now, how much was said and broken off; `reason` and `cure` where the device or clips fail."""
        speaking, fault = self._speaking, self._fault or self._lack
        return {"output": self._output, "language": self._language, "speaking": _label(speaking) if speaking else None,
                "waiting": len(self._waiting) + len(self._inbox), "said": self._said, "broken_off": self._broken_off,
                **({"reason": fault.reason, "cure": fault.cure} if fault else {})}

    async def close(self) -> None:
        """Break off and end; a player that hangs is left behind."""
        self._closing = True
        self._wake.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_S)

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            phrases = Phrases(self._language)
            if phrases.missing:
                self._lack = PlayerError(f"the voice lacks {', '.join(phrases.missing)}", "install the gateway again")
                log.error("voice incomplete reason=%r cure=%r", self._lack.reason, self._lack.cure)
            self._probe()
            while not self._closing:
                try:
                    self._wake.get(timeout=None if self._fault is None else self._probe_s)
                except Empty:
                    self._probe()
                self._take()
                while self._waiting and not self._closing:
                    self._speaking, self._waiting = take(self._waiting)
                    self._speak(self._speaking, phrases)
                    self._speaking = None
                    self._take()
        except Exception as error:
            log.exception("voice failed")
            self._fault = PlayerError(f"fault in the voice: {type(error).__name__}: {error}", "report it with the log")
        finally:
            self._player.close()

    def _probe(self) -> None:
        """Learn whether the device works; whatever there is to say goes before."""
        try:
            if self._player.probe(lambda: self._closing or bool(self._inbox)):
                self._works()
        except PlayerError as error:
            self._failed(error)

    def _speak(self, utterance: Utterance, phrases: Phrases) -> None:
        try:
            whole = self._player.play(phrases.compose(utterance), _label(utterance), self._overtaken)
        except PlayerError as error:
            self._failed(error)
            return
        if whole:
            self._said += 1
        else:
            self._broken_off += 1
        self._works()

    def _works(self) -> None:
        if self._fault is not None:
            log.info("voice works again")
            self._fault = None

    def _failed(self, error: PlayerError) -> None:
        if self._fault is None or self._fault.reason != error.reason:
            log.error("voice silent reason=%r cure=%r", error.reason, error.cure)
        self._fault = error

    def _take(self) -> None:
        """Move what was asked for into the waiting line; what is being said at this moment need not be said again."""
        while self._inbox:
            self._waiting = enqueue(self._waiting, self._inbox.popleft())
        if self._speaking is not None:
            self._waiting = unheard(self._waiting, self._speaking)

    def _overtaken(self) -> bool:
        self._take()
        return self._closing or (self._speaking is not None and overtakes(self._waiting, self._speaking))


def player_for(output: str) -> Player:
    """Return the player that `[voice] output` names; the pattern of that key allows no other."""
    name, _, where = output.partition(":")
    if name == "alsa":
        return AlsaPlayer(where or None)
    if name == "wav":
        return WavPlayer(Path(where))
    return NoPlayer()


def _label(utterance: Utterance) -> str:
    return " ".join([utterance.kind or "gateway", utterance.prompt, *utterance.words])
