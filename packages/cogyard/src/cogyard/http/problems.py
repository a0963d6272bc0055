"""Errors as `application/problem+json`, the shape that official clients parse."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cogyard.errors import CogyardError
from cogyard.http.errors import ApiError

_log = logging.getLogger(__name__)


def problem(
    status: int,
    detail: str,
    title: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Answer with a problem document."""
    body: dict[str, Any] = {"title": title or HTTPStatus(status).phrase, "detail": detail, "status": status}
    body.update(members or {})
    return Response(
        msgspec.json.encode(body),
        status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem_of(error: Exception) -> Response:
    """Answer for an error: ours say what happened, any other says nothing but that it was us."""
    if isinstance(error, ApiError):
        return problem(
            error.http_status, error.message, error.title, headers=error.headers, members=error.members
        )
    if isinstance(error, CogyardError):
        _log.error(
            "request failed", extra={"action": "request_failed", "code": error.code, "reason": error.message}
        )
        return problem(error.http_status, error.message, members={"code": error.code})
    if isinstance(error, HTTPException):
        return problem(error.status_code, error.detail, headers=error.headers)
    _log.error("request broke", exc_info=error, extra={"action": "request_broke"})
    return problem(500, "Something went wrong on our side. It has been logged.")


async def on_error(_request: Request, error: Exception) -> Response:
    """Serve as Starlette's exception handler for everything an API raises."""
    return problem_of(error)
