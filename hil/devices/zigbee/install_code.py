"""The link key that a device makes of its install code: AES-MMO hash (ZSPEC, B.1.3 and B.6; BDB 3.0.1, 10.1). Pure."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16


def link_key(code: bytes) -> bytes:
    """Hash a code with its checksum into 16 bytes."""
    bits = len(code) * 8
    padded = code + b"\x80"
    padded += bytes(-(len(padded) + 2) % BLOCK) + bits.to_bytes(2, "big")
    digest = bytes(BLOCK)
    for at in range(0, len(padded), BLOCK):
        block = padded[at:at + BLOCK]
        cipher = Cipher(algorithms.AES128(digest), modes.ECB()).encryptor()  # noqa: S305 - the specified hash
        digest = bytes(a ^ b for a, b in zip(cipher.update(block), block, strict=True))
    return digest
