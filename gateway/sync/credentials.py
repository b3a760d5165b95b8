"""Credentials: the files of [city] -> a TLS context and a password, and TLS failures in plain words."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from gateway.config.schema import City
from gateway.sync.errors import CertificateRefused, ClientCertificateRefused, SessionError, SettingsUnusable

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h

# X509_V_ERR_*, openssl/x509_vfy.h -> (what is wrong, what to do)
_VERIFY = {
    9: ("is not valid yet", "check the gateway's date and time"),
    10: ("has expired", "ask the city to renew the broker's certificate, and check the gateway's date"),
    18: ("is signed by itself", "put the city's CA certificate into city.ca_file"),
    19: ("comes from an unknown authority", "put the city's CA certificate into city.ca_file"),
    20: ("comes from an unknown authority", "put the city's CA certificate into city.ca_file"),
    21: ("comes from an unknown authority", "put the city's CA certificate into city.ca_file"),
    62: ("was made for another host name", "set city.host to the name that the certificate carries"),
    64: ("was made for another address", "set city.host to the name or address that the certificate carries"),
}
_OWN_REFUSED = {  # OpenSSL reason mnemonics of the alerts of RFC 8446, section 6.2, that speak of our certificate
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker wants a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the broker refuses this gateway's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "this gateway's certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "this gateway's certificate was revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the broker refuses this gateway's certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the broker does not accept this kind of certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the broker does not know the authority behind this gateway's certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "the broker denies this gateway's certificate access",
    "TLSV1_ALERT_DECRYPT_ERROR": "the broker cannot verify this gateway's certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the broker wants a client certificate, or no cipher is common",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens the broker's door."""

    tls: ssl.SSLContext | None
    password: str | None


class _HandshakeSocket(ssl.SSLSocket):
    """paho 2.1 leaves the socket of a failed handshake open until it is collected."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def read(city: City, check_dates: bool) -> Credentials:
    """Read the files that `city` names. Blocking. Raises SettingsUnusable.

    `check_dates` False while nobody has set the clock: a certificate is then checked in all but its dates, for an
    alarm must not wait for a time server that may never answer.
    """
    password = None if city.password_file is None else _text(city.password_file, "city.password_file").strip()
    return Credentials(_context(city, check_dates) if city.tls else None, password)


def explain(error: ssl.SSLError) -> SessionError:
    """Name a TLS failure by its code, never by its text."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what, cure = _VERIFY.get(error.verify_code, (f"cannot be verified ({error.verify_message})",
                                                     "compare city.host and city.ca_file with what the city gave out"))
        return CertificateRefused(f"the broker's certificate {what}", cure)
    if error.reason in _OWN_REFUSED:
        cure = "renew city.cert_file and city.key_file with the city's certificate desk"
        return ClientCertificateRefused(_OWN_REFUSED[error.reason], cure)
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return CertificateRefused("the broker's port does not speak TLS", "check city.port (TLS brokers: 8883)")
    return CertificateRefused(f"TLS failed ({error.reason or error})", "check city.port and the broker's TLS settings")


def _context(city: City, check_dates: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=city.ca_file)  # without a file: the system's authorities
    except OSError as error:  # ssl.SSLError is one
        raise _unusable("city.ca_file", city.ca_file, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _HandshakeSocket
    if city.cert_file is not None:
        try:
            context.load_cert_chain(city.cert_file, city.key_file)
        except OSError as error:
            raise _unusable("city.cert_file or city.key_file", city.cert_file, error) from error
    if not check_dates:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(key, path, error) from error


def _unusable(key: str, path: Path | None, error: Exception) -> SettingsUnusable:
    return SettingsUnusable(f"{key} ({path}) cannot be used ({error})", "put the right file there, readable for anju")
