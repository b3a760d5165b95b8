"""What the gateway may ask a device to do."""

import msgspec

from gateway.model.light import LightPattern


class Light(msgspec.Struct, frozen=True, tag="light"):
    """Show a pattern until told otherwise."""

    pattern: LightPattern


class SendSms(msgspec.Struct, frozen=True, tag="send_sms"):
    """Send a text message once and tell what became of it with an SmsReport of this `id`.

    `number`: digits, with a leading + where international. A session that ends may lose the order: who gave it gives it
    again under the same id, and a modem that has sent it says so instead of sending it twice.
    """

    id: str
    number: str
    text: str


Order = Light | SendSms
"""Every order there is."""
