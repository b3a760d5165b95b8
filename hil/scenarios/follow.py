"""Follow what a gateway says of itself, over its restarts."""

import asyncio
from typing import Never

from hil.scenarios.board import Board
from hil.strategies.gateway import Gateway


async def tail(gateway: Gateway, board: Board) -> Never:
    """Put every line of the gateway's tail on the board, for ever."""
    while True:
        try:
            async for fact in gateway.stream("tail"):
                text = fact["text"].removeprefix("sensor.changed ").removeprefix("device.state ")
                board.decided(f"{'' if fact['what'] == 'event' else fact['what'] + ' '}{fact['subject']}: {text}")
        except (OSError, RuntimeError, ValueError):
            pass  # it is down or just starting: the next try finds it
        await asyncio.sleep(0.1)
