"""What the gateway may ask a device to do."""

import msgspec

from gateway.model.light import LightPattern


class Light(msgspec.Struct, frozen=True, tag="light"):
    """Show a pattern until told otherwise."""

    pattern: LightPattern


Order = Light
"""Every order there is; a union as soon as there are two."""
