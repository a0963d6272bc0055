"""What a request is about and who sent it, where only its handler knows: said once, for the audit log.

Also what is said before anybody knows which handler it will be: that a request is refused, whatever it asks for.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from cogyard.domain.values import Account

SUBJECT, ACTOR, VIA, REFUSAL = "subject", "actor", "via", "refusal"


def concerns(request: HTTPConnection, subject: str | None = None, *, actor: Account | None = None) -> None:
    """Say what a request changes, such as the model it makes, and whom it turned out to come from."""
    state = request.scope.setdefault("state", {})
    if subject is not None:
        state[SUBJECT] = subject
    if actor is not None:
        state[ACTOR] = actor


def refuse(request: HTTPConnection, error: Exception, *, actor: Account | None, via: str) -> None:
    """Say that whoever answers must refuse: where the request leads is not known yet, and the audit log wants it."""
    state = request.scope.setdefault("state", {})
    state[REFUSAL], state[ACTOR], state[VIA] = error, actor, via


def refusal_of(request: HTTPConnection) -> Exception | None:
    """Return what a request is to be refused with, if it is."""
    error = request.scope.get("state", {}).get(REFUSAL)
    return error if isinstance(error, Exception) else None
