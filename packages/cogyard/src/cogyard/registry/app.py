"""The registry as an ASGI application: OCI distribution 1.1 under `/v2`, with its tokens beside it.

Theory of operation: a push is a number of blobs, then a manifest that names them. Blobs are kept once for all
repositories, and each repository has a list of those it may show. A blob is in that list after it was sent to the
repository, or mounted from one its sender may read. Nothing of a push can be seen before its manifest is stored, with
its tag, in one transaction; what a broken push leaves are blobs that no manifest names. Versions are made from stored
manifests, so a client hears of success only when the version is there; pushing again repairs what was interrupted.

Whole paths are read here, so the application can be mounted at any of `/v2`, `/registry` and `/cog`, or at the root.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cogyard.domain.blobs import CollectableBlobs
from cogyard.domain.values import Account
from cogyard.registry import (
    blob_routes,
    listing_routes,
    manifest_routes,
    token_routes,
    upload_routes,
)
from cogyard.registry.answers import error_response, translated
from cogyard.registry.authorization import Guard
from cogyard.registry.context import IDLE_SECONDS, Context, KeptUploads
from cogyard.registry.errors import UnauthorizedError, UnsupportedError
from cogyard.registry.names import Kind, Target, target_of
from cogyard.registry.ports import Access, Identity, Pins, PushObserver, Repositories
from cogyard.registry.tokens import LIFETIME, Signer

Handler = Callable[[Context, Request, Target], Awaitable[Response]]


async def _base(context: Context, request: Request, _: Target) -> Response:
    """Answer the question whether this is a registry, and whether the credentials are right."""
    grant = await context.guard.grant(request)
    if grant.account is None and grant.claims is None:
        raise UnauthorizedError("Log in, or ask for a token for public repositories.")
    return Response(b"{}", headers={"Content-Type": "application/json"})


ROUTES: Mapping[Kind, Mapping[str, Handler]] = {
    Kind.BASE: {"GET": _base, "HEAD": _base},
    Kind.BLOB: {
        "GET": blob_routes.get_blob,
        "HEAD": blob_routes.get_blob,
        "DELETE": blob_routes.delete_blob,
    },
    Kind.UPLOADS: {"POST": upload_routes.begin_upload},
    Kind.UPLOAD: {
        "GET": upload_routes.upload_status,
        "HEAD": upload_routes.upload_status,
        "PATCH": upload_routes.add_to_upload,
        "PUT": upload_routes.finish_upload,
        "DELETE": upload_routes.cancel_upload,
    },
    Kind.MANIFEST: {
        "GET": manifest_routes.get_manifest,
        "HEAD": manifest_routes.get_manifest,
        "PUT": manifest_routes.put_manifest,
        "DELETE": manifest_routes.delete_manifest,
    },
    Kind.TAGS: {"GET": listing_routes.list_tags, "HEAD": listing_routes.list_tags},
    Kind.REFERRERS: {"GET": listing_routes.list_referrers, "HEAD": listing_routes.list_referrers},
    Kind.TOKEN: {"GET": token_routes.issue_token, "POST": token_routes.issue_token_oauth},
    Kind.TOKEN_URL: {"GET": token_routes.display_token_url},
    Kind.VERIFY_TOKEN: {"POST": token_routes.verify_token},
}


class Registry:
    """The ASGI application. Made by `create_registry`."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError("The registry speaks HTTP only.")
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return  # nobody is left to hear an answer; an upload keeps what has come
        response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            target = target_of(request.scope["path"])
            handler = _handler(request, target)
            return await handler(self.context, request, target)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: a client gets an answer in the protocol's shape, always
            return error_response(request, translated(error, request))


def _handler(request: Request, target: Target) -> Handler:
    methods = ROUTES[target.kind]
    if request.method not in methods:
        raise UnsupportedError(
            f"{request.method} is not possible here.", headers={"Allow": ", ".join(methods)}
        )
    return methods[request.method]


def create_registry(
    *,
    blobs: CollectableBlobs,
    uploads: KeptUploads,
    repositories: Repositories,
    identity: Identity,
    access: Access,
    pushes: PushObserver,
    secret: str,
    pins: Pins | None = None,
    max_blob: int | None = None,
    quota: int | None = None,
    token_lifetime: int = LIFETIME,
    idle_seconds: float = IDLE_SECONDS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Registry:
    """Wire a registry.

    `secret` signs its tokens; `max_blob` bounds one blob and `quota` the repositories of one account, in bytes.
    """
    guard = Guard(identity=identity, access=access, signer=Signer(secret, lifetime=token_lifetime))
    return Registry(
        Context(
            blobs=blobs,
            uploads=uploads,
            repositories=repositories,
            guard=guard,
            pushes=pushes,
            pins=pins or _NoPins(),
            clock=clock,
            max_blob=max_blob,
            quota=quota,
            idle_seconds=idle_seconds,
        )
    )


class _NoPins:
    async def pin(self, caller: Account, repository: str, digest: str) -> str | None:  # noqa: ARG002 - the port's
        return None
