"""An emulated GPIO header: a board in a process of its own, and the gpiozero pin factory that connects to it."""
