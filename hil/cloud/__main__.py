"""`python -m hil.cloud`: the reference city as a process. Prints one JSON line when it is subscribed."""

import argparse
import asyncio
import json
from pathlib import Path

from hil.cloud.behaviour import BEHAVIOURS
from hil.cloud.city import City, tls_context
from hil.cloud.ledger import Book
from hil.resources import control


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hil.cloud", description="The reference city of docs/protocol.md.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-ca", type=Path)
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--behave", type=control.words, metavar="'NAME KEY=VALUE ...'", default=("well", {}),
                        help=f"as no city should: {', '.join(BEHAVIOURS)}; see hil/cloud/behaviour.py")
    arguments = parser.parse_args()
    name, how = arguments.behave
    book = Book(arguments.db)
    try:
        tls = tls_context(arguments.tls_ca, arguments.cert, arguments.key)
        city = City(arguments.host, arguments.port, book, tls)
        await city.handle("behave", {"name": name, **how})
        async with control.serve(arguments.control, city.handle), asyncio.TaskGroup() as group:
            group.create_task(city.run())
            await city.connected.wait()
            print(json.dumps({"ready": True, "control": str(arguments.control)}), flush=True)
    finally:
        book.close()


if __name__ == "__main__":
    asyncio.run(_main())
