"""Errors that an API answers with, each with its status and the words that official clients show.

ApiError
├── BadRequestError        400 the request cannot be read
├── UnauthenticatedError   401 no valid token
├── ForbiddenError         403 the caller may not, and may know it
├── NotFoundError          404 there is none, or the caller may not know that there is
├── ConflictError          409 it is there already, or still in use
├── TooLargeError          413
├── UnsupportedMediaError  415
├── InvalidError           422 readable, but wrong; lists every problem
└── BusyError              429 come back later
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cogyard.errors import CogyardError


class ApiError(CogyardError):
    """The request was refused, for a reason in `message`."""

    code = "refused"
    http_status = 400
    title: str | None = None

    @property
    def members(self) -> Mapping[str, Any]:
        """What the problem document says beyond title, detail and status."""
        return {}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer."""
        return {}


class BadRequestError(ApiError):
    """The request cannot be read."""

    code = "bad-request"


class UnauthenticatedError(ApiError):
    """No valid token came with the request."""

    code = "unauthenticated"
    http_status = 401
    title = "Unauthenticated"

    def __init__(self, message: str = "You did not pass a valid authentication token") -> None:
        super().__init__(message)

    @property
    def headers(self) -> Mapping[str, str]:
        """Say how to authenticate."""
        return {"WWW-Authenticate": 'Bearer realm="cogyard"'}


class ForbiddenError(ApiError):
    """The caller may not do this."""

    code = "forbidden"
    http_status = 403
    title = "Forbidden"


class NotFoundError(ApiError):
    """There is no such thing, or the caller may not know of it: the answer is the same."""

    code = "not-found"
    http_status = 404
    title = "Not found"

    def __init__(self, message: str = "The requested resource does not exist.") -> None:
        super().__init__(message)


class MethodNotAllowedError(ApiError):
    """The address is there, but not for this method."""

    code = "method-not-allowed"
    http_status = 405
    title = "Method not allowed"


class ConflictError(ApiError):
    """What is there already stands in the way."""

    code = "conflict"
    http_status = 409
    title = "Conflict"


class TooLargeError(ApiError):
    """The body is larger than the limit; both are in the message."""

    code = "too-large"
    http_status = 413
    title = "Too large"


class UnsupportedMediaError(ApiError):
    """The body is of another type than this address takes."""

    code = "unsupported-media-type"
    http_status = 415
    title = "Unsupported media type"


class InvalidError(ApiError):
    """The request can be read, but it is wrong; `problems` are (field, what is wrong with it)."""

    code = "invalid"
    http_status = 422
    title = "Invalid"

    def __init__(
        self, message: str, *, title: str | None = None, problems: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.title = title or self.title
        self.problems = tuple(problems)

    @property
    def members(self) -> Mapping[str, Any]:
        """List every problem, so that a form can show each beside its field."""
        if not self.problems:
            return {}
        return {
            "invalid_fields": [
                {"type": "invalid", "field": field, "description": what} for field, what in self.problems
            ]
        }


class BusyError(ApiError):
    """There is no room now; `retry_after` says in how many seconds to come back, `limit` what the limit is."""

    code = "busy"
    http_status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int, limit: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limit = limit

    @property
    def headers(self) -> Mapping[str, str]:
        """Without the first of these clients guess; the others are about the limit that was reached."""
        said = {"Retry-After": str(self.retry_after)}
        if self.limit is not None:
            said |= {
                "ratelimit-limit": str(self.limit),
                "ratelimit-remaining": "0",
                "ratelimit-reset": str(self.retry_after),
            }
        return said
