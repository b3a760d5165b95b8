"""BenchFactory: gpiozero pins that are wired to the emulated board at $ANJU_BENCH_GPIO.

Choose it with GPIOZERO_PIN_FACTORY=bench. It obeys gpiozero's rules for pins (conformance: tests/drivers/gpio): an
input has a pull and no settable state, an output the reverse; edges are told to `when_changed` from another thread, as
with a real chip. No PWM and no SPI; `bounce` is kept and otherwise ignored, as gpiozero's own mock does.
"""

import contextlib
import json
import os
import socket
import threading
import time
from typing import Any

import gpiozero
from gpiozero.pins.pi import PiFactory, PiPin

ADDRESS = "ANJU_BENCH_GPIO"
ANSWER_S = 2.0
RETRY_S = 0.05
REVISION = 0xC03114  # Raspberry Pi 4B 1.4


class Wire:
    """One connection to the board: a request, an answer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._lines: Any = None
        self._turn = threading.Lock()
        self._over = False

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Do an operation on the board. Raises OSError where it is away, ValueError where it refuses."""
        with self._turn:
            for last in (False, True):
                try:
                    answer = self._once(op, arguments)
                    break
                except OSError:  # a board started anew does not know the old connection
                    self.close()
                    if last or self._over:
                        raise
        if not answer.pop("ok"):
            raise ValueError(answer["error"])
        return answer

    def _once(self, op: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(ANSWER_S)
            self._socket.connect(self._path)
            self._lines = self._socket.makefile("rb")
        self._socket.sendall(json.dumps({"op": op} | arguments).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError("the board hung up")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def hang_up(self) -> None:
        """End a question that another thread is waiting in; ask no further ones."""
        self._over = True
        with contextlib.suppress(OSError, AttributeError):  # not connected at this moment
            self._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._lines = None


class BenchPin(PiPin):  # type: ignore[misc]
    """One pin; its level is a copy of the board's, kept by the factory's watching thread."""

    def __init__(self, factory: "BenchFactory", info: Any) -> None:
        super().__init__(factory, info)
        self._function = "input"
        self._pull: str = info.pull or "floating"
        self._edges = "both"
        self._bounce: float | None = None
        self._watched = False
        self._high = False
        self._since = 0
        self.rewire()

    def close(self) -> None:
        self.when_changed = None
        self.function = "input"

    def changed(self, number: int, mono_s: float, high: bool) -> None:
        """Take a change that the board reports; one that the pin's own last configuration knew of is old."""
        if number <= self._since or self._function == "output" or high is self._high:
            return
        self._high = high
        edge = "rising" if high else "falling"
        if self._watched and self._edges in ("both", edge):
            with self._when_changed_lock:
                if self._when_changed is not None:
                    self._call_when_changed(mono_s, high)

    def rewire(self) -> None:
        """Tell the board what this pin is now, and take its level from there."""
        wanted = self._high
        self._high, self._since = self.factory.configure(self._number, self._function, self._pull)
        if self._function == "output" and self._high is not wanted:
            self._set_state(wanted)

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise gpiozero.PinInvalidFunction(f"function of {self!r} must be input or output")
        self._function = value
        self.rewire()

    def _get_state(self) -> bool:
        return self._high

    def _set_state(self, value: float) -> None:
        if self._function != "output":
            raise gpiozero.PinSetInput(f"cannot set state of input {self!r}")
        if value not in (0, 1):
            raise gpiozero.PinInvalidState(f"state of {self!r} must be 0 or 1")
        self.factory.drive(self._number, bool(value))
        self._high = bool(value)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._function != "input":
            raise gpiozero.PinFixedPull(f"cannot set pull on output {self!r}")
        if self.info.pull and value != self.info.pull:
            raise gpiozero.PinFixedPull(f"{self!r} has a pull-{self.info.pull} resistor on the board")
        if value not in ("floating", "up", "down"):
            raise gpiozero.PinInvalidPull(f"pull of {self!r} must be floating, up or down")
        self._pull = value
        self.rewire()

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise gpiozero.PinPWMUnsupported(f"no PWM on {self!r}")

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise gpiozero.PinInvalidBounce(f"bounce of {self!r} must be None or at least 0")
        self._bounce = value

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in ("none", "falling", "rising", "both"):
            raise gpiozero.PinInvalidEdges(f"edges of {self!r} must be none, falling, rising or both")
        self._edges = value

    def _enable_event_detect(self) -> None:
        self._watched = True

    def _disable_event_detect(self) -> None:
        self._watched = False


class BenchFactory(PiFactory):  # type: ignore[misc]
    """gpiozero's way to the board."""

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        path = path or os.environ.get(ADDRESS)
        if not path:
            raise gpiozero.BadPinFactory(f"no board: set {ADDRESS} to its socket")
        self.pin_class = BenchPin
        self._asks, self._watches = Wire(path), Wire(path)
        self._after: int = self._watches.ask("watch")["number"]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bench-gpio", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the board may have gone first
            super().close()
        self._closed.set()
        self._watches.hang_up()
        if self._thread is not threading.current_thread():
            self._thread.join(ANSWER_S)
        self._asks.close()

    def configure(self, number: int, function: str, pull: str) -> tuple[bool, int]:
        """Make the pin an input or output on the board; return its level and the number of the board's last change."""
        answer = self._asks.ask("configure", pin=number, function=function, pull=pull)
        return bool(answer["high"]), int(answer["number"])

    def drive(self, number: int, high: bool) -> None:
        self._asks.ask("drive", pin=number, high=high)

    @staticmethod
    def ticks() -> float:
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier

    def _get_revision(self) -> int:
        return REVISION

    def _watch(self) -> None:
        """Carry the board's changes to the pins until closed."""
        while not self._closed.is_set():
            try:
                news = self._watches.ask("watch", after=self._after)
                for number, where, mono_s, high in news["changes"]:
                    for pin in list(self.pins.values()):
                        if pin._number == where:
                            pin.changed(number, mono_s, high)
                if news["number"] < self._after:  # a new board: it knows nothing of our pins
                    for pin in list(self.pins.values()):
                        pin.rewire()
                self._after = news["number"]
            except OSError:
                self._closed.wait(RETRY_S)
        self._watches.close()
