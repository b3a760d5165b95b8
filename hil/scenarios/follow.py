"""Follow what a gateway says, to whoever asks and to the resident, over its restarts."""

import asyncio
import json
from pathlib import Path
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


async def voice(spoken: Path, board: Board) -> Never:
    """Put what the resident hears on the board, for ever. `spoken`: the log that the voice writes beside its WAV."""
    read = 0
    while True:
        if spoken.exists():
            lines = spoken.read_text("utf-8").split("\n")[:-1]  # what follows the last line feed is still being written
            for line in lines[read:]:
                board.did(f"voice: {json.loads(line)['said']}")
            read = len(lines)
        await asyncio.sleep(0.1)
