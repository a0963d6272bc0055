"""A small file that knows which leases were handed over to a model, also after the platform was killed.

Theory of operation. A note is made just before a model server is asked, by one write and no fsync: what a process has
written is there after its death, however sudden, as long as the machine goes on. What a power cut took is not known
to be lost, so the file begins with the machine's boot; notes of another boot say yes, and what they do not name is
unknown. A file that is missing, or cannot be read, says the same of everything.

Each held lease has a slot of its own, which the next one takes once it is dropped; so the file stays as small as the
number of predictions that run at once. Slots hold digests: a lease's token is a secret.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Self

from cogyard.domain.retry import Seen

_SLOT = 16
_HEAD = 64
#: Slots that have their place on the disk from the start, so that a full disk holds up none of these.
_READY = 4096
_MAGIC = b"cogyard handovers 1 "
_EMPTY = bytes(_SLOT)


class HandoverFile:
    """The file at `path`, which one process at a time may have. `boot` names the machine's present boot, if known."""

    def __init__(self, path: Path, handle: int, before: bytes, boot: str) -> None:
        self._path, self._handle = path, handle
        self._head = (_MAGIC + blake2b(boot.encode(), digest_size=_SLOT).digest()).ljust(_HEAD, b"\0")
        slots = before[_HEAD:]
        self._before = {slots[at : at + _SLOT] for at in range(0, len(slots), _SLOT)}
        #: Whether what was not noted before was not handed over.
        self._sure = bool(boot) and before[:_HEAD] == self._head
        self._places: dict[str, int] = {}
        self._free: list[int] = []

    @classmethod
    def open(cls, path: Path, *, boot: str) -> Self:
        """Open the file, made if need be. Raises OSError."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            return cls(path, handle, os.pread(handle, os.fstat(handle).st_size, 0), boot)
        except BaseException:
            os.close(handle)
            raise

    def begin(self) -> None:
        """Forget every lease of earlier processes. Raises OSError."""
        # The head comes last: killed in between, the next process finds no file that it could trust.
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, bytes(_READY * _SLOT), _HEAD)
            os.pwrite(self._handle, self._head, 0)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._before, self._sure = set(), True

    def note(self, lease_token: str) -> None:
        """Note that a model is about to see what the lease holds. Raises OSError."""
        if lease_token in self._places:
            return
        place = self._free.pop() if self._free else len(self._places)
        try:
            self._write(place, _digest(lease_token))
        except OSError:
            self._free.append(place)
            raise
        self._places[lease_token] = place

    def drop(self, lease_token: str) -> None:
        """Forget a lease."""
        place = self._places.pop(lease_token, None)
        if place is not None:
            # What is left there at worst says of a lease that nobody holds that it was handed over.
            with suppress(OSError):
                self._write(place, _EMPTY)
            self._free.append(place)

    def seen(self, lease_token: str) -> Seen:
        """Return whether a model may have seen what the lease holds."""
        if lease_token in self._places or _digest(lease_token) in self._before:
            return Seen.YES
        return Seen.NO if self._sure else Seen.UNKNOWN

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _write(self, place: int, slot: bytes) -> None:
        if os.pwrite(self._handle, slot, _HEAD + place * _SLOT) != _SLOT:
            raise OSError(f"slot {place} of the handovers was written in part")


def _digest(lease_token: str) -> bytes:
    return blake2b(lease_token.encode(), digest_size=_SLOT).digest()


def boot_id() -> str:
    """Return what names the machine's present boot, or nothing where that cannot be known."""
    with suppress(OSError, UnicodeError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            ["sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            check=True,
            timeout=5,
            text=True,
        )
        return said.stdout.strip()
    return ""
