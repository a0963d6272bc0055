"""What a request is about and who sent it, where only its handler knows: said once, for the audit log."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from cogyard.domain.values import Account

SUBJECT, ACTOR = "subject", "actor"


def concerns(request: HTTPConnection, subject: str | None = None, *, actor: Account | None = None) -> None:
    """Say what a request changes, such as the model it makes, and whom it turned out to come from."""
    state = request.scope.setdefault("state", {})
    if subject is not None:
        state[SUBJECT] = subject
    if actor is not None:
        state[ACTOR] = actor
