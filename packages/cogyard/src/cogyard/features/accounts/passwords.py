"""Passwords are kept as scrypt hashes that carry their own parameters."""

from __future__ import annotations

import base64
import hashlib
import hmac

# 16 MiB and about 50 ms a guess.
COST, BLOCK, PARALLEL = 2**14, 8, 1
SALT_BYTES, HASH_BYTES = 16, 32
MIN_LENGTH, MAX_LENGTH = 8, 1024

# Compared with when there is no such account, so that the answer takes as long.
DECOY = "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + base64.b64encode(bytes(HASH_BYTES)).decode()


def hashed(password: str, salt: bytes) -> str:
    """Return what is kept of a password. Takes about 50 ms of CPU."""
    digest = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    fields = (base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    return "$".join(("scrypt", str(COST), str(BLOCK), str(PARALLEL), *fields))


def matches(password: str, kept: str) -> bool:
    """Whether this is the password that was kept. Takes about 50 ms of CPU."""
    _, cost, block, parallel, salt, digest = kept.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=parallel, dklen=HASH_BYTES, maxmem=256 * cost * block
    )
