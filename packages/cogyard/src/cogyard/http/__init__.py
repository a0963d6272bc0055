"""What every route shares: errors on the wire, pagination, addresses, server-sent events."""

from __future__ import annotations

from cogyard.http import sse
from cogyard.http.addresses import Addresses
from cogyard.http.caller import SESSION_KEY, Caller, caller_of, require_account
from cogyard.http.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnauthenticatedError,
)
from cogyard.http.pages import page, window
from cogyard.http.problems import problem

__all__ = [
    "SESSION_KEY",
    "Addresses",
    "ApiError",
    "Caller",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "TooLargeError",
    "UnauthenticatedError",
    "caller_of",
    "page",
    "problem",
    "require_account",
    "sse",
    "window",
]
