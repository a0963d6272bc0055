"""`/v2/<name>/blobs/uploads/`: sending blobs whole, in pieces, or by naming one that another repository has."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.blobs import Upload, UploadUnknownError
from cogyard.registry import bodies
from cogyard.registry.authorization import Grant
from cogyard.registry.context import Context
from cogyard.registry.errors import (
    BlobUploadInvalidError,
    BlobUploadUnknownError,
    DigestInvalidError,
    DistributionError,
    QuotaExceededError,
    SizeInvalidError,
)
from cogyard.registry.names import Target, digest_of, repository_of
from cogyard.registry.ranges import held, sent
from cogyard.registry.room import link, room_in, told, within
from cogyard.registry.tokens import PULL


async def begin_upload(context: Context, request: Request, target: Target) -> Response:
    """Answer POST: mount a blob, take one whole (`?digest=`), or open an upload."""
    repository = repository_of(target.name)
    await context.guard.require_push(request, repository)
    query = request.query_params
    if "mount" in query:
        mounted = await _mount(context, request, repository, digest_of(query["mount"]))
        if mounted is not None:
            return mounted
    elif "digest" in query:
        digest = digest_of(query["digest"])
        room = await room_in(context, repository, announced=bodies.content_length(request))
        chunks = bodies.stream(request, idle=context.idle_seconds)
        try:
            with room.limit() as limit:
                _, size = await context.blobs.write(chunks, expected=digest, limit=limit)
        except QuotaExceededError as error:
            raise await told(context, room) from error
        return await _link(context, repository, digest, size)
    await room_in(context, repository)
    upload = await context.uploads.begin(repository)
    return _progress(upload, 202)


async def upload_status(context: Context, request: Request, target: Target) -> Response:
    """Answer GET: how far it is."""
    repository = repository_of(target.name)
    await context.guard.require_push(request, repository)
    return _progress(await _upload(context, repository, target.reference), 204)


async def add_to_upload(context: Context, request: Request, target: Target) -> Response:
    """Answer PATCH: add a piece, which must follow what is there when it says where it belongs."""
    repository = repository_of(target.name)
    await context.guard.require_push(request, repository)
    upload = await _upload(context, repository, target.reference)
    return _progress(await _append(context, request, upload), 202)


async def finish_upload(context: Context, request: Request, target: Target) -> Response:
    """Answer PUT: take the last piece, if there is one, and make the upload a blob."""
    repository = repository_of(target.name)
    await context.guard.require_push(request, repository)
    if "digest" not in request.query_params:
        raise DigestInvalidError("The last request of an upload must say its ?digest=.")
    digest = digest_of(request.query_params["digest"])
    upload = await _upload(context, repository, target.reference)
    if bodies.content_length(request) != 0:
        upload = await _append(context, request, upload)
    try:
        await within(context, repository)
    except QuotaExceededError:
        await context.uploads.discard(upload.id)
        raise
    size = await context.uploads.commit(upload.id, digest)
    return await _link(context, repository, digest, size)


async def cancel_upload(context: Context, request: Request, target: Target) -> Response:
    """Answer DELETE: drop what has been sent."""
    repository = repository_of(target.name)
    await context.guard.require_push(request, repository)
    upload = await _upload(context, repository, target.reference)
    await context.uploads.discard(upload.id)
    return Response(status_code=204)


async def _mount(context: Context, request: Request, repository: str, digest: str) -> Response | None:
    """Take a blob from a repository the caller may read; None (so: send it) says nothing of why not."""
    source = request.query_params.get("from")
    if not source:
        return None
    try:
        source = repository_of(source)
    except DistributionError:
        return None
    grant: Grant = await context.guard.grant(request)
    if not grant.asked_for(source, PULL) or not await context.guard.may_pull(grant, source):
        return None
    size = await context.repositories.blob_size(source, digest)
    # Renewed, not only looked at: a collection may be about to remove it.
    if size is None or await context.blobs.renew(digest) != size:
        return None
    return await _link(context, repository, digest, size)


async def _upload(context: Context, repository: str, upload_id: str) -> Upload:
    """Return an upload of this repository; one of another repository is as unknown as any."""
    try:
        upload = await context.uploads.get(upload_id)
    except UploadUnknownError as error:
        raise BlobUploadUnknownError(error.message) from error
    if upload.scope != repository:
        raise BlobUploadUnknownError(UploadUnknownError(upload_id).message)
    return upload


async def _append(context: Context, request: Request, upload: Upload) -> Upload:
    piece = sent(request.headers.get("content-range"))
    announced = bodies.content_length(request)
    room = await room_in(context, upload.scope, announced=announced)
    chunks, offset = bodies.stream(request, idle=context.idle_seconds), None
    if piece is not None:
        offset, length = piece
        if announced is not None and announced != length:
            raise SizeInvalidError(f"Content-Range says {length} bytes, Content-Length {announced}.")
        chunks = _exactly(chunks, length)
    try:
        with room.limit(there=upload.size) as limit:
            return await context.uploads.append(upload.id, chunks, offset=offset, limit=limit)
    except QuotaExceededError as error:
        raise await told(context, room) from error


async def _exactly(chunks: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """Pass on `length` bytes. Raises BlobUploadInvalidError before passing on more."""
    left = length
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise BlobUploadInvalidError(f"More bytes came than the {length} of Content-Range.")
        yield chunk
    if left:
        raise BlobUploadInvalidError(f"{left} bytes fewer came than the {length} of Content-Range.")


async def _link(context: Context, repository: str, digest: str, size: int) -> Response:
    await link(context, repository, digest, size)
    return Response(
        status_code=201,
        headers={"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest},
    )


def _progress(upload: Upload, status: int) -> Response:
    # Addresses are relative, which RFC 9110 allows and every client understands: none can be wrong behind a proxy.
    return Response(
        status_code=status,
        headers={
            "Location": f"/v2/{upload.scope}/blobs/uploads/{upload.id}",
            "Range": held(upload.size),
            "Docker-Upload-UUID": upload.id,
        },
    )
