"""Agents: org.bluez.AgentManager1. One agent a client; who asked last is the default (BlueZ, doc/org.bluez.Agent*)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bumble.pairing import PairingDelegate
from dbus_fast import Message, MessageFlag, MessageType

from hil.bluez.faults import BlueZError

MANAGER, AGENT = "org.bluez.AgentManager1", "org.bluez.Agent1"

_Io = PairingDelegate.IoCapability
CAPABILITIES = {
    "": _Io.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "DisplayOnly": _Io.DISPLAY_OUTPUT_ONLY,
    "DisplayYesNo": _Io.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    "KeyboardOnly": _Io.KEYBOARD_INPUT_ONLY,
    "NoInputNoOutput": _Io.NO_OUTPUT_NO_INPUT,
    "KeyboardDisplay": _Io.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
}


@dataclass(frozen=True, slots=True)
class Agent:
    owner: str
    path: str
    io: PairingDelegate.IoCapability


class Agents:
    """Who answers for a pairing. `call` sends a method call and waits for its reply where one is wanted."""

    def __init__(self, call: Callable[[Message], Awaitable[Message | None]]) -> None:
        self._call = call
        self._agents: dict[str, Agent] = {}
        self._defaults: list[Agent] = []

    async def register(self, message: Message) -> None:
        path, capability = message.body
        owner = str(message.sender)
        if owner in self._agents:
            raise BlueZError("org.bluez.Error.AlreadyExists", "Already Exists")
        if capability not in CAPABILITIES:
            raise BlueZError("org.bluez.Error.InvalidArguments", "Invalid arguments in method call")
        self._agents[owner] = Agent(owner, path, CAPABILITIES[capability])

    async def unregister(self, message: Message) -> None:
        self.gone(self._own(message).owner)

    async def make_default(self, message: Message) -> None:
        agent = self._own(message)
        self._defaults = [agent, *(other for other in self._defaults if other is not agent)]

    def gone(self, owner: str) -> None:
        """A client has died, or takes its agent back."""
        if agent := self._agents.pop(owner, None):
            self._defaults = [other for other in self._defaults if other is not agent]

    def of(self, client: str | None) -> Agent | None:
        """The agent of the client that called Pair, else the default one."""
        return self._agents.get(client or "") or (self._defaults[0] if self._defaults else None)

    async def ask(self, agent: Agent, member: str, signature: str, body: list[Any]) -> list[Any] | None:
        """Return the agent's answer; None where it rejects."""
        reply = await self._call(Message(destination=agent.owner, path=agent.path, interface=AGENT, member=member,
                                         signature=signature, body=body))
        return None if reply is None or reply.message_type is MessageType.ERROR else reply.body

    async def tell(self, agent: Agent, member: str, signature: str = "", body: list[Any] | None = None) -> None:
        """Call a method that nobody waits for: Cancel, Release, DisplayPasskey."""
        await self._call(Message(destination=agent.owner, path=agent.path, interface=AGENT, member=member,
                                 signature=signature, body=body or [], flags=MessageFlag.NO_REPLY_EXPECTED))

    def _own(self, message: Message) -> Agent:
        agent = self._agents.get(str(message.sender))
        if agent is None or agent.path != message.body[0]:
            raise BlueZError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        return agent
