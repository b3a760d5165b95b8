"""The bench's own kernel, User Mode Linux with Bluetooth: the real bluetoothd meets emulated devices (layer L3).

kernel         builds the kernel, once, from Debian's source
boot           runs a command in a guest: this machine's files, read-only, under a layer of memory; no root, no KVM
init, guest    the guest's process 1: mounts, then the command
bluetoothd.py  inside the guest: bluetoothd, and an emulated controller on /dev/vhci
"""
