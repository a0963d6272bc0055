"""Tokens say who asks and what for, and can be neither made nor stretched by others."""

from __future__ import annotations

import time

import pytest
from cogyard.registry.errors import UnauthorizedError
from cogyard.registry.tokens import Claims, Scope, Signer, parse_scopes

CLAIMS = Claims(7, (Scope("alice/model", frozenset({"pull", "push"})),))


def test_a_token_says_what_it_was_made_for() -> None:
    """Account, repository and actions come back, and nothing else is allowed."""
    signer = Signer("secret")
    claims = signer.read(signer.issue(CLAIMS))
    assert claims == CLAIMS
    assert claims.allows("alice/model", "push")
    assert not claims.allows("alice/model", "delete")
    assert not claims.allows("alice/other", "pull")


def test_an_anonymous_token_has_no_account() -> None:
    """Nobody is an account too, in a sense."""
    signer = Signer("secret")
    assert signer.read(signer.issue(Claims(None, ()))) == Claims(None, ())


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "\x00", "é"])
def test_nonsense_is_refused(token: str) -> None:
    """Nothing but our own tokens is read."""
    with pytest.raises(UnauthorizedError):
        Signer("secret").read(token)


def test_another_secret_makes_other_tokens() -> None:
    """A token of one platform is nothing on another; nor is a changed one."""
    token = Signer("secret").issue(CLAIMS)
    for foreign in (
        Signer("other").issue(CLAIMS),
        token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        "x" + token,
    ):
        with pytest.raises(UnauthorizedError):
            Signer("secret").read(foreign)


def test_a_token_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its lifetime a token is worth nothing."""
    signer = Signer("secret", lifetime=300)
    token = signer.issue(CLAIMS)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 299)  # itsdangerous takes no clock
    signer.read(token)
    monkeypatch.setattr(time, "time", lambda: now + 302)
    with pytest.raises(UnauthorizedError):
        signer.read(token)


def test_scopes_are_read_as_clients_write_them() -> None:
    """Several parameters, several in one, a star, and what is not ours."""
    scopes = parse_scopes(
        [
            "repository:alice/a:pull,push repository:alice/b:*",
            "repository:alice/a:pull",
            "registry:catalog:*",
            "repository:nobody:pull",
            "repository:alice/../x:pull",
            "repository:alice/c:fly",
            "nonsense",
        ]
    )
    assert scopes == (
        Scope("alice/a", frozenset({"pull", "push"})),
        Scope("alice/b", frozenset({"pull", "push", "delete"})),
    )
    assert str(scopes[0]) == "repository:alice/a:pull,push"
