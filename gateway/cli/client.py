"""Client: asks the running gateway over its control socket, JSON lines (gateway/ops/control.py is the other end)."""

import json
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.cli import DEFAULT_CONFIG_FILE
from gateway.config import ConfigForbidden, read
from gateway.config.schema import Gateway

ANSWER_S = 10.0
_LOG = "look at its log: journalctl -u anju"
_START = "start it with `sudo systemctl start anju`, or name its configuration with --config"


class ClientError(Exception):
    """The gateway could not be asked, or did not do it; `cure` says what to do. `code`: the command's exit code."""

    code = 1

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason, self.cure = reason, cure


class NotRunning(ClientError):
    """There is no gateway that answers, or none that lets us ask."""

    code = 2


class Refused(ClientError):
    """The gateway answered that it cannot or will not."""


def control_socket(config: Path) -> Path:
    """Where the gateway of this configuration listens. Raises ConfigError where the file cannot be read.

    A file that is no good TOML does not stop us: the gateway may well be running on its last good configuration. Nor do
    the rights of the default file, which only root and the service may read: a technician may ask the gateway all the
    same, and it listens at the usual place.
    """
    run_dir = Gateway(id="any").run_dir
    try:
        run_dir = Path(tomllib.loads(read(config))["gateway"]["run_dir"])
    except ConfigForbidden:
        if config != Path(DEFAULT_CONFIG_FILE):
            raise
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        pass
    return run_dir / "control.sock"


class Client:
    """Asks at `path`. Every question is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, verb: str, timeout_s: float = ANSWER_S, **arguments: Any) -> Any:
        """Return the one answer. Raises ClientError."""
        for answer in self.stream(verb, timeout_s, **arguments):
            return answer
        raise NotRunning("the gateway hung up without an answer", _LOG)

    def stream(self, verb: str, timeout_s: float | None = None, **arguments: Any) -> Iterator[Any]:
        """Yield answers until there are no more. `timeout_s`: longest wait for the next. Raises ClientError."""
        with self._connected() as peer, peer.makefile("rb") as lines:
            peer.settimeout(timeout_s)
            try:
                peer.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
                peer.shutdown(socket.SHUT_WR)  # one question: the gateway hangs up after its last answer
                for line in lines:
                    yield _result(line)
            except TimeoutError:
                raise NotRunning(f"the gateway has not answered within {timeout_s:g} s", _LOG) from None
            except ConnectionError:
                raise NotRunning("the gateway hung up", _LOG) from None

    def _connected(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            peer.connect(str(self._path))
        except PermissionError:
            peer.close()
            raise NotRunning(f"you may not open {self._path}",
                             "become a member of the group anju-tech, or use sudo") from None
        except OSError:
            peer.close()
            raise NotRunning(f"the gateway is not running (nobody answers at {self._path})", _START) from None
        return peer


def _result(line: bytes) -> Any:
    try:
        answer = json.loads(line)
        ok = answer["ok"]
    except (ValueError, KeyError, TypeError):
        raise Refused("the gateway's answer makes no sense", "use the anju command of the same version") from None
    if not ok:
        raise Refused(answer.get("error", "no reason given"), answer.get("cure", "look at `anju status`"))
    return answer["result"]
