"""Who asks: a token in the Authorization header, or a browser's session. Said once, at `request.state.caller`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cogyard.domain.roles import Membership, Role
from cogyard.features.services import Services
from cogyard.http.addresses import Addresses
from cogyard.http.caller import ACCOUNT_HEADER, ACTING_KEY, NOBODY, SESSION_KEY, Caller
from cogyard.http.concerns import refuse
from cogyard.http.errors import ForbiddenError
from cogyard.http.headers import header
from cogyard.web.origin import SAFE_METHODS, is_same_origin

_SCHEMES = {"bearer", "token"}
TOKEN_LIMIT = 200


def token_of(header: str | None) -> str | None:
    """Return the token of an Authorization header, `Bearer …` or `Token …`; it may be empty.

    None is a header for somebody else: a proxy that asks for a password of its own sends it on to us.
    """
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() in _SCHEMES else None


class Identity:
    """Middleware that says who asks.

    With an Authorization header the session counts for nothing: a wrong token is nobody. A session may change things
    only from a page of ours: another site's page can make a browser send it, but not say that it comes from here.
    """

    def __init__(
        self, app: ASGIApp, services: Services, refusal: Callable[[Request, Exception], Response]
    ) -> None:
        """Go on with `app`; `refusal` says what went wrong, as the part of the platform that was meant says it."""
        self.app = app
        self.services = services
        self.refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the caller and go on."""
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            caller = await self._admitted(connection, await self._caller(connection))
        except Exception as error:  # noqa: BLE001 - whatever it was, it is said to the client
            await self.refusal(Request(scope), error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)

    async def _admitted(self, connection: HTTPConnection, caller: Caller) -> Caller:
        """Return whom the request acts for; nobody, when it is to be refused by whoever answers it.

        Not here: what was asked for is known there, and the audit log is between.
        """
        try:
            acting = await self._acting(connection, caller)
            if caller.via == "session" and connection.scope["method"] not in SAFE_METHODS:
                _require_us(connection)
        except ForbiddenError as error:
            refuse(connection, error, actor=caller.account, via=caller.via or "")
            return NOBODY
        return acting

    async def _caller(self, connection: HTTPConnection) -> Caller:
        token = token_of(header(connection, b"authorization"))
        if token is not None:
            held = await self.services.accounts.holder(token) if len(token) <= TOKEN_LIMIT else None
            return NOBODY if held is None else Caller(account=held.account, via="token", scope=held.scope)
        secret = connection.session.get(SESSION_KEY)
        account = await self.services.accounts.of_session(secret) if isinstance(secret, str) else None
        return NOBODY if account is None else Caller(account=account, via="session")

    async def _acting(self, connection: HTTPConnection, caller: Caller) -> Caller:
        """Return the caller as the organization that the request or the session names, as far as their role reaches.

        What is the person's own, and what other organizations show them, they see all the same.
        """
        person = caller.account
        asked, chosen = (header(connection, ACCOUNT_HEADER.encode()) or "").strip(), ""
        if caller.via == "session":
            chosen = str(connection.session.get(ACTING_KEY, ""))
        name = asked or chosen
        if not name or person is None or name.lower() == person.username.lower():
            return caller
        role = person.role_in(name)
        organization = await self.services.accounts.get(name) if role is not None else None
        if role is not None and organization is not None:
            own = Membership(organization=person.username, organization_id=person.id, role=Role.OWNER)
            acting = replace(
                organization,
                role=role,
                memberships=(own, *person.memberships),
                acted_by=person.username,
            )
            return replace(caller, account=acting, person=person)
        if asked:
            # The same whether or not there is one.
            raise ForbiddenError(f"You are no member of an organization {name[:40]!r}.")
        # Chosen once, and no member any more: the browser goes on as its person.
        return caller


def _require_us(connection: HTTPConnection) -> None:
    host = connection.headers.get("host", "")
    bases = frozenset({Addresses.of(connection).base, f"{connection.url.scheme}://{host}"})
    if not is_same_origin(connection.headers, bases=bases):
        raise ForbiddenError("This request did not come from a page of this platform.")
