"""Every door that stays shut says why and what to do, and opens by itself once it is mended."""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.model.event import Lane
from gateway.model.time import ClockQuality
from hil.resources.certificates import Authority
from tests.system.broker import HOST, Flat, FlatClock, city, event, flat, free_port, mosquitto, tls_lines


async def test_an_alarm_goes_through_tls_with_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    server, client = authority.server("broker", ["localhost", HOST]), authority.client("flat-12")
    lines = tls_lines(authority, server, client_certificates=True)
    files = {"ca_file": authority.ca_file, "cert_file": client.cert_file, "key_file": client.key_file}
    city_files = ["--tls-ca", str(authority.ca_file), "--cert", str(client.cert_file), "--key", str(client.key_file)]
    async with mosquitto(tmp_path, *lines) as broker, city(tmp_path, broker.port, *city_files) as there, \
            flat(tmp_path / "state", broker.port, tls=True, **files) as home:
        await home.store.append([event("a", Lane.ALARM)])
        await home.until(lambda: home.received == ["a"])
        assert await there.ids() == ["a"]


@asynccontextmanager
async def _shut(folder: Path, state: str, *lines: str, clock: FlatClock | None = None, **settings: Any
                ) -> AsyncIterator[tuple[Flat, dict[str, Any]]]:
    async with mosquitto(folder, *lines) as broker, \
            flat(folder / "state", broker.port, clock=clock, **settings) as home:
        yield home, await home.until_state(state)


async def test_a_broker_of_another_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    lines = tls_lines(theirs, theirs.server("broker", [HOST]))
    async with _shut(tmp_path, "certificate_refused", *lines, tls=True, ca_file=ours.ca_file) as (home, health):
        assert "unknown authority" in health["reason"]
        assert "city.ca_file" in health["cure"]
        await home.store.append([event("a", Lane.ALARM)])
        assert home.sent == []


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    lines = tls_lines(authority, authority.server("broker", ["mqtt.elsewhere.example"]))
    settings = {"tls": True, "ca_file": authority.ca_file, "host": "localhost"}
    async with _shut(tmp_path, "certificate_refused", *lines, **settings) as (_, health):
        assert "another host name" in health["reason"]
        assert "city.host" in health["cure"]


@pytest.mark.parametrize(("days", "words"), [((-30, -1), "has expired"), ((1, 30), "is not valid yet")])
async def test_a_certificate_out_of_its_time_is_refused(tmp_path: Path, days: tuple[int, int], words: str) -> None:
    authority = Authority(tmp_path / "ca")
    lines = tls_lines(authority, authority.server("broker", [HOST], valid_days=days))
    settings = {"tls": True, "ca_file": authority.ca_file}
    async with _shut(tmp_path, "certificate_refused", *lines, **settings) as (_, health):
        assert words in health["reason"]
        assert "date" in health["cure"]


async def test_dates_are_not_judged_while_nobody_has_set_the_clock(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    lines = tls_lines(authority, authority.server("broker", [HOST], valid_days=(1, 30)))
    clock = FlatClock(ClockQuality.UNSET)
    settings = {"tls": True, "ca_file": authority.ca_file}
    async with _shut(tmp_path, "connected", *lines, clock=clock, **settings) as (_, health):
        assert health["connected"]


async def test_a_stranger_is_refused_even_while_nobody_has_set_the_clock(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    lines = tls_lines(theirs, theirs.server("broker", [HOST]))
    settings = {"tls": True, "ca_file": ours.ca_file, "clock": FlatClock(ClockQuality.UNSET)}
    async with _shut(tmp_path, "certificate_refused", *lines, **settings) as (_, health):
        assert not health["connected"]


@pytest.mark.parametrize("own", ["none", "of another authority"])
async def test_a_gateway_without_a_good_certificate_of_its_own_is_told_so(tmp_path: Path, own: str) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "Another CA")
    lines = tls_lines(authority, authority.server("broker", [HOST]), client_certificates=True)
    settings: dict[str, Any] = {"tls": True, "ca_file": authority.ca_file}
    if own != "none":
        pair = other.client("flat-12")
        settings |= {"cert_file": pair.cert_file, "key_file": pair.key_file}
    async with _shut(tmp_path, "client_certificate_refused", *lines, **settings) as (_, health):
        assert "city.cert_file" in health["cure"]


async def test_a_revoked_certificate_is_told_and_another_one_is_not_hit(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    stolen, good = authority.client("stolen"), authority.client("flat-12")
    lines = [*tls_lines(authority, authority.server("broker", [HOST]), client_certificates=True),
             f"crlfile {authority.revoke(stolen)}"]
    settings: dict[str, Any] = {"tls": True, "ca_file": authority.ca_file}
    async with mosquitto(tmp_path, *lines) as broker:
        own = {"cert_file": stolen.cert_file, "key_file": stolen.key_file}
        async with flat(tmp_path / "stolen", broker.port, **settings, **own) as home:
            health = await home.until_state("client_certificate_refused")
            assert "was revoked" in health["reason"]
            assert "certificate desk" in health["cure"]
        own = {"cert_file": good.cert_file, "key_file": good.key_file}
        async with flat(tmp_path / "good", broker.port, **settings, **own) as home:
            await home.until_state("connected")


async def test_an_expired_certificate_of_ones_own_is_told_and_a_new_one_is_taken_up_without_a_restart(
    tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    lines = tls_lines(authority, authority.server("broker", [HOST]), client_certificates=True)
    own = authority.client("flat-12", valid_days=(-30, -1))
    settings = {"tls": True, "ca_file": authority.ca_file, "cert_file": own.cert_file, "key_file": own.key_file}
    async with _shut(tmp_path, "client_certificate_refused", *lines, **settings) as (home, health):
        assert "has expired" in health["reason"]
        authority.client("flat-12")  # the desk's new one, in the same files
        await home.until_state("connected")


async def test_a_gateway_without_a_clock_waits_until_the_broker_takes_its_certificate_for_valid(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    lines = tls_lines(authority, authority.server("broker", [HOST], valid_days=(1, 30)), client_certificates=True)
    own = authority.client("flat-12", valid_days=(2.5 / 86400, 30))
    settings = {"tls": True, "ca_file": authority.ca_file, "cert_file": own.cert_file, "key_file": own.key_file}
    clock = FlatClock(ClockQuality.UNSET)
    async with _shut(tmp_path, "client_certificate_refused", *lines, clock=clock, **settings) as (home, health):
        assert not health["connected"]
        home.uplink.offer([event("a", Lane.ALARM)])  # with an alarm waiting it looks again soon
        await home.until_state("connected")


async def test_a_wrong_password_is_told_and_the_right_one_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    passwords, password = tmp_path / "passwords", tmp_path / "password"
    passwords.write_text(_mosquitto_hash("flat-12", "open sesame"))
    passwords.chmod(0o644)
    password.write_text("wrong\n")
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    settings = {"username": "flat-12", "password_file": password}
    async with _shut(tmp_path, "credentials_refused", *lines, **settings) as (home, health):
        assert "city.password_file" in health["cure"]
        password.write_text("open sesame\n")
        await home.until_state("connected")


def _mosquitto_hash(name: str, password: str) -> str:
    """Return a line as mosquitto_passwd(1) writes it: PBKDF2 with SHA-512."""
    salt, rounds = b"123456789012", 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"{name}:$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


async def test_an_unreachable_broker_is_told_and_found_when_it_comes(tmp_path: Path) -> None:
    port = free_port()
    async with flat(tmp_path / "state", port, answer_s=1.0) as home:  # the broker may be there before its city
        health = await home.until_state("unreachable")
        assert "Connection refused" in health["reason"]
        assert "internet connection" in health["cure"]
        await home.store.append([event("a", Lane.ALARM)])
        async with mosquitto(tmp_path) as broker:
            broker_port = broker.port
            await broker.stop()
            broker.port = port
            await broker.start()
            async with city(tmp_path, port):
                await home.until(lambda: home.received == ["a"])
        assert broker_port != port


async def test_a_host_nobody_knows_is_told(tmp_path: Path) -> None:
    async with flat(tmp_path / "state", 1, host="no-such-host.invalid") as home:
        health = await home.until_state("unreachable")
        assert "city.host" in health["cure"]


async def test_a_missing_file_is_told(tmp_path: Path) -> None:
    async with flat(tmp_path / "state", 1, tls=True, ca_file=tmp_path / "nowhere.pem") as home:
        health = await home.until_state("settings_unusable")
        assert "city.ca_file" in health["reason"]


async def test_a_port_that_is_no_broker_is_told(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(hang_up, HOST, 0)
    async with server, flat(tmp_path / "state", server.sockets[0].getsockname()[1]) as home:
        health = await home.until_state("protocol_refused")
        assert "MQTT port" in health["cure"]


async def test_plain_mqtt_behind_a_tls_setting_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    async with _shut(tmp_path, "unreachable", tls=True, ca_file=authority.ca_file) as (_, health):
        assert "TLS port" in health["cure"]


async def test_a_broker_that_forbids_the_topics_is_told(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read anju/v1/flat-12/down/#\n")
    acl.chmod(0o644)
    async with _shut(tmp_path, "connected", f"acl_file {acl}") as (home, _):
        await home.store.append([event("a", Lane.ALARM)])
        health = await home.until_state("not_authorised")
        assert "anju/v1/flat-12/up/alarm" in health["cure"]
        assert home.sent == []


async def test_a_peer_that_accepts_and_never_answers_is_told_and_can_be_left_at_once(tmp_path: Path) -> None:
    release, connected = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await release.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with flat(tmp_path / "told", port, connack_s=0.2) as home:
            health = await home.until_state("unreachable")
            assert "does not answer" in health["reason"]
        connected.clear()
        async with flat(tmp_path / "left", port):
            await connected.wait()
            left_s = time.monotonic()
        assert time.monotonic() - left_s < 3.0
        release.set()
