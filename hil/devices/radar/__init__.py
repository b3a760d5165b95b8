"""Emulated radars on a pseudo-terminal, with frame code of their own."""
