"""What a failure of ours is called, so that whoever meets it can say which line of the log it is."""

from __future__ import annotations

import logging
import re
import secrets

from starlette.requests import HTTPConnection

_log = logging.getLogger(__name__)

#: Where a proxy, or a client, says what it calls a request; and where an answer that failed does.
HEADER = "X-Request-Id"
_KEY = "request_id"
# What may stand in a log and in an answer as it came.
_PLAIN = re.compile(r"[A-Za-z0-9._:@-]{1,64}")


def request_id(connection: HTTPConnection) -> str:
    """Return what a request is called: as it says itself, where that is plain; else a new name, the same each time."""
    state = connection.scope.setdefault("state", {})
    known = state.get(_KEY)
    if not isinstance(known, str):
        given = connection.headers.get(HEADER, "")
        known = state[_KEY] = given if _PLAIN.fullmatch(given) else secrets.token_hex(8)
    return known


def broke(connection: HTTPConnection, error: BaseException) -> str:
    """Log what nobody foresaw, with its traceback and where it happened; return the request's name.

    Of the request's address only the kind is logged: some addresses are secrets.
    """
    name, state = request_id(connection), connection.scope.get("state", {})
    where = state.get("operation") or getattr(connection.scope.get("route"), "path", "")
    fields = {_KEY: name, "part": state.get("part", ""), "at": where}
    _log.error(
        "request_broke", exc_info=error, extra={**fields, "method": connection.scope.get("method", "")}
    )
    return name
