"""Errors as `application/problem+json`, the shape that official clients parse."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from cogyard.errors import CogyardError
from cogyard.http.errors import ApiError
from cogyard.http.faults import HEADER, broke, request_id

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


def problem_of(error: Exception, request: HTTPConnection) -> Response:
    """Answer for an error: ours say what happened, any other nothing but that it was us, and the request's id."""
    if isinstance(error, ApiError):
        return problem(
            error.http_status, error.message, error.title, headers=error.headers, members=error.members
        )
    if isinstance(error, CogyardError):
        name = request_id(request)
        fields = {"code": error.code, "reason": error.message, "request_id": name}
        _log.error("request_failed", extra=fields)
        return problem(
            error.http_status,
            error.message,
            headers={HEADER: name},
            members={"code": error.code, "request_id": name},
        )
    if isinstance(error, HTTPException):
        return problem(error.status_code, error.detail, headers=error.headers)
    name = broke(request, error)
    what = f"Something went wrong on our side. The log has it under the request id {name}."
    return problem(500, what, headers={HEADER: name}, members={"request_id": name})
