"""Accounts, under the name of the official client."""

from __future__ import annotations

from replicate.models import Account, Accounts

__all__ = [
    "Account",
    "Accounts",
]
