"""Every request that changed something, or was refused to, noted before it is answered: no handler can forget it.

Predictions and files are not noted: there may be hundreds a second, and each keeps by itself whose it is and when it
came. What is noted of a request is who sent it, from where, and what it was done to; never what was in it. What it was
done to is called the same by pages, API and registry: `ada/upscale`, and below it `ada/upscale/ID`.

Of refusals those are noted that say that the thing is there: 403 and 409. Who may not know of it gets 404, and that may
as well have been a mistake in writing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cogyard.domain.values import Account
from cogyard.http.caller import caller_of
from cogyard.http.concerns import ACTOR, SUBJECT, VIA
from cogyard.web.origin import SAFE_METHODS

#: Operations of the API that change something and are not noted.
QUIET = frozenset(
    {
        "deployments.predictions.create",
        "files.create",
        "files.delete",
        "internal.outputs.put",
        "models.predictions.create",
        "predictions.cancel",
        "predictions.create",
    }
)
#: What forms of pages do, by the page's address; None is not noted.
PAGES: dict[str, str | None] = {
    "/signin": "signin.password",
    "/signin/link/{secret}": "signin.link",
    "/signout": "signout",
    "/create": "models.create",
    "/account/api-tokens": "tokens.create",
    "/account/api-tokens/{id}/revoke": "tokens.revoke",
    "/auth/token": "tokens.create",
    "/account/act": None,
    "/organizations/create": "organizations.create",
    "/organizations/{organization}/join": "organizations.join",
    "/organizations/{organization}/members": "organizations.members.put",
    "/organizations/{organization}/members/{username}/remove": "organizations.members.remove",
    "/organizations/{organization}/settings": "organizations.update",
    "/organizations/{organization}/delete": "organizations.delete",
    "/{owner}/{name}/settings": "models.update",
    "/{owner}/{name}/retention": "models.retention.update",
    "/{owner}/{name}/limits": "models.limits.update",
    "/{owner}/{name}/examples": "models.examples.add",
    "/{owner}/{name}/examples/{id}/remove": "models.examples.remove",
    "/collections": "collections.put",
    "/collections/{slug}/edit": "collections.put",
    "/collections/{slug}/models": "collections.models.add",
    "/collections/{slug}/models/remove": "collections.models.remove",
    "/collections/{slug}/delete": "collections.delete",
    "/{owner}/{name}/delete": "models.delete",
    "/{owner}/{name}/snippets": None,
    "/{owner}/{name}/versions/{id}/delete": "models.versions.delete",
    "/{owner}/{name}/run": None,
    "/{owner}/{name}/train": "trainings.create",
    "/{owner}/{name}/train/snippets": None,
    "/deployments/create": "deployments.create",
    "/deployments/{owner}/{name}/run": None,
    "/deployments/{owner}/{name}/snippets": None,
    "/deployments/{owner}/{name}/rollback": "deployments.rollback",
    "/deployments/{owner}/{name}/settings": "deployments.update",
    "/deployments/{owner}/{name}/retention": "deployments.retention.update",
    "/deployments/{owner}/{name}/delete": "deployments.delete",
    "/account/export": "account.export",
    "/account/retention": "account.retention.update",
    "/p/{id}/cancel": None,
    "/p/{id}/delete": "predictions.delete",
    "/p/{id}/replay": "predictions.webhooks.replay",
    "/account/webhooks": "webhooks.endpoints.create",
    "/account/webhooks/secret": "webhooks.default.secret.get",
    "/account/webhooks/secret/rotate": "webhooks.default.secret.rotate",
    "/account/webhooks/{id}": "webhooks.endpoints.update",
    "/account/webhooks/{id}/rotate": "webhooks.endpoints.secret.rotate",
    "/account/webhooks/{id}/delete": "webhooks.endpoints.delete",
}
#: What only looks, and is noted all the same, by its path: it shows everything at once.
_LOOKED_AT = re.compile(r"(?:/v1){0,2}/account/export")
_SIGN_INS = {"signin.password": "password", "signin.link": "link"}
_REFUSALS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT})
# Of manifests and blobs, 405 is what the protocol has for one that is still used.
_REGISTRY_REFUSALS = _REFUSALS | {HTTPStatus.METHOD_NOT_ALLOWED}
_REGISTRY = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)/?")
_REGISTRY_DONE = {
    ("PUT", "manifests"): "registry.push",
    ("DELETE", "manifests"): "registry.delete",
    ("DELETE", "blobs"): "registry.blobs.delete",
}
# With what a push begins: it may be refused here already, and what is let in is noted by its manifest.
_PUSH_BEGINS = ("POST", "blobs", "uploads")
#: Parts of a page's address that open something.
_SECRETS = frozenset({"secret", "token"})


class Note(Protocol):
    """Keeps an entry; see `cogyard.features.audit.service.Audit.note`."""

    async def __call__(
        self,
        *,
        actor: str,
        via: str,
        action: str,
        subject: str = "",
        client: str = "",
        refused: int | None = None,
    ) -> None:
        """Keep it; must not raise."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a request did or was refused to do, and to what."""

    action: str
    subject: str
    via: str = ""
    refused: int | None = None


def done(scope: Scope, status: int) -> Done | None:
    """Say what an answered request did, or was refused; None when that is not worth noting."""
    state: dict[str, Any] = scope.get("state", {})
    found: Done | None = None
    match state.get("part"):
        case "api":
            found = _of_operation(state, status)
        case "registry":
            found = _of_registry(scope, status)
        case "pages":
            found = _of_page(scope, status)
    return found and replace(found, subject=str(state.get(SUBJECT, found.subject)))


def _of_operation(state: Mapping[str, Any], status: int) -> Done | None:
    operation = state.get("operation")
    if operation is None or operation in QUIET:
        return None
    return _ended(Done(action=operation, subject=_named(state.get("params", {}))), status)


def _of_registry(scope: Scope, status: int) -> Done | None:
    match = _REGISTRY.fullmatch(scope["path"])
    if match is None:
        return None
    name, kind, reference = match.groups()
    if (scope["method"], kind, reference) == _PUSH_BEGINS and status in _REFUSALS:
        return Done(action="registry.push", subject=name, via="registry", refused=status)
    action = _REGISTRY_DONE.get((scope["method"], kind))
    if action is None:
        return None
    return _ended(
        Done(action=action, subject=f"{name}:{reference}", via="registry"),
        status,
        refusals=_REGISTRY_REFUSALS,
    )


def _of_page(scope: Scope, status: int) -> Done | None:
    action = PAGES.get(getattr(scope.get("route"), "path", ""))
    if action is None:
        return None
    found = Done(action=action, subject=_named(scope.get("path_params", {})))
    if action in _SIGN_INS:
        return replace(found, action=action if status < 400 else "signin.failed", via=_SIGN_INS[action])
    return _ended(found, status)


def _ended(found: Done, status: int, *, refusals: frozenset[int] = _REFUSALS) -> Done | None:
    if status < 400:
        return found
    return replace(found, refused=status) if status in refusals else None


def _named(params: Mapping[str, Any]) -> str:
    return "/".join(str(value) for name, value in params.items() if name not in _SECRETS)


def _counts(scope: Scope) -> bool:
    if scope["method"] == "GET":
        return _LOOKED_AT.fullmatch(scope["path"]) is not None
    return scope["method"] not in SAFE_METHODS | {"QUERY"}


class Audited:
    """Middleware behind the one that says who asks."""

    def __init__(self, app: ASGIApp, *, note: Note) -> None:
        self.app = app
        self.note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what it did is kept before its answer leaves."""
        if scope["type"] != "http" or not _counts(scope):
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and (what := done(scope, message["status"])):
                await self._keep(scope, what)
            await send(message)

        await self.app(scope, receive, sending)

    async def _keep(self, scope: Scope, what: Done) -> None:
        request = Request(scope)
        caller = caller_of(request)
        actor: Account | None = scope["state"].get(ACTOR, caller.person or caller.account)
        via = what.via or caller.via or str(scope["state"].get(VIA, ""))
        if caller.person is not None and caller.account is not None:
            via = f"{via} for {caller.account.username}"
        await self.note(
            actor=actor.username if actor is not None else "",
            via=via,
            action=what.action,
            subject=what.subject,
            client=request.client.host if request.client is not None else "",
            refused=what.refused,
        )
