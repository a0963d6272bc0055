"""Who we are to a registry: challenges read, token requests made. Pure."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from cogyard.oci.errors import NotARegistryError

_PARAMETER = re.compile(r'\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|\Z)')
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)\Z")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A user name and a password, or an identity token alone."""

    username: str
    password: str

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()

    def __repr__(self) -> str:
        return f"Credential(username={self.username!r})"


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What a 401 asks for: `scheme` is basic or bearer."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What we want to do in a repository."""

    repository: str
    actions: str = "pull"

    def __str__(self) -> str:
        return f"repository:{self.repository}:{self.actions}"


def read_challenge(header: str | None) -> Challenge | None:
    """Return the challenge of a WWW-Authenticate header, or None when we cannot answer it."""
    if header is None or len(header) > 4096:
        return None
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() not in {"basic", "bearer"}:
        return None
    found = {}
    while match := _PARAMETER.match(rest):
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        rest = rest[match.end() :]
    return Challenge(
        scheme=scheme.lower(),
        realm=found.get("realm", ""),
        service=found.get("service", ""),
        scope=found.get("scope", ""),
        error=found.get("error", ""),
    )


def token_url(challenge: Challenge, scopes: list[Scope], registry: str) -> str:
    """Return where to ask for a token; `registry` is the address of the registry that sent us there.

    Raises NotARegistryError for a realm that credentials must not be sent to: plain http on another machine.
    """
    realm = urlsplit(challenge.realm)
    home = urlsplit(registry)
    safe = realm.scheme == "https" or (
        realm.scheme == "http"
        and (
            realm.netloc == home.netloc
            or (is_loopback(realm.hostname or "") and is_loopback(home.hostname or ""))
        )
    )
    if not safe or not realm.hostname or realm.username:
        raise NotARegistryError(
            f"the registry {home.netloc} asks for credentials at {challenge.realm[:100]!r}, which is not safe"
        )
    query = [("service", challenge.service)] if challenge.service else []
    wanted = [str(scope) for scope in scopes] or ([challenge.scope] if challenge.scope else [])
    query += [("scope", scope) for scope in wanted]
    joined = "&".join(filter(None, [realm.query, urlencode(query)]))
    return realm._replace(query=joined, fragment="").geturl()


class _Token(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: Any = None


def read_token(body: bytes) -> tuple[str, float]:
    """Return the token of an answer, and the seconds it is good for.

    Raises NotARegistryError.
    """
    try:
        answer = msgspec.json.decode(body, type=_Token)
    except (msgspec.MsgspecError, RecursionError):
        answer = _Token()
    token = answer.token or answer.access_token
    if not token or not token.isascii() or not token.isprintable():
        raise NotARegistryError("the registry's token endpoint answered without a token")
    lifetime = answer.expires_in if isinstance(answer.expires_in, int | float) else 60
    return token, max(0.0, float(lifetime))


def is_loopback(host: str) -> bool:
    """Whether a host (with or without a port) is this machine."""
    name = host if host.startswith("[") or host.count(":") > 1 else host.partition(":")[0]
    return _LOOPBACK.match(name.partition("]")[0].strip("[]").lower()) is not None
