"""A small certificate authority for tests and the bench: good certificates, and the bad ones that must be refused."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    cert_file: Path
    key_file: Path


class Authority:
    """A CA that lives in `folder`. Two of them share nothing but perhaps their name."""

    def __init__(self, folder: Path, name: str = "Anju bench CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        authority = x509.BasicConstraints(ca=True, path_length=0)
        signing = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._certificate = (
            self._builder(self._name, self._key.public_key(), now - timedelta(days=365), now + timedelta(days=3650))
            .add_extension(authority, critical=True)
            .add_extension(signing, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, hosts: Sequence[str], valid_days: tuple[float, float] = (-1, 30)) -> Pair:
        """Issue a certificate for a broker on `hosts`, valid from and to so many days from now."""
        return self._issue(name, hosts, ExtendedKeyUsageOID.SERVER_AUTH, valid_days)

    def client(self, name: str, valid_days: tuple[float, float] = (-1, 30)) -> Pair:
        """Issue a certificate for a gateway or the city's application."""
        return self._issue(name, (), ExtendedKeyUsageOID.CLIENT_AUTH, valid_days)

    def revoke(self, *pairs: Pair) -> Path:
        """Return the file of a new revocation list that names these."""
        now = datetime.now(UTC)
        listed = x509.CertificateRevocationListBuilder(self._name, now - timedelta(days=1), now + timedelta(days=30))
        for pair in pairs:
            serial = x509.load_pem_x509_certificate(pair.cert_file.read_bytes()).serial_number
            listed = listed.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, now).build())
        crl_file = self._folder / "crl.pem"
        crl_file.write_bytes(listed.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return crl_file

    def _issue(self, name: str, hosts: Sequence[str], usage: x509.ObjectIdentifier, valid_days: tuple[float, float]
               ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin, end = (datetime.now(UTC) + timedelta(days=days) for days in valid_days)
        builder = self._builder(subject, key.public_key(), begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), False)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.cert_file.write_bytes(
            builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        pair.key_file.touch(mode=0o600)
        pair.key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        return pair

    def _builder(self, subject: x509.Name, public: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
                 ) -> x509.CertificateBuilder:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(self._name, subject, public, x509.random_serial_number(), begin, end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer, critical=False)
        )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
