"""Ids that sort by age, and secrets: how they are spelled. Randomness comes as an argument."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

# Crockford's base 32 in lower case: no i, l, o or u, so an id survives being read aloud.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 26
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
# 48 bits of milliseconds and 80 random ones are 128; 26 digits hold 130.
ID_RANDOM_BYTES = 10
_TIME_BITS, _RANDOM_BITS = 48, 80

TOKEN_PREFIX = "cyd_"  # noqa: S105 - the public beginning of every token
TOKEN_RANDOM_BYTES = 25
TOKEN_LENGTH = 40

# What makes an address unguessable: 160 bits, 32 digits.
CAPABILITY_RANDOM_BYTES = 20
CAPABILITY_LENGTH = 32
_FILES_FIRST = "f"

_ID = re.compile(rf"[{ALPHABET}]{{{ID_LENGTH}}}")
_CAPABILITY = re.compile(rf"[{ALPHABET}]{{{CAPABILITY_LENGTH}}}")
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[{ALPHABET}]{{{TOKEN_LENGTH}}}")
_VERSION = re.compile(r"[0-9a-f]{64}")


def spelled(number: int, digits: int) -> str:
    """Write a number in `digits` base-32 digits, most significant first."""
    text = "".join([_PAIRS[(number >> (10 * place)) & 1023] for place in range((digits - 1) // 2, -1, -1)])
    return text if digits % 2 == 0 else text[1:]


def new_id(now: datetime, random: bytes) -> str:
    """Make an id of 26 characters from a moment and 10 random bytes; a later moment sorts later."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << _TIME_BITS) - 1)
    return spelled((milliseconds << _RANDOM_BITS) | int.from_bytes(random, "big"), ID_LENGTH)


def first_id(moment: datetime) -> str:
    """Return the smallest id that could have been made at this moment, for lists by time."""
    return new_id(moment, bytes(ID_RANDOM_BYTES))


def is_id(text: str) -> bool:
    """Whether this could be an id of ours; nothing else is ever looked up."""
    return _ID.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether this is spelled as a version: 64 hex digits."""
    return _VERSION.fullmatch(text) is not None


def new_token(random: bytes) -> str:
    """Spell an API token: `cyd_` and 40 digits from 25 random bytes."""
    return TOKEN_PREFIX + spelled(int.from_bytes(random, "big"), TOKEN_LENGTH)


def is_token(text: str) -> bool:
    """Whether this is spelled as an API token, of which nobody can guess one."""
    return _TOKEN.fullmatch(text) is not None


def new_capability(random: bytes) -> str:
    """Spell the unguessable part of an address from 20 random bytes."""
    return spelled(int.from_bytes(random, "big"), CAPABILITY_LENGTH)


def new_stream_token(random: bytes, *, of_files: bool) -> str:
    """Spell the unguessable part of a stream's address. Its first letter says whether files are streamed.

    One client looks for that in the address, which must be the same wherever a prediction is shown.
    """
    token = new_capability(random)
    first = _FILES_FIRST if of_files else token[0].replace(_FILES_FIRST, "g")
    return first + token[1:]


def streams_files(token: str) -> bool:
    """Whether a stream's token says that files are streamed."""
    return token.startswith(_FILES_FIRST)


def is_capability(text: str) -> bool:
    """Whether this could be the unguessable part of an address."""
    return _CAPABILITY.fullmatch(text) is not None


def new_webhook_secret(random: bytes) -> str:
    """Spell a signing secret; official clients want exactly one underscore and the standard base64 alphabet."""
    return "whsec_" + base64.b64encode(random).decode()


def fingerprint(secret: str) -> bytes:
    """Return what is stored in place of a secret of ours, which has too many bits to be guessed."""
    return hashlib.sha256(secret.encode()).digest()
