"""An emulated RFXtrx433 on a pseudo-terminal, with packet code of its own."""
