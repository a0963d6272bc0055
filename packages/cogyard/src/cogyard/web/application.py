"""The whole platform as one ASGI application: API, pages, registry, files, and which of them an address means."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cogyard.features.accounts.service import SESSION_LIFE
from cogyard.features.services import Services
from cogyard.http.concerns import refusal_of
from cogyard.http.problems import problem_of
from cogyard.registry.answers import error_response, translated
from cogyard.web.api import create_api, create_capabilities
from cogyard.web.auditing import Audited
from cogyard.web.identity import Identity, token_of
from cogyard.web.measuring import PATH as METRICS
from cogyard.web.measuring import Measured, Meter, MetricsDoor
from cogyard.web.pages import Pages
from cogyard.web.proxies import Proxied
from cogyard.web.settings import WebSettings

SESSION_COOKIE = "cogyard_session"

# `/v1/v1` because one official client adds /v1 to a base that has it already (wire gotcha 1).
_API = re.compile(r"(/v1(?:/v1)?)(/.*)?")
# Where the hosted service has it too, beside the one below /v1.
DOCUMENT = "/openapi.json"
_CAPABILITY = re.compile(r"/(?:delivery|internal)/")
# Whose doors look by themselves whether a request is to be refused, and know then what it would have done.
_REFUSING = frozenset({"api", "files", "pages"})
_REGISTRY = re.compile(r"/(?:v2|registry|cog/v1)(?:/.*)?")


def create_application(
    services: Services,
    settings: WebSettings,
    *,
    registry: ASGIApp | None = None,
    meter: Meter | None = None,
) -> Starlette:
    """Return the application. `registry` answers below /v2, /registry and /cog/v1; `meter` is read at /metrics."""
    pages = Pages()

    def refusal(request: Request, error: Exception) -> Response:
        part = part_of(request.scope)
        if part == "registry":
            return error_response(request, translated(error, request))
        return pages.error(request, error) if part == "pages" else problem_of(error, request)

    async def refused(request: Request, error: Exception) -> Response:
        return refusal(request, error)

    app = Starlette(
        routes=[pages.static, Route("/healthz", _healthy), *pages.routes],
        exception_handlers={HTTPException: refused, 404: refused, 500: refused},
        middleware=[
            *([Middleware(Measured, meter=meter)] if meter is not None else []),
            Middleware(Proxied, trusted=settings.trusted_proxies),
            Middleware(
                Sessions,
                secret_key=settings.session_secret,
                session_cookie=SESSION_COOKIE,
                max_age=int(SESSION_LIFE.total_seconds()),
                https_only=settings.https_only,
            ),
            Middleware(Identity, services=services, refusal=refusal),
            *([Middleware(Audited, note=services.audit.note)] if services.audit is not None else []),
            Middleware(
                Switch,
                api=create_api(),
                capabilities=create_capabilities(),
                registry=registry,
                metrics=MetricsDoor(meter, settings.metrics_token) if meter is not None else None,
                refusal=refusal,
            ),
        ],
    )
    app.state.services = services
    app.state.web = settings
    return app


class Sessions(SessionMiddleware):
    """Sessions for whoever says none of our tokens: beside a token a session counts for nothing, and none begins."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with the session, or with an empty one."""
        if scope["type"] == "http" and _has_token(scope):
            scope["session"] = {}
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


class Switch:
    """Middleware that sends each address to the part of the platform it means; what remains is a page.

    With an Authorization header of ours every other address is the API's: an official client may have been given the
    host without /v1.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        api: ASGIApp,
        capabilities: ASGIApp,
        registry: ASGIApp | None,
        metrics: ASGIApp | None = None,
        refusal: Callable[[Request, Exception], Response],
    ) -> None:
        """Send on; `refusal` says for parts that know no callers that one is refused."""
        self.pages = app
        self.refusal = refusal
        self.api = api
        self._parts = {"api": api, "files": capabilities, "registry": registry, "metrics": metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose by path, then by header."""
        if scope["type"] != "http":
            await self.pages(scope, receive, send)
            return
        part, app = self._part(scope)
        scope.setdefault("state", {})["part"] = part
        refused = refusal_of(Request(scope)) if part not in _REFUSING else None
        if refused is not None:
            await self.refusal(Request(scope), refused)(scope, receive, send)
            return
        await app(scope, receive, send)

    def _part(self, scope: Scope) -> tuple[str, ASGIApp]:
        part = part_of(scope)
        if part == "api" and (match := _API.fullmatch(scope["path"])) is not None:
            base = match[1]

            async def below(scope: Scope, receive: Receive, send: Send) -> None:
                await self.api(_below(scope, base), receive, send)

            return part, below
        app = self._parts.get(part)
        return (part, app) if app is not None else ("pages", self.pages)


def part_of(scope: Scope) -> str:
    """Return which part of the platform a request is for: api, files, registry, metrics or pages."""
    path: str = scope["path"]
    if _API.fullmatch(path):
        return "api"
    if _CAPABILITY.match(path):
        return "files"
    if _REGISTRY.fullmatch(path):
        return "registry"
    if path == METRICS:
        return "metrics"
    if path == DOCUMENT or (path != "/healthz" and _has_token(scope)):
        return "api"
    return "api" if scope["method"] == "OPTIONS" and _will_have_token(scope) else "pages"


def _has_token(scope: Scope) -> bool:
    said = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    return said is not None and token_of(said.decode("latin-1")) is not None


def _will_have_token(scope: Scope) -> bool:
    """Whether a browser asks, before it sends a token to the API without /v1, whether it may."""
    said = [value.lower() for name, value in scope["headers"] if name == b"access-control-request-headers"]
    return any(b"authorization" in {word.strip() for word in value.split(b",")} for value in said)


def _below(scope: Scope, base: str) -> Scope:
    # The path stays whole, as ASGI has it: what routes see begins after the root path.
    return {**scope, "root_path": scope.get("root_path", "") + base}


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})
