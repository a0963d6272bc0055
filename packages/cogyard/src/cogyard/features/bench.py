"""A form that asks a model for something, as its page needs it: where it posts, with a script and without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request

from cogyard.features.page import read_form
from cogyard.http.errors import InvalidError


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """Where a form posts and what it says; `post` is an address of the API, `plain` one of a page."""

    post: str
    plain: str
    verb: str = "Run"
    nothing: str = "This model takes no input."
    idle: str = "Fill in the input and press Run; what the model makes appears here while it makes it."
    sends_version: bool = False
    destination: str | None = None
    """Of a training: the model to make a version of, empty until it is chosen."""
    destinations: tuple[str, ...] = ()
    """Models that a destination may be chosen from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """What an example of code calls, and where a page asks for it anew; `place` is whose form is meant."""

    refresh: str
    store: str
    place: str
    deployment: str | None = None
    destination: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """What was sent without a script, shown again when it was refused."""

    text: str = ""
    problem: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def input(self) -> dict[str, Any]:
        """Read the input. Raises InvalidError."""
        try:
            found = msgspec.json.decode(self.text or "{}")
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidError(f"The input is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise InvalidError("The input must be an object, {…}.")
        return found


NOTHING = Plain()


async def sent(request: Request) -> Plain:
    """Read what a form sent without a script."""
    fields = await read_form(request)
    return Plain(text=fields.get("input", ""), fields=fields)
