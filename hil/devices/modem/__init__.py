"""An emulated 4G modem on a pseudo-terminal, with AT and PDU code of its own."""
