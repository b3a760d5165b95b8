"""An emulated Modbus RTU input module on a pseudo-terminal, with frame code of its own."""
