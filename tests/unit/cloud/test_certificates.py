"""The bench's authority issues what OpenSSL accepts, and what it must refuse."""

import asyncio
import ssl
from pathlib import Path

import pytest

from hil.resources.certificates import Authority, Pair

HOST = "127.0.0.1"


async def shake(server: Pair, trusts: Path, client: Pair | None = None, clients_of: Path | None = None) -> bytes:
    """Return what the server sends over TLS, if it comes to that."""
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients_of)
    ours.load_cert_chain(server.cert_file, server.key_file)
    if clients_of is not None:
        ours.verify_mode = ssl.CERT_REQUIRED
    theirs = ssl.create_default_context(cafile=trusts)
    if client is not None:
        theirs.load_cert_chain(client.cert_file, client.key_file)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, HOST, 0, ssl=ours) as listening:
        reader, writer = await asyncio.open_connection(HOST, listening.sockets[0].getsockname()[1], ssl=theirs)
        try:
            return await reader.read(5)
        finally:
            writer.transport.abort()


async def test_a_server_and_a_client_of_one_authority_agree(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.server("broker", [HOST]), authority.client("flat-12")
    assert await shake(server, authority.ca_file, client, authority.ca_file) == b"hello"
    assert client.key_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("hosts", "days", "code"), [
    ([HOST], (-9, -1), 10), ([HOST], (1, 9), 9), (["elsewhere.example"], (-1, 9), 64),
])
async def test_a_bad_server_certificate_is_refused_for_its_own_reason(
    tmp_path: Path, hosts: list[str], days: tuple[int, int], code: int
) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        await shake(authority.server("broker", hosts, days), authority.ca_file)
    assert refused.value.verify_code == code


async def test_another_authority_of_the_same_name_is_not_trusted(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(theirs.server("broker", [HOST]), ours.ca_file)
