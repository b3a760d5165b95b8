"""Anju: the gateway daemon of an in-home care kit. Floors, from the ground up:

0 model · 1 detect · 2 alarm · 3 spi, store, config, voice · 4 runtime, sync, ops · 5 cli · 6 app
A floor imports only floors below it (import-linter holds this, see pyproject.toml).
"""

__version__ = "0.1.0"
