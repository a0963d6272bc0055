"""A route of the API with the rule of who may come in; a route without a rule cannot be written.

Who may touch what is the services' matter (a private model answers as an absent one); this is the door before it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.http.caller import caller_of, require_account
from cogyard.http.concerns import refusal_of
from cogyard.http.errors import ForbiddenError
from cogyard.http.problems import problem_of
from cogyard.http.rates import Rates

#: What makes work for instances has a limit of its own.
MAKE_WORK = frozenset(
    {
        "predictions.create",
        "models.predictions.create",
        "deployments.predictions.create",
        "trainings.create",
    }
)
Handler = Callable[[Request], Awaitable[Response]]

_encoder = msgspec.json.Encoder(enc_hook=dict)


class Access(StrEnum):
    """Who may come in."""

    ACCOUNT = "whoever has an account"
    CAPABILITY = "whoever knows the address"
    ANYONE = "anyone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One method of one address. `path` is below the API's base."""

    method: str
    path: str
    handler: Handler
    access: Access
    operation: str
    """The operation's name in the reference, such as `predictions.create`."""

    scope: Scope | None = None
    """How far a token must reach, where that does not follow from the method."""

    role: Role | None = None
    """How far whoever acts for an organization must reach in it, where that does not follow from the scope."""

    @property
    def takes(self) -> Role:
        """How far one must reach in the organization one acts for; what nobody thought about takes a writer."""
        return self.role or (Role.WRITER if self.needs is Scope.WRITE else Role.READER)

    @property
    def needs(self) -> Scope:
        """How far a token must reach: who only looks needs least, and what nobody thought about needs most."""
        return self.scope or (Scope.READ if self.method in {"GET", "QUERY"} else Scope.WRITE)


def route(endpoint: Endpoint) -> Route:
    """Return the route of an endpoint: the door first, then the handler, and every error as a problem document."""
    return Route(endpoint.path, _Answer(endpoint), methods=[endpoint.method], name=endpoint.operation)


class _Answer:
    """The application of one endpoint; not a function, which Starlette would wrap to catch what is caught here."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive, send)
        response = await self._response(request)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        endpoint = self._endpoint
        state = request.scope.setdefault("state", {})
        state["operation"], state["params"] = endpoint.operation, request.path_params
        try:
            if (refused := refusal_of(request)) is not None:
                raise refused  # noqa: TRY301 - it is answered as all others
            if endpoint.access is Access.ACCOUNT:
                account = require_account(request)
                _require_scope(caller_of(request).scope, endpoint.needs)
                _require_role(account, endpoint.takes)
            limits = admitted(request, creates=endpoint.operation in MAKE_WORK)
            response = await endpoint.handler(request)
            if limits:
                response.headers.update(limits)
            return response  # noqa: TRY300 - whatever fails here is a problem document too
        except Exception as error:  # noqa: BLE001 - what is not ours is logged by problem_of and said to be our fault
            return problem_of(error, request)


def admitted(request: Request, *, creates: bool) -> Mapping[str, str]:
    """Count a request of an account, which may make work, and return what its answer says of limits.

    Raises BusyError.
    """
    caller = caller_of(request)
    account = caller.account
    rates = getattr(getattr(request.app.state, "web", None), "rates", None)
    if account is None or not isinstance(rates, Rates):
        return {}
    if caller.person is not None:
        # Whoever acts for many organizations is one person all the same.
        rates.admit(caller.person.id, creates=creates)
    return rates.admit(account.id, creates=creates)


def _require_scope(held: Scope, needed: Scope) -> None:
    if not held.covers(needed):
        raise ForbiddenError(f"This token's scope is {held.value!r}; this needs {needed.value!r}.")


def _require_role(account: Account, needed: Role) -> None:
    if not account.role.covers(needed):
        raise ForbiddenError(
            f"As a {account.role} of {account.username} you may not do this; a {needed} may."
        )


def reply(body: Any, status: int = 200, **headers: str) -> Response:
    """Answer with JSON; keyword arguments are headers, with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(_encoder.encode(body), status, headers=named, media_type="application/json")
