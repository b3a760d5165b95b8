"""The voice: what the resident hears about an alarm. It waits for neither disk nor network, and nobody waits for it."""

from gateway.voice.voice import Voice

__all__ = ["Voice"]
