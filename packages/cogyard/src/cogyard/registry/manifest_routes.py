"""`/v2/<name>/manifests/<reference>`: the moment at which a push becomes visible, and everything after it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.values import Account
from cogyard.oci import descriptor as media
from cogyard.oci.manifest import MAX_MANIFEST
from cogyard.registry import bodies
from cogyard.registry.blob_routes import SAFE, matches
from cogyard.registry.context import Context
from cogyard.registry.errors import (
    DigestInvalidError,
    ManifestBlobUnknownError,
    ManifestUnknownError,
    UnsupportedError,
)
from cogyard.registry.manifests import ParsedManifest, image_for, parse_manifest
from cogyard.registry.names import Target, reference_of, repository_of
from cogyard.registry.ports import Push, StillUsedError, StoredManifest
from cogyard.registry.pushes import describe_push, worth_telling
from cogyard.registry.tokens import DELETE


async def get_manifest(context: Context, request: Request, target: Target) -> Response:
    """Answer GET and HEAD by tag or digest, in the type it was pushed in."""
    repository, reference = repository_of(target.name), reference_of(target.reference)
    await context.guard.require_pull(request, repository)
    stored = await context.repositories.manifest(repository, reference)
    if stored is None:
        raise _unknown(repository, reference)
    if ":" not in reference and not accepts(request, stored.media_type):
        stored = await _acceptable(context, request, repository, reference, stored)
    headers = {
        **SAFE,
        "Content-Type": stored.media_type,
        "Docker-Content-Digest": stored.digest,
        "ETag": f'"{stored.digest}"',
        "Content-Length": str(len(stored.content)),
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
    }
    if matches(request.headers.get("if-none-match"), stored.digest):
        del headers["Content-Length"]
        return Response(status_code=304, headers=headers)
    return Response(stored.content if request.method == "GET" else b"", headers=headers)


async def put_manifest(context: Context, request: Request, target: Target) -> Response:
    """Answer PUT: check the manifest, make the model if it is its first, store it, and tell of it."""
    repository, reference = repository_of(target.name), reference_of(target.reference)
    account = await context.guard.require_push(request, repository)
    content = await bodies.read(request, limit=MAX_MANIFEST, what="The manifest", idle=context.idle_seconds)
    parsed = parse_manifest(content, request.headers.get("content-type"))
    tag = None if ":" in reference else reference
    if tag is None and parsed.digest != reference:
        raise DigestInvalidError(
            f"The manifest has the digest {parsed.digest}, not {reference} as in the address."
        )
    stored = parsed.stored(repository, context.clock())
    _refuse(repository, await context.repositories.missing(stored))
    # A client need not ask for what an earlier manifest names; so it is here that one lost from the store is missed.
    _refuse(repository, await _lost(context, stored))
    try:
        push = await _image(context, parsed, repository=repository, account=account, tag=tag)
    except KeyError as error:  # in the list of the repository, but lost from the store
        raise ManifestBlobUnknownError(repository, (str(error.args[0]),)) from error
    await context.guard.access.open_for_push(account, repository)
    _refuse(repository, await context.repositories.put_manifest(stored, tag=tag))
    if push is not None and worth_telling(push):
        await context.pushes.pushed(push)
    headers = {
        "Location": f"/v2/{repository}/manifests/{parsed.digest}",
        "Docker-Content-Digest": parsed.digest,
        **({"OCI-Subject": stored.subject} if stored.subject else {}),
    }
    return Response(status_code=201, headers=headers)


async def delete_manifest(context: Context, request: Request, target: Target) -> Response:
    """Answer DELETE: by tag the tag goes, by digest the manifest with its tags; versions stay."""
    repository, reference = repository_of(target.name), reference_of(target.reference)
    account = await context.guard.require_push(request, repository, DELETE)
    if ":" not in reference:
        if not await context.repositories.delete_tag(repository, reference):
            raise _unknown(repository, reference)
        return Response(status_code=202)
    pin = await context.pins.pin(account, repository, reference)
    if pin is not None:
        raise UnsupportedError(pin)
    try:
        found = await context.repositories.delete_manifest(repository, reference)
    except StillUsedError as error:
        raise UnsupportedError(
            f"The manifest is part of the index {error.by[0]}.", hint="Delete that first."
        ) from error
    if not found:
        raise _unknown(repository, reference)
    return Response(status_code=202)


async def _image(
    context: Context, parsed: ParsedManifest, *, repository: str, account: Account, tag: str | None
) -> Push | None:
    """Return the push to tell of: the image itself, or an index's image for our hosts."""
    if parsed.document.manifests is None:
        return await describe_push(context.blobs, parsed, repository=repository, account=account, tag=tag)
    child = parsed.preferred
    stored = await context.repositories.manifest(repository, child) if child else None
    if stored is None:
        return None
    image = parse_manifest(stored.content, stored.media_type)
    return await describe_push(
        context.blobs, image, repository=repository, account=account, tag=tag, index=parsed.digest
    )


async def _lost(context: Context, stored: StoredManifest) -> tuple[str, ...]:
    """Return the blobs of a manifest that the repository lists, and the store does not have whole."""
    return tuple(
        [digest for digest, size in stored.blobs.items() if await context.blobs.size(digest) != size]
    )


def _refuse(repository: str, missing: tuple[str, ...]) -> None:
    if missing:
        raise ManifestBlobUnknownError(repository, missing)


def _unknown(repository: str, reference: str) -> ManifestUnknownError:
    kind = "manifest" if ":" in reference else "tag"
    return ManifestUnknownError(f"{repository} has no {kind} {reference}.", detail={"reference": reference})


def accepts(request: Request, media_type: str) -> bool:
    """Whether the Accept headers take a type; without one, everything."""
    ranges = [
        each.split(";")[0].strip().lower()
        for header in request.headers.getlist("accept")
        for each in header.split(",")
    ]
    wanted = {media_type.lower(), "application/*", "application/json", "*/*"}
    return not any(ranges) or any(each in wanted for each in ranges)


async def _acceptable(
    context: Context, request: Request, repository: str, tag: str, stored: StoredManifest
) -> StoredManifest:
    """Return an index's image for a client that reads no indexes. Raises ManifestUnknownError for other mismatches."""
    if stored.media_type in media.INDEXES:
        digest = image_for(stored)
        image = await context.repositories.manifest(repository, digest) if digest else None
        if image is not None and accepts(request, image.media_type):
            return image
    raise ManifestUnknownError(
        f"{repository}:{tag} is a {stored.media_type}, which the request's Accept does not take.",
        detail={"mediaType": stored.media_type},
    )
