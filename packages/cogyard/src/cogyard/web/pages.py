"""All pages: which address shows which handler, and what happens when a handler refuses.

Handlers live with their feature (`features/*/pages.py`) and answer with values; here they become responses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from cogyard.domain.roles import Role
from cogyard.errors import CogyardError
from cogyard.features.accounts import pages as accounts
from cogyard.features.audit import pages as audit
from cogyard.features.collections import pages as collections
from cogyard.features.deployments import pages as deployments
from cogyard.features.deployments import ran_pages as deployments_ran
from cogyard.features.examples import pages as examples
from cogyard.features.exports import pages as exports
from cogyard.features.models import pages as models
from cogyard.features.models import settings_pages as model_settings
from cogyard.features.organizations import pages as organizations
from cogyard.features.page import Page, Redirect
from cogyard.features.predictions import pages as predictions
from cogyard.features.retention import pages as retention
from cogyard.features.trainings import pages as trainings
from cogyard.features.versions import pages as versions
from cogyard.features.webhooks import pages as webhooks
from cogyard.http import Addresses, ApiError, ForbiddenError, UnauthenticatedError, caller_of
from cogyard.http.concerns import refusal_of
from cogyard.http.endpoints import admitted
from cogyard.http.faults import HEADER, broke
from cogyard.web.assets import Assets
from cogyard.web.origin import SAFE_METHODS, is_same_origin
from cogyard.web.rendering import Renderer

Handler = Callable[[Request], Awaitable[Page | Redirect | Response]]

#: (path, methods, handler), the more particular before the less. `{owner}` catches what nothing else does.
TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("/", "GET", models.home),
    ("/signin", "GET", accounts.sign_in),
    ("/signin", "POST", accounts.try_password),
    ("/signin/link/{secret}", "GET", accounts.open_link),
    ("/signin/link/{secret}", "POST", accounts.use_link),
    ("/signout", "GET", accounts.ask_to_sign_out),
    ("/signout", "POST", accounts.sign_out),
    ("/explore", "GET", models.explore),
    ("/create", "GET", models.ask_for_model),
    ("/create", "POST", models.create),
    ("/predictions", "GET", predictions.listing),
    ("/trainings", "GET", trainings.listing),
    ("/p/{id}", "GET", predictions.show),
    ("/p/{id}/card", "GET", predictions.card),
    ("/p/{id}/cancel", "POST", predictions.cancel),
    ("/p/{id}/delete", "POST", predictions.delete),
    ("/p/{id}/replay", "POST", webhooks.replay),
    ("/account/api-tokens", "GET", accounts.tokens),
    ("/account/api-tokens", "POST", accounts.create_token),
    ("/account/api-tokens/{id}/revoke", "POST", accounts.revoke_token),
    ("/account/webhooks", "GET", webhooks.overview),
    ("/account/webhooks", "POST", webhooks.create),
    ("/account/webhooks/secret", "POST", webhooks.show_secret),
    ("/account/webhooks/secret/rotate", "POST", webhooks.rotate_secret),
    ("/account/webhooks/{id}", "GET", webhooks.endpoint),
    ("/account/webhooks/{id}", "POST", webhooks.save_endpoint),
    ("/account/webhooks/{id}/rotate", "POST", webhooks.rotate_endpoint),
    ("/account/webhooks/{id}/delete", "POST", webhooks.delete_endpoint),
    ("/account/retention", "GET", retention.account),
    ("/account/retention", "POST", retention.save),
    ("/account/export", "POST", exports.download_of),
    ("/account/audit", "GET", audit.listing),
    ("/collections", "GET", collections.listing),
    ("/collections", "POST", collections.create),
    ("/collections/{slug}", "GET", collections.show),
    ("/collections/{slug}/edit", "GET", collections.edit),
    ("/collections/{slug}/edit", "POST", collections.save),
    ("/collections/{slug}/models", "POST", collections.add_model),
    ("/collections/{slug}/models/remove", "POST", collections.remove_model),
    ("/collections/{slug}/delete", "POST", collections.delete),
    ("/account/act", "POST", organizations.act),
    ("/organizations", "GET", organizations.listing),
    ("/organizations/create", "GET", organizations.ask),
    ("/organizations/create", "POST", organizations.create),
    ("/organizations/{organization}/join", "POST", organizations.join),
    ("/organizations/{organization}/members", "GET", organizations.members),
    ("/organizations/{organization}/members", "POST", organizations.put_member),
    ("/organizations/{organization}/members/{username}/remove", "POST", organizations.remove_member),
    ("/organizations/{organization}/settings", "GET", organizations.settings),
    ("/organizations/{organization}/settings", "POST", organizations.rename),
    ("/organizations/{organization}/delete", "POST", organizations.delete),
    ("/deployments", "GET", deployments.listing),
    ("/deployments/create", "GET", deployments.ask),
    ("/deployments/create", "POST", deployments.create),
    ("/deployments/{owner}/{name}", "GET", deployments.show),
    ("/deployments/{owner}/{name}/run", "POST", deployments.run),
    ("/deployments/{owner}/{name}/api", "GET", deployments.api),
    ("/deployments/{owner}/{name}/snippets", "POST", deployments.snippets),
    ("/deployments/{owner}/{name}/predictions", "GET", deployments_ran.predictions),
    ("/deployments/{owner}/{name}/instances", "GET", deployments_ran.instances),
    ("/deployments/{owner}/{name}/living", "GET", deployments_ran.living),
    ("/deployments/{owner}/{name}/releases", "GET", deployments.releases),
    ("/deployments/{owner}/{name}/rollback", "POST", deployments.roll_back),
    ("/deployments/{owner}/{name}/settings", "GET", deployments.settings),
    ("/deployments/{owner}/{name}/settings", "POST", deployments.save),
    ("/deployments/{owner}/{name}/retention", "POST", deployments.save_data),
    ("/deployments/{owner}/{name}/delete", "POST", deployments.delete),
    ("/auth/token", "GET", accounts.ask_for_login_token),
    ("/auth/token", "POST", accounts.login_token),
    ("/{owner}", "GET", models.profile),
    ("/{owner}/{name}", "GET", models.playground),
    ("/{owner}/{name}/run", "POST", models.run),
    ("/{owner}/{name}/api", "GET", models.api),
    ("/{owner}/{name}/snippets", "POST", models.snippets),
    ("/{owner}/{name}/readme", "GET", models.readme),
    ("/{owner}/{name}/train", "GET", trainings.ask),
    ("/{owner}/{name}/train", "POST", trainings.create),
    ("/{owner}/{name}/train/snippets", "POST", trainings.snippets),
    ("/{owner}/{name}/waiting", "GET", models.waiting),
    ("/{owner}/{name}/examples", "GET", examples.listing),
    ("/{owner}/{name}/examples", "POST", examples.add),
    ("/{owner}/{name}/examples/{id}/remove", "POST", examples.remove),
    ("/{owner}/{name}/instances", "GET", model_settings.instances),
    ("/{owner}/{name}/living", "GET", model_settings.living),
    ("/{owner}/{name}/settings", "GET", model_settings.settings),
    ("/{owner}/{name}/settings", "POST", model_settings.save),
    ("/{owner}/{name}/retention", "POST", model_settings.save_data),
    ("/{owner}/{name}/limits", "POST", model_settings.save_limits),
    ("/{owner}/{name}/delete", "POST", model_settings.delete),
    ("/{owner}/{name}/versions", "GET", versions.listing),
    ("/{owner}/{name}/versions/{id}", "GET", versions.show),
    ("/{owner}/{name}/versions/{id}/delete", "POST", versions.delete),
)


class Pages:
    """The pages of the platform, ready to be mounted by the application."""

    def __init__(self) -> None:
        self.assets = Assets()
        self.render = Renderer(self.assets)

    @property
    def static(self) -> Mount:
        """Return the route of the static files."""
        return Mount("/static", self.assets, name="static")

    @property
    def routes(self) -> list[BaseRoute]:
        """Return the routes of all pages, in the order in which they must be tried."""
        return [Route(path, self._endpoint(handler), methods=[method]) for path, method, handler in TABLE]

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if (refused := refusal_of(request) or _foreign(request)) is not None:
                return self.error(request, refused)
            try:
                _require_role(request)
                if getattr(request.scope.get("route"), "path", "") in MAKE_WORK and request.method == "POST":
                    admitted(request, creates=True)
                answer = await handler(request)
            except UnauthenticatedError:
                return _to_sign_in(request)
            except CogyardError as error:
                return self.error(request, error)
            if isinstance(answer, Redirect):
                return RedirectResponse(answer.to, HTTPStatus.SEE_OTHER)
            if isinstance(answer, Response):
                return answer
            return self.render(request, answer)

        return endpoint

    def error(self, request: Request, error: Exception) -> Response:
        """Show an error as a page; of what is not ours to explain, only that it happened."""
        if isinstance(error, CogyardError) and error.http_status < 500:
            headers = error.headers if isinstance(error, ApiError) else {}
            return self.refusal(request, error.http_status, error.message, error.hint, headers=headers)
        if isinstance(error, HTTPException):
            return self.refusal(request, error.status_code, error.detail)
        name = broke(request, error)
        hint = f"Tell whoever runs this platform the request id {name}: the log has what happened."
        return self.refusal(request, 500, "Something went wrong on our side.", hint, headers={HEADER: name})

    def refusal(
        self,
        request: Request,
        status: int,
        detail: str,
        hint: str | None = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        """Show what was refused. A page that is not there and one that may not be seen look the same."""
        heading = HTTPStatus(status).phrase
        if status == HTTPStatus.NOT_FOUND:
            heading, detail, hint = "Nothing here", NOTHING_HERE, None
        values = {"status": status, "heading": heading, "detail": detail, "hint": hint}
        return self.render(
            request, Page(template="error.html", title=heading, status=status, values=values, headers=headers)
        )


#: Forms that take no more than a reader of the organization one acts for; what nobody thought about takes a writer.
FOR_READERS = frozenset(
    {
        "/signin",
        "/signin/link/{secret}",
        "/signout",
        "/account/act",
        "/p/{id}/cancel",
        "/deployments/{owner}/{name}/run",
        "/deployments/{owner}/{name}/snippets",
        "/{owner}/{name}/run",
        "/{owner}/{name}/snippets",
        "/{owner}/{name}/train/snippets",
        # As a person, whomever one acts for; their own services ask for the role.
        "/organizations/create",
        "/organizations/{organization}/join",
        "/organizations/{organization}/members",
        "/organizations/{organization}/members/{username}/remove",
        "/organizations/{organization}/settings",
        "/organizations/{organization}/delete",
    }
)

#: Forms that make work for instances, and count as what makes it in the API does.
MAKE_WORK = frozenset(
    {"/{owner}/{name}/run", "/deployments/{owner}/{name}/run", "/{owner}/{name}/train"},
)

NOTHING_HERE = "There is no such page, or it is private to somebody else."


def _require_role(request: Request) -> None:
    """Let who acts for an organization do what their role lets them. Raises ForbiddenError."""
    account, path = caller_of(request).account, getattr(request.scope.get("route"), "path", "")
    if account is None or request.method in SAFE_METHODS or path in FOR_READERS:
        return
    if not account.role.covers(Role.WRITER):
        raise ForbiddenError(f"As a {account.role} of {account.username} you may not do this; a writer may.")


def _foreign(request: Request) -> ForbiddenError | None:
    """Return what a change is refused with that no page of ours asked for, whoever sent it."""
    host = request.headers.get("host", "")
    bases = frozenset({Addresses.of(request).base, f"{request.url.scheme}://{host}"})
    if request.method in SAFE_METHODS or is_same_origin(request.headers, bases=bases):
        return None
    return ForbiddenError("This request did not come from a page of this platform.")


def _to_sign_in(request: Request) -> Response:
    if caller_of(request).account is None and request.method in SAFE_METHODS:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/signin?next={quote(wanted)}", HTTPStatus.SEE_OTHER)
    return RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
