"""Bearer tokens of the registry: who asks, and what for, signed and good for minutes.

Theory of operation: a client without a token is told where to get one (`WWW-Authenticate`), gets it with a user name
and an API token or password, and comes back. A token narrows what its account may do to what was asked for; it widens
nothing: every request asks `Access` anew, so a token outlives neither its account nor a change of visibility.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from itsdangerous import BadData, URLSafeTimedSerializer

from cogyard.oci.errors import InvalidReferenceError
from cogyard.oci.reference import check_repository
from cogyard.registry.errors import UnauthorizedError

LIFETIME = 300
"""Seconds. Docker asks for at least 60; a request that has begun may go on for longer."""

MAX_SCOPES = 50

PULL, PUSH, DELETE = "pull", "push", "delete"
_ACTIONS = frozenset({PULL, PUSH, DELETE})
_SCOPE = re.compile(r"repository(?:\([a-z0-9]+\))?:([^: ]{1,255}):([a-z*,]{1,64})")


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one repository."""

    repository: str
    actions: frozenset[str]

    def __str__(self) -> str:
        return f"repository:{self.repository}:{','.join(sorted(self.actions))}"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: an account (None: anyone), and what it was made for."""

    account_id: int | None
    scopes: tuple[Scope, ...]

    def allows(self, repository: str, action: str) -> bool:
        """Whether the token was made for this."""
        return any(scope.repository == repository and action in scope.actions for scope in self.scopes)


class Signer:
    """Makes tokens and reads them back."""

    def __init__(self, secret: str, *, lifetime: int = LIFETIME) -> None:
        """Sign with the platform's secret; whoever knows it can be anybody."""
        self.lifetime = lifetime
        self._serializer = URLSafeTimedSerializer(secret, salt="cogyard.registry.token")

    def issue(self, claims: Claims) -> str:
        """Return a token."""
        granted = {scope.repository: sorted(scope.actions) for scope in claims.scopes}
        return str(self._serializer.dumps({"a": claims.account_id, "s": granted}))

    def read(self, token: str) -> Claims:
        """Return what a token says. Raises UnauthorizedError when it is not ours or has expired."""
        try:
            value = msgspec.convert(self._serializer.loads(token, max_age=self.lifetime), type=_Payload)
        except (BadData, msgspec.ValidationError) as error:
            raise UnauthorizedError(
                "The token is not valid or has expired.", hint="Log in again with: docker login HOST"
            ) from error
        scopes = tuple(Scope(name, frozenset(actions)) for name, actions in value.scopes.items())
        return Claims(value.account_id, scopes)


class _Payload(msgspec.Struct, rename={"account_id": "a", "scopes": "s"}):
    account_id: int | None
    scopes: dict[str, list[str]]


def parse_scopes(values: Iterable[str]) -> tuple[Scope, ...]:
    """Read the `scope` parameters of a token request; what is none of ours is left out, as the protocol wants.

    One parameter may hold several, separated by spaces. `*` means everything.
    """
    found: dict[str, set[str]] = {}
    for text in " ".join(values).split()[:MAX_SCOPES]:
        match = _SCOPE.fullmatch(text)
        if match is None or not _is_repository(match[1]):
            continue
        asked = set(match[2].split(","))
        found.setdefault(match[1], set()).update(_ACTIONS if "*" in asked else asked & _ACTIONS)
    return tuple(Scope(name, frozenset(actions)) for name, actions in found.items() if actions)


def _is_repository(name: str) -> bool:
    try:
        check_repository(name)
    except InvalidReferenceError:
        return False
    return name.count("/") == 1
