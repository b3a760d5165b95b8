"""Bonds: Device1.Pair and what it leaves behind, by BlueZ's rules (src/device.c, src/gatt-client.c).

- Pair asks the agent of its caller, and no agent at all where the device has nothing to show or compare: the call is
  consent enough. A pairing that nobody called for (a protected characteristic is read) asks the default agent.
- A call that touches what is protected is not answered where no bond comes about, until the link ends (seen with 5.66).
- CancelPairing of a device that has just been paired takes its key from the kernel, not from disk (seen with 5.66).
- An agent's error is a negative answer: the pairing ends as AuthenticationFailed. A link that ends under it, and
  CancelPairing, end it as AuthenticationCanceled, and the agent hears Cancel.
- Bonds outlive bluetoothd: the keys stay with the host, and a bonded device is there from the start.
- A bonded device is encrypted as soon as it is connected; if it knows our key no more, the connection fails.

Not modelled: the timers of 30 s (Security Manager) and 60 s (agent); security requests of the device.
"""

import asyncio
import contextlib
from typing import Any

from bumble import core, hci, keys
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast import Message, Variant

from hil.bluez.adapter import DEVICE, Adapter
from hil.bluez.agents import Agent, Agents
from hil.bluez.air import address_of
from hil.bluez.faults import BlueZError
from hil.bluez.tree import Tree

_KEYS = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY  # no identity: these devices keep their address


class _Delegate(PairingDelegate):
    """One pairing's questions, put to an agent. `intended`: somebody called Pair."""

    def __init__(self, agents: Agents, agent: Agent | None, path: str, intended: bool) -> None:
        super().__init__(agent.io if agent else self.NO_OUTPUT_NO_INPUT, _KEYS, _KEYS)
        self._agents, self._agent, self._path, self._intended = agents, agent, path, intended

    async def confirm(self, auto: bool = False) -> bool:
        return self._intended or await self._ask("RequestAuthorization", "o", [self._path]) is not None

    async def compare_numbers(self, number: int, digits: int) -> bool:
        return await self._ask("RequestConfirmation", "ou", [self._path, number]) is not None

    async def get_number(self) -> int | None:
        answer = await self._ask("RequestPasskey", "o", [self._path])
        return answer[0] if answer else None

    async def display_number(self, number: int, digits: int) -> None:
        if self._agent:
            await self._agents.tell(self._agent, "DisplayPasskey", "ouq", [self._path, number, 0])

    async def _ask(self, member: str, signature: str, body: list[Any]) -> list[Any] | None:
        if self._agent is None:
            return None
        try:
            return await self._agents.ask(self._agent, member, signature, body)
        except asyncio.CancelledError:
            await self._agents.tell(self._agent, "Cancel")
            raise


class Bonds:
    """Every bond of the adapter, and the pairings under way."""

    def __init__(self, tree: Tree, host: Device, adapter: Adapter, agents: Agents) -> None:
        self._tree, self._host, self._adapter, self._agents = tree, host, adapter, agents
        self._under_way: dict[str, tuple[str, asyncio.Task[None]]] = {}  # path -> who called, what runs
        self._delegate: _Delegate | None = None
        host.pairing_config_factory = self._configuration

    async def appear(self) -> None:
        """Show every bonded device."""
        for name, _keys in await self._store.get_all():
            address = hci.Address(name)
            path = self._adapter.know(address)
            self._adapter.kept.add(path)
            self._mark(path)

    async def pair(self, path: str, link: Connection, caller: str) -> None:
        """Pair over a link. Raises BlueZError."""
        self.must_be_free(path)
        task = asyncio.ensure_future(self._pair(path, link, self._agents.of(caller), True))
        self._under_way[path] = caller, task
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            if (me := asyncio.current_task()) and me.cancelling():
                raise
            with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error):
                await link.disconnect()
            raise BlueZError("org.bluez.Error.AuthenticationCanceled", "Authentication Canceled") from None
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            raise BlueZError("org.bluez.Error.AuthenticationFailed", "Authentication Failed") from error
        finally:
            del self._under_way[path]

    def must_be_free(self, path: str) -> None:
        """Raise where Pair is refused at once."""
        if self._tree.get(path, DEVICE, "Paired"):
            raise BlueZError("org.bluez.Error.AlreadyExists", "Already Exists")
        if self._under_way:
            raise BlueZError("org.bluez.Error.InProgress", "In Progress")

    async def cancel(self, message: Message) -> None:
        """Device1.CancelPairing."""
        await self.forget(str(message.path))
        if message.path not in self._under_way:
            raise BlueZError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self._under_way[str(message.path)][1].cancel()

    def gone(self, client: str) -> None:
        """A client has died: what it wanted to pair is let go."""
        for caller, task in self._under_way.values():
            if caller == client:
                task.cancel()

    async def encrypt(self, path: str, link: Connection) -> None:
        """Use the bond of a device that was just connected. Raises BlueZError where it knows our key no more."""
        if not self._tree.get(path, DEVICE, "Bonded"):
            return
        try:
            await self._host.encrypt(link)
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error):
                await link.disconnect()
            raise BlueZError("org.bluez.Error.Failed", "le-connection-key-missing") from error

    async def elevate(self, path: str, link: Connection) -> None:
        """A protected attribute was touched: pair, by the default agent. Raises BlueZError when the link is over."""
        over = asyncio.Event()
        link.on("disconnection", lambda _reason: over.set())
        try:
            if self._tree.get(path, DEVICE, "Paired") or self._under_way:
                raise core.InvalidStateError("bonded or being paired, and yet refused")
            await self._pair(path, link, self._agents.of(None), False)
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            await over.wait()
            raise BlueZError("org.bluez.Error.Failed", "Not connected") from error

    async def forget(self, path: str) -> None:
        """Drop a bond's keys, if there is one."""
        if self._tree.get(path, DEVICE, "Bonded"):
            await self._store.delete(str(self._adapter.addresses[path]))

    async def _pair(self, path: str, link: Connection, agent: Agent | None, intended: bool) -> None:
        self._delegate = _Delegate(self._agents, agent, path, intended)
        await self._host.pair(link)
        self._adapter.kept.add(path)
        self._mark(path)

    def _mark(self, path: str) -> None:
        self._tree.set(path, DEVICE, {"Paired": Variant("b", True), "Bonded": Variant("b", True)})

    def _configuration(self, link: Connection) -> PairingConfig:
        path = self._adapter.path_of(address_of(link.peer_address))
        delegate = self._delegate or _Delegate(self._agents, self._agents.of(None), path, False)
        return PairingConfig(mitm=delegate.io_capability != delegate.NO_OUTPUT_NO_INPUT, delegate=delegate)

    @property
    def _store(self) -> keys.KeyStore:
        store = self._host.keystore
        assert store is not None  # made when the host was powered on
        return store
