"""Errors as the protocol writes them: `{"errors": [{"code", "message", "detail"}]}`."""

from __future__ import annotations

import logging

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain import blobs
from cogyard.errors import CogyardError
from cogyard.http.errors import ApiError
from cogyard.http.faults import HEADER, broke
from cogyard.registry import errors
from cogyard.registry.authorization import challenge
from cogyard.registry.errors import DistributionError
from cogyard.registry.ranges import held

log = logging.getLogger(__name__)


def translated(error: Exception, request: Request) -> DistributionError:
    """Return what went wrong in the protocol's words; what was our fault is logged, and only its name is told."""
    if isinstance(error, DistributionError):
        return error
    if isinstance(error, blobs.BlobError):
        return _of_blobs(error)
    if isinstance(error, CogyardError) and error.http_status < 500:
        return _of_services(error)
    name = broke(request, error)
    return DistributionError(
        f"The registry failed; its log says why, under the request id {name}.",
        detail={"request_id": name},
        headers={HEADER: name},
    )


def _of_services(error: CogyardError) -> DistributionError:
    kinds: dict[int, type[DistributionError]] = {
        401: errors.UnauthorizedError,
        403: errors.DeniedError,
        429: errors.TooManyRequestsError,
    }
    kind = kinds.get(error.http_status, errors.RefusedError)
    headers = error.headers if isinstance(error, ApiError) else {}
    return kind(error.message, hint=error.hint, status=error.http_status, headers=headers)


def _of_blobs(error: blobs.BlobError) -> DistributionError:
    answer = DistributionError(error.message, hint=error.hint, status=error.http_status)
    match error:
        case blobs.DigestMismatchError():
            answer = errors.DigestInvalidError(
                error.message, hint=error.hint, detail={"actual": error.actual}
            )
        case blobs.TooLargeError():
            answer = errors.TooLargeError(error.message, detail={"limit": error.limit})
        case blobs.StorageFullError():
            log.error("registry.storage_full", extra={"free": error.free})
            answer = errors.StorageFullError("The registry has no room left.", hint=error.hint)
        case blobs.UploadUnknownError():
            answer = errors.BlobUploadUnknownError(error.message)
        case blobs.UploadOffsetError():
            answer = errors.BlobUploadInvalidError(
                error.message, status=416, headers={"Range": held(error.size)}, detail={"size": error.size}
            )
        case blobs.UploadBusyError():
            answer = errors.BlobUploadInvalidError(error.message, hint=error.hint, status=409)
    return answer


def error_response(request: Request, error: DistributionError) -> Response:
    """Write an error as the protocol wants it; a 401 always says how to log in."""
    message = error.message if error.hint is None else f"{error.message.rstrip('.')}. {error.hint}"
    entry = {"code": error.code, "message": message}
    if error.detail is not None:
        entry["detail"] = error.detail
    headers = {**error.headers, "Content-Type": "application/json", "Cache-Control": "no-store"}
    if error.status == 401 and "WWW-Authenticate" not in headers:
        headers.update(challenge(request))
    return Response(msgspec.json.encode({"errors": [entry]}), status_code=error.status, headers=headers)
