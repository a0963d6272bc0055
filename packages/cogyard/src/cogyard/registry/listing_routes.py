"""Lists, in pages: a repository's tags, and what is attached to one of its manifests."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.oci import descriptor as media
from cogyard.registry.blob_routes import SAFE
from cogyard.registry.context import Context
from cogyard.registry.errors import NameUnknownError, PaginationInvalidError
from cogyard.registry.manifests import referrer
from cogyard.registry.names import Target, digest_of, repository_of

MAX_TAGS = 1000
MAX_REFERRERS = 100


async def list_tags(context: Context, request: Request, target: Target) -> Response:
    """Answer GET tags/list; `n` bounds a page, `last` is the tag it starts after."""
    repository = repository_of(target.name)
    await context.guard.require_pull(request, repository)
    limit = _limit(request.query_params.get("n"))
    after = request.query_params.get("last")
    tags = await context.repositories.tags(repository, limit=limit + 1, after=after) if limit else ()
    if not tags and not await context.repositories.has_manifests(repository):
        raise NameUnknownError(repository)
    page = list(tags[:limit])
    more = {"n": str(limit), "last": page[-1]} if len(tags) > limit else None
    return _json({"name": repository, "tags": page}, "application/json", _next(request, more))


async def list_referrers(context: Context, request: Request, target: Target) -> Response:
    """Answer GET referrers: an index of the manifests about another one, which need not be there itself."""
    repository, subject = repository_of(target.name), digest_of(target.reference)
    await context.guard.require_pull(request, repository)
    artifact_type = request.query_params.get("artifactType") or None
    found = await context.repositories.referrers(
        repository,
        subject,
        artifact_type=artifact_type,
        limit=MAX_REFERRERS + 1,
        after=request.query_params.get("last"),
    )
    page = found[:MAX_REFERRERS]
    more = {"last": page[-1].digest} if len(found) > MAX_REFERRERS else None
    headers = _next(request, {"artifactType": artifact_type, **more} if more and artifact_type else more)
    if artifact_type is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    index = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [referrer(each) for each in page]}
    return _json(index, media.INDEX, headers)


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_TAGS
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise PaginationInvalidError(f"n={text[:20]!r} is not a whole number.")
    return min(int(text), MAX_TAGS)


def _next(request: Request, query: dict[str, str] | None) -> dict[str, str]:
    if query is None:
        return {}
    return {"Link": f'<{request.scope["path"]}?{urlencode(query)}>; rel="next"'}


def _json(value: Any, media_type: str, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(value), headers={**SAFE, **headers, "Content-Type": media_type})
