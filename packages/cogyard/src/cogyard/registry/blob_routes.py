"""`/v2/<name>/blobs/<digest>`: reading blobs, and taking them out of a repository."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cogyard.domain.blobs import LocalFiles
from cogyard.registry.context import Context
from cogyard.registry.errors import BlobUnknownError, UnsupportedError
from cogyard.registry.names import Target, digest_of, repository_of
from cogyard.registry.ports import StillUsedError
from cogyard.registry.ranges import wanted
from cogyard.registry.tokens import DELETE

#: ASGI's name for the ability of a server to send from a file descriptor.
ZERO_COPY = "http.response.zerocopysend"

#: Nothing here may ever run in a browser: the registry shares its origin with the pages.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


async def get_blob(context: Context, request: Request, target: Target) -> Response:
    """Answer GET and HEAD, whole or in part."""
    repository, digest = repository_of(target.name), digest_of(target.reference)
    grant = await context.guard.require_pull(request, repository)
    # A client that pushes asks by HEAD, and sends nothing when the blob is here: so it must not go before the manifest.
    asked_to_push = request.method == "HEAD" and grant.account is not None
    ask = context.repositories.renew_blob if asked_to_push else context.repositories.blob_size
    size = await ask(repository, digest)
    if size is None or await context.blobs.size(digest) != size:
        raise BlobUnknownError(repository, digest)
    headers = {
        **SAFE,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Cache-Control": "private, max-age=31536000",
    }
    if matches(request.headers.get("if-none-match"), digest):
        return Response(status_code=304, headers=headers)
    status, start, stop = 200, 0, size
    if request.headers.get("if-range", f'"{digest}"') == f'"{digest}"':
        part = wanted(request.headers.get("range"), size, method=request.method)
        if part is not None:
            status, (start, stop) = 206, part
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    file = context.blobs.path(digest) if isinstance(context.blobs, _WithFiles) else None
    if file is not None and ZERO_COPY in (request.scope.get("extensions") or {}):
        return FileResponse(file, (start, stop), status_code=status, headers=headers)
    return BlobResponse(context.blobs.read(digest, start, stop), status_code=status, headers=headers)


async def delete_blob(context: Context, request: Request, target: Target) -> Response:
    """Take a blob out of a repository; other repositories keep theirs."""
    repository, digest = repository_of(target.name), digest_of(target.reference)
    await context.guard.require_push(request, repository, DELETE)
    try:
        found = await context.repositories.unlink_blob(repository, digest)
    except StillUsedError as error:
        raise UnsupportedError(
            f"The blob is part of the manifest {error.by[0]}.", hint="Delete that first."
        ) from error
    if not found:
        raise BlobUnknownError(repository, digest)
    return Response(status_code=202)


def matches(header: str | None, digest: str) -> bool:
    """Whether an If-None-Match header names this content."""
    return header is not None and digest in {
        each.strip().removeprefix("W/").strip('"') for each in header.split(",")
    }


class FileResponse(Response):
    """Sends a part of a file without reading it, through a server that can; it ends when the client goes."""

    def __init__(
        self, path: Path, part: tuple[int, int], *, status_code: int, headers: dict[str, str]
    ) -> None:
        super().__init__(status_code=status_code, headers=headers)
        self._path = path
        self._start, self._stop = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Answer."""
        with self._path.open("rb", buffering=0) as file:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                count = self._stop - self._start
                await send({"type": ZERO_COPY, "file": file, "offset": self._start, "count": count})
                tasks.cancel_scope.cancel()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class BlobResponse(Response):
    """Sends a stream of known length, and stops reading when the client goes."""

    def __init__(self, chunks: AsyncIterator[bytes], *, status_code: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status_code, headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Answer. The server says only through `receive` that the client has gone."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async with aclosing(self._chunks) as chunks:  # type: ignore[type-var] # it is a generator
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()


@runtime_checkable
class _WithFiles(LocalFiles, Protocol):
    """LocalFiles that can be asked for at run time."""
