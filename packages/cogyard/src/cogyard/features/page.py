"""What a page handler takes and answers. The web room turns answers into responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from cogyard.domain.paging import Slice
from cogyard.http.bodies import FORM_LIMIT, read_body
from cogyard.http.errors import ApiError, BadRequestError, InvalidError
from cogyard.http.pages import cursor

if TYPE_CHECKING:
    from cogyard.features.services import Services

#: Fields of one form; ours have at most a dozen.
MAX_FIELDS = 50

#: The tabs that a page opens with.
FIRST_TABS = frozenset({"playground", "run", "models"})

#: Tabs whose name is not their key with a capital letter.
TAB_NAMES = MappingProxyType({"api": "API", "readme": "README"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page to show. `title` is what the browser's tab says, before the product's name."""

    template: str
    title: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirect:
    """Somewhere else on this platform to go, by GET. `to` is a path, never an address a stranger gave."""

    to: str


def tab_title(of: str, tab: str) -> str:
    """Return the title of one tab of a thing, so that a browser's list and history tell its tabs apart.

    The first tab, where one runs it or sees what it has, is titled by the thing alone.
    """
    if tab in FIRST_TABS:
        return of
    return f"{TAB_NAMES.get(tab, tab.capitalize())} · {of}"


def services_of(request: Request) -> Services:
    """Return what the platform can do."""
    services: Services = request.app.state.services
    return services


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form; of a repeated one the last. Raises BadRequestError, TooLargeError."""
    return dict(await _pairs(request))


async def read_repeated(request: Request) -> dict[str, list[str]]:
    """Return the fields of a posted form with all their values. Raises BadRequestError, TooLargeError."""
    found: dict[str, list[str]] = {}
    for name, value in await _pairs(request):
        found.setdefault(name, []).append(value)
    return found


async def _pairs(request: Request) -> list[tuple[str, str]]:
    body = await read_body(request, FORM_LIMIT)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BadRequestError("The body is not a form.") from error


def reason_of(error: ApiError) -> str:
    """Return why a form was refused, as its reader should see it: what is wrong, without the API's field names."""
    if isinstance(error, InvalidError) and error.problems:
        return "\n".join(what for _, what in error.problems)
    return error.message


def older(request: Request, found: Slice[Any], **query: str) -> str | None:
    """Return the address of the rest of a list, below the present page, or None when this is the end."""
    if found.next is None:
        return None
    parameters = {**query, "cursor": cursor(found.next, backwards=False)}
    return str(request.url.replace(scheme="", netloc="", query="").include_query_params(**parameters))


def local_path(text: str | None) -> str:
    """Return a path on this platform that a stranger proposed, or `/`; never an address elsewhere."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")) or len(text) > 2000:
        return "/"
    if any(ord(char) < 0x21 or ord(char) == 0x7F for char in text) or "\\" in text:
        return "/"
    return text if not urlsplit(text).netloc else "/"
