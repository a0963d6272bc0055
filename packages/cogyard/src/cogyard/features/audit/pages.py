"""The audit log as a page, for administrators."""

from __future__ import annotations

from starlette.requests import Request

from cogyard.features.audit.ports import Wanted
from cogyard.features.page import Page, services_of
from cogyard.http import NotFoundError, require_account

#: Of the page; `cogyard audit` shows more.
SHOWN = 200


async def listing(request: Request) -> Page:
    """List what was done, newest first; for anyone but administrators there is no such page."""
    audit = services_of(request).audit
    if not require_account(request).is_admin or audit is None:
        raise NotFoundError
    actor, action = (request.query_params.get(name, "").strip()[:100] for name in ("account", "action"))
    found = await audit.entries(Wanted(actor=actor or None, action=action or None, limit=SHOWN))
    values = {"entries": found, "actor": actor, "action": action, "shown": SHOWN}
    return Page(template="audit.html", title="Audit log", values=values)
