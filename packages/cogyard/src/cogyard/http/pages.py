"""Lists on the wire: `{"next", "previous", "results"}` with opaque cursors in absolute addresses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from cogyard.domain.paging import Key, Slice, Window
from cogyard.http.addresses import Addresses
from cogyard.http.errors import BadRequestError

T = TypeVar("T")

_CURSOR_LIMIT = 512


class _Cursor(msgspec.Struct, array_like=True):
    direction: str
    key: list[int | str]


def cursor(key: Key, *, backwards: bool) -> str:
    """Spell a place in a list; clients give it back as it is."""
    raw = msgspec.json.encode(_Cursor("b" if backwards else "f", list(key)))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def window(request: Request, *, limit: int, key_types: tuple[type, ...] = (str,)) -> Window:
    """Read the cursor of a request. Raises BadRequestError for one that we never gave."""
    text = request.query_params.get("cursor")
    if not text:
        return Window(limit=limit)
    found = _parsed(text)
    if (
        found is None
        or found.direction not in {"f", "b"}
        or len(found.key) != len(key_types)
        or not all(map(isinstance, found.key, key_types))
    ):
        raise BadRequestError("The cursor is not one that this list gave.")
    return Window(limit=limit, key=tuple(found.key), backwards=found.direction == "b")


def _parsed(text: str) -> _Cursor | None:
    if len(text) > _CURSOR_LIMIT:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=_Cursor)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        return None


def page(
    request: Request, found: Slice[T], shape: Callable[[T], Any], *, path: str, **query: str | None
) -> dict[str, Any]:
    """Shape a slice as a page whose neighbours' addresses are below the API, at `path`, with the same `query`."""
    addresses = Addresses.of(request)

    def link(key: Key | None, *, backwards: bool) -> str | None:
        if key is None:
            return None
        asked = {name: value for name, value in query.items() if value is not None}
        return addresses.api(path) + "?" + urlencode({**asked, "cursor": cursor(key, backwards=backwards)})

    return {
        "next": link(found.next, backwards=False),
        "previous": link(found.previous, backwards=True),
        "results": [shape(item) for item in found.items],
    }
