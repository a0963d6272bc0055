"""Files to whoever knows their address: `/delivery/<token>/<name>`, in parts when asked, never as a page of ours.

What strangers upload is served from our own host, so nothing may run in it: a sandbox without scripts, no guessing of
types, and what a browser would execute is offered for download.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cogyard.domain.values import StoredFile
from cogyard.features.files.service import Files
from cogyard.features.page import services_of
from cogyard.http.endpoints import Access, Endpoint
from cogyard.http.errors import NotFoundError
from cogyard.http.ranges import UnsatisfiableError, wanted_part

_SHOWN = ("image/", "audio/", "video/")
_SHOWN_EXACTLY = frozenset({"text/plain", "application/json", "application/pdf"})
_NEVER_SHOWN = ("image/svg",)


async def deliver(request: Request) -> Response:
    """Return a file."""
    files = services_of(request).files
    file = await files.open(request.path_params["token"])
    if request.path_params["name"] != file.name:
        raise NotFoundError
    return delivered(request, files, file)


def delivered(request: Request, files: Files, file: StoredFile) -> Response:
    """Answer with a file or the part of it that is asked for."""
    etag = f'"{file.sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": _disposition(file),
        "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
        "Content-Type": file.content_type,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    if request.headers.get("if-range", etag) != etag:
        asked = None
    try:
        part = wanted_part(asked, file.size, method=request.method)
    except UnsatisfiableError:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
    start, stop = (part.start, part.stop) if part is not None else (0, file.size)
    if part is not None:
        headers["Content-Range"] = part.content_range(file.size)
    headers["Content-Length"] = str(stop - start)
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_bytes(files, file, start, stop), status, headers=headers)


async def _bytes(files: Files, file: StoredFile, start: int, stop: int) -> AsyncIterator[bytes]:
    async for chunk in files.read(file, start, stop):
        yield chunk


def _disposition(file: StoredFile) -> str:
    kind = file.content_type.split(";")[0].lower()
    shown = (kind.startswith(_SHOWN) or kind in _SHOWN_EXACTLY) and not kind.startswith(_NEVER_SHOWN)
    return f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.name, safe='')}"


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/delivery/{token}/{name}",
        handler=deliver,
        access=Access.CAPABILITY,
        operation="delivery.get",
    ),
)
