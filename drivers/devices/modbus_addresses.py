"""Addresses of a Modbus module as the configuration has them: the keys of a table, counted from 0 as on the wire."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def check(name: str, keys: Iterable[str], max_span: int) -> None:
    """Raise ValueError where the keys of the setting `name` are no addresses that one request can read."""
    keys = list(keys)
    if not keys:
        raise ValueError(f"{name}: none given")
    wrong = [key for key in keys if not (key.isascii() and key.isdigit() and int(key) <= 65535)]
    if wrong:
        raise ValueError(f"{name}: {wrong[0]!r} is no address from 0 to 65535")
    addresses = [int(key) for key in keys]
    if len(set(addresses)) < len(addresses):
        raise ValueError(f"{name}: an address is given twice")
    if max(addresses) - min(addresses) >= max_span:
        raise ValueError(f"{name}: they span more than {max_span} addresses, split them over two devices")


def request(table: Mapping[str, T]) -> tuple[int, int, dict[int, T]]:
    """Return first address and count of the request that reads all of a table, and the table by index in the answer."""
    by_address = {int(key): one for key, one in table.items()}
    first, last = min(by_address), max(by_address)
    return first, last - first + 1, {address - first: one for address, one in sorted(by_address.items())}
