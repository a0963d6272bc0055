"""Where an upload that broke off goes on: for the next attempt, and for the next run of the command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec

_MOST = 16 << 10


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An open upload of a registry. `largest` is the most bytes that it takes in one request, if it says so."""

    location: str
    largest: int | None = None


class Pending(Protocol):
    """Remembers the open upload of one blob to one repository."""

    def find(self) -> Place | None:
        """Return where the upload goes on, or None when there is none."""
        ...

    def keep(self, place: Place) -> None:
        """Remember where it goes on."""
        ...

    def forget(self) -> None:
        """The upload has ended, one way or the other."""
        ...


class PendingInMemory(msgspec.Struct):
    """Remembers for as long as the process lives."""

    place: Place | None = None

    def find(self) -> Place | None:
        """Return where the upload goes on."""
        return self.place

    def keep(self, place: Place) -> None:
        """Remember where it goes on."""
        self.place = place

    def forget(self) -> None:
        """Remember nothing."""
        self.place = None


class PendingInFile(msgspec.Struct, frozen=True):
    """Remembers in a file, readable by its owner alone: an address may be as good as a token."""

    path: Path

    def find(self) -> Place | None:
        """Return where the upload goes on; a file that cannot be read remembers nothing."""
        try:
            with self.path.open("rb") as file:
                return msgspec.json.decode(file.read(_MOST), type=Place)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep(self, place: Place) -> None:
        """Remember where it goes on."""
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(place))
            part.replace(self.path)
        except OSError:
            return  # the push goes on; only a later one cannot go on from here

    def forget(self) -> None:
        """Remember nothing."""
        self.path.unlink(missing_ok=True)
