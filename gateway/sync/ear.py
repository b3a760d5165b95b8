"""Ear: what the city says, sorted out: acknowledgements settle rows, commands go to the inbox, the rest is garbage.

It outlives the conversations: what needs the store is served for ever, and a session that ends in between takes nothing
of it along. The outbox in memory is settled at once: it does not wait for a disk that says nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from gateway.model.command import Command
from gateway.store import StoreError
from gateway.sync import wire
from gateway.sync.commands import Commands
from gateway.sync.conversation import Conversation
from gateway.sync.disk import Disk
from gateway.sync.session import Message
from gateway.sync.tally import Tally
from gateway.sync.volatile import VolatileOutbox

log = logging.getLogger(__name__)

TOLD = 512  # messages that wait for the store; above what the windows allow to be acknowledged at once


class Ear:
    """hear() takes each message; run() serves what needs the store. `conversation`: the present one, if any."""

    def __init__(self, gateway: str, disk: Disk, volatile: VolatileOutbox, commands: Commands, tally: Tally,
                 on_received: Callable[[Sequence[str]], None]) -> None:
        self.conversation: Conversation | None = None
        self._acks, self._orders = wire.ack_topic(gateway), wire.command_topic(gateway)
        self._disk = disk
        self._volatile = volatile
        self._commands = commands
        self._tally = tally
        self._on_received = on_received
        self._told: asyncio.Queue[wire.Ack | bytes] = asyncio.Queue(TOLD)
        self._refused = ""  # the retained command last seen; a topic holds one

    async def hear(self, message: Message) -> None:
        """Take one message of the city."""
        try:
            if message.topic == self._acks:
                await self._acknowledgement(wire.decode_ack(message.payload))
            elif message.topic == self._orders and message.retained:
                self._refuse(wire.decode_command(message.payload))
            elif message.topic == self._orders:
                self._keep(message.payload)
            else:
                self._tally.garbage += 1
        except wire.WireError as error:
            self._garbage(error)

    async def run(self) -> None:
        """Serve what needs the store, for ever."""
        while True:
            told = await self._told.get()
            try:
                if isinstance(told, wire.Ack):
                    await self._settle(told)
                else:
                    await self._disk.ask(self._commands.receive(told))
            except wire.WireError as error:
                self._garbage(error)
            except StoreError as error:  # the city repeats what it got no answer to
                log.warning("not kept reason=%r", str(error))

    async def _acknowledgement(self, ack: wire.Ack) -> None:
        if ack.epoch != self._volatile.epoch:
            self._keep(ack)
            return
        self._settled(ack, await self._volatile.settle(ack.epoch, ack.of_lane, ack.upto, self._published(ack)))

    async def _settle(self, ack: wire.Ack) -> None:
        """Settle rows of the store; it renews its epoch once a session: a city that counts wrong would ask for ever."""
        conversation, store = self.conversation, self._disk.store
        before, renew = store.epoch, conversation is not None and not conversation.renewed
        ids = await self._disk.ask(store.settle(ack.epoch, ack.of_lane, ack.upto, ack.id,
                                                published=self._published(ack), renew=renew))
        self._settled(ack, ids)
        if conversation is not None:
            conversation.renewed |= before == ack.epoch != store.epoch

    def _settled(self, ack: wire.Ack, ids: Sequence[str]) -> None:
        if self.conversation is not None:
            self.conversation.acknowledged(ack, proven=bool(ids))
        if ids:
            self._tally.received += len(ids)
            self._on_received(ids)

    def _published(self, ack: wire.Ack) -> int:
        return 0 if self.conversation is None else self.conversation.published(ack)

    def _keep(self, told: wire.Ack | bytes) -> None:
        """For run(). What finds no room is told again: commands by the city, acknowledgements after a resend."""
        if not self._told.full():
            self._told.put_nowait(told)

    def _garbage(self, error: wire.WireError) -> None:
        self._tally.garbage += 1
        log.warning("refused what the city sent reason=%r", str(error))

    def _refuse(self, retained: Command) -> None:
        """A retained command is of unknown age. It comes again at every connection: logged once."""
        self._tally.garbage += 1
        if retained.id != self._refused:
            self._refused = retained.id
            log.warning("refused a retained command id=%s cure=%r", retained.id,
                        "have the city's integrator publish commands without retain, and clear this one")
