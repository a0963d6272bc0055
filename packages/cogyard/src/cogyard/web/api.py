"""The HTTP API as one application: every endpoint of every feature, and one shape for every error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cogyard.features.accounts import routes as accounts
from cogyard.features.collections import routes as collections
from cogyard.features.deployments import routes as deployments
from cogyard.features.examples import routes as examples
from cogyard.features.exports import routes as exports
from cogyard.features.files import delivery
from cogyard.features.files import routes as files
from cogyard.features.hardware import routes as hardware
from cogyard.features.instances import routes as instances
from cogyard.features.limits import routes as limits
from cogyard.features.models import routes as models
from cogyard.features.organizations import routes as organizations
from cogyard.features.predictions import routes as predictions
from cogyard.features.predictions import streams
from cogyard.features.retention import routes as retention
from cogyard.features.trainings import routes as trainings
from cogyard.features.versions import routes as versions
from cogyard.features.webhooks import endpoint_routes as webhook_endpoints
from cogyard.features.webhooks import routes as webhooks
from cogyard.http.endpoints import Endpoint, route
from cogyard.http.errors import MethodNotAllowedError, NotFoundError
from cogyard.http.problems import problem_of
from cogyard.web.openapi.routes import endpoint_for

# Below /v1. The more particular before the less: /files/{token}/stream before /files/{id}.
_FEATURES: tuple[Endpoint, ...] = (
    *accounts.ENDPOINTS,
    *exports.ENDPOINTS,
    *organizations.ENDPOINTS,
    *streams.API_ENDPOINTS,
    *files.ENDPOINTS,
    *hardware.ENDPOINTS,
    *predictions.ENDPOINTS,
    *trainings.ENDPOINTS,
    *instances.ENDPOINTS,
    *versions.ENDPOINTS,
    *limits.ENDPOINTS,
    *retention.ENDPOINTS,
    *webhook_endpoints.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *collections.ENDPOINTS,
    *deployments.ENDPOINTS,
    *examples.ENDPOINTS,
    *models.ENDPOINTS,
)
# At the root of the host.
CAPABILITIES: tuple[Endpoint, ...] = (*delivery.ENDPOINTS, *streams.INTERNAL_ENDPOINTS)

# The document of all of them is one of them.
API: tuple[Endpoint, ...] = (*_FEATURES, endpoint_for(_FEATURES, CAPABILITIES))

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY")
_READABLE = (
    *("Location", "Preference-Applied", "Retry-After", "Content-Range", "ETag", "X-Request-Id"),
    *("Accept-Ranges", "Content-Disposition"),
    *("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
)


def create_api() -> ASGIApp:
    """Return the API, for addresses below its base.

    Browsers of other sites may call it with a token: the permission is for everybody and never for cookies. Any header
    may come with it: official clients send their own (`User-Agent`, `X-Stainless-…`), tracing sends more.
    """
    return _for_pages_of_others(_Rooms(API), METHODS)


def create_capabilities() -> ASGIApp:
    """Return what is reached by addresses that nobody can guess, at the root of the host.

    Browsers of other sites may read there: a page that shows an output may want a part of it, or its length.
    """
    return _for_pages_of_others(_Rooms(CAPABILITIES), ("GET", "HEAD"))


def _for_pages_of_others(rooms: ASGIApp, methods: Sequence[str]) -> ASGIApp:
    plain = _Plain(rooms, vary=b"Origin")
    cors = CORSMiddleware(
        _Plain(rooms),
        allow_origins=["*"],
        allow_methods=methods,
        allow_headers=["*"],
        expose_headers=_READABLE,
        max_age=86400,
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # What has no Origin comes from no page, and needs nothing but to be told from what does.
        foreign = any(name == b"origin" for name, _ in scope["headers"])
        await (cors if foreign else plain)(scope, receive, send)

    return answer


class _Rooms:
    """Routes by the first word of their addresses, so that a request is compared with those of its own room only."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        rooms: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            rooms.setdefault(_room(endpoint.path), []).append(endpoint)
        self._rooms = {name: _router(tuple(found)) for name, found in rooms.items()}
        self._whole = {
            key: app for router in self._rooms.values() for key, app in whole_addresses(router.routes)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request at the address that is spelled like its own, else in its room."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        app = self._whole.get((scope["method"], path))
        if app is not None:
            scope["path_params"] = {}
        else:
            app = self._rooms.get(_room(path), _nothing_here)
        await app(scope, receive, send)


def whole_addresses(routes: Sequence[BaseRoute]) -> Iterator[tuple[tuple[str, str], ASGIApp]]:
    """Yield (method, path) and the application of each address without parameters that a router would find first."""
    seen: list[Route] = []
    for each in routes:
        if not isinstance(each, Route) or each.methods is None:
            continue
        for method in each.methods:
            taken = any(
                method in (one.methods or ()) and one.path_regex.match(each.path) is not None for one in seen
            )
            if "{" not in each.path and not taken:
                yield (method, each.path), each.app
        seen.append(each)


def _room(path: str) -> str:
    return path[1:].partition("/")[0]


def _router(endpoints: tuple[Endpoint, ...]) -> Router:
    routes = [route(endpoint) for endpoint in endpoints]
    return Router([*routes, *_refusals(endpoints)], redirect_slashes=False, default=_nothing_here)


def _refusals(endpoints: tuple[Endpoint, ...]) -> list[Route]:
    """Return a route for each address that answers methods it does not have, as a problem."""
    methods: dict[str, set[str]] = {}
    for endpoint in endpoints:
        methods.setdefault(endpoint.path, set()).add(endpoint.method)
    return [_refusal(path, allowed) for path, allowed in methods.items()]


def _refusal(path: str, allowed: set[str]) -> Route:
    words = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))

    async def answer(request: Request) -> Response:
        error = MethodNotAllowedError(f"{request.method[:20]} is not one of {words}.")
        response = problem_of(error, request)
        response.headers["Allow"] = words
        return response

    found = Route(path, answer)
    found.methods = None
    return found


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await problem_of(NotFoundError(), Request(scope))(scope, receive, send)


class _Plain:
    """Adds what every answer of the API says: it is nobody's page and nobody keeps it."""

    def __init__(self, app: ASGIApp, *, vary: bytes | None = None) -> None:
        self.app = app
        self._said = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
        if vary is not None:
            self._said.append((b"vary", vary))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                headers += [pair for pair in self._said if pair[0] not in names]
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, sending)
