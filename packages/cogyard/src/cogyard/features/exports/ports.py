"""What the exports service asks of whoever can read all that is an account's."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Protocol

from cogyard.domain.values import Account


class Archives(Protocol):
    """Makes archives of what is an account's."""

    def pieces(self, account: Account, at: datetime, *, images: bool) -> Generator[bytes]:
        """Yield the bytes of a tar file, made at that moment; closing it leaves nothing. Blocks between pieces."""
        ...
