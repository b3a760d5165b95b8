"""Why there is no talk with the city. All are retried for ever: each says what it is, why, and what to do."""


class SessionError(Exception):
    """The session cannot begin or go on. `state` is the word that health shows."""

    state = "unreachable"

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure


class Unreachable(SessionError):
    """No connection to the broker's host and port."""


class LinkDropped(SessionError):
    """The connection ended while it was in use."""

    state = "dropped"


class SettingsUnusable(SessionError):
    """A certificate, key or password file cannot be used."""

    state = "settings_unusable"


class CertificateRefused(SessionError):
    """The gateway does not trust the broker's certificate."""

    state = "certificate_refused"


class ClientCertificateRefused(SessionError):
    """The broker does not trust this gateway's certificate."""

    state = "client_certificate_refused"


class CredentialsRefused(SessionError):
    """The broker knows neither the name nor the password."""

    state = "credentials_refused"


class NotAuthorised(SessionError):
    """The broker lets this gateway in, but not use the topics it needs."""

    state = "not_authorised"


class TopicRefused(NotAuthorised):
    """The broker refuses one publication; the session goes on."""


class PacketsTooSmall(TopicRefused):
    """The broker takes no packet of the size that an event needs even without its data."""

    state = "packets_too_small"


class ProtocolRefused(SessionError):
    """The broker closes the connection whatever MQTT version is offered."""

    state = "protocol_refused"


class NoAnswer(SessionError):
    """The broker takes everything, but the city's application acknowledges nothing."""

    state = "no_answer"
