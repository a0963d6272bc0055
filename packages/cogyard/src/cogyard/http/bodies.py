"""Reading what a client sent, within limits and into a type."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from starlette.requests import Request

from cogyard.domain.depth import MAX_VALUES
from cogyard.http.errors import BadRequestError, InvalidError, TooLargeError, UnsupportedMediaError
from cogyard.http.headers import header

T = TypeVar("T")

# Inputs may carry files as data URLs; the packaged model's own limit is the same.
JSON_LIMIT = 100 * 1024 * 1024
FORM_LIMIT = 1024 * 1024
# A name of an object takes as long to make as so many numbers, and nobody else is answered meanwhile: 600,000 names
# took 0.26 s in one piece, the 200,000 that there may be 0.06.
NAME_WEIGHT = 4

# The grammar of JSON lets a string escape one half of a surrogate pair; no text can hold it. A backslash that is
# escaped itself begins no escape. Looked for only to say what is wrong, so not through all of a large body.
_LOOKED_THROUGH = 1024 * 1024
_HALF_CHARACTER = re.compile(
    rb"(?<!\\)(?:\\\\)*+(?:"
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)

_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body. Raises TooLargeError past `limit` bytes, before more is read."""
    announced = header(request, b"content-length") or ""
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        raise TooLargeError(f"The body has {announced[:20]} bytes; at most {limit} are taken.")
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("The client went away in the middle of the body.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"The body has more than the {limit} bytes that are taken.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_text(request: Request, limit: int) -> str:
    """Return the body as text in UTF-8. Raises BadRequestError, TooLargeError."""
    try:
        return (await read_body(request, limit)).decode()
    except UnicodeDecodeError as error:
        raise BadRequestError(f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error


async def read_json(
    request: Request, type: type[T], *, limit: int = JSON_LIMIT, absent: T | None = None
) -> T:
    """Return the JSON body as `type`; `absent` where there is no body at all.

    Raises BadRequestError, InvalidError, TooLargeError, UnsupportedMediaError.
    """
    said = header(request, b"content-type")
    content_type = "application/json" if said is None else said.split(";")[0].strip().lower()
    body = b"" if absent is None else await read_body(request, limit)
    if absent is not None and not body:
        return absent
    # A browser form can send text/plain or a form without asking first: those never count as JSON.
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise UnsupportedMediaError(f"The body must be application/json, not {content_type[:80]}.")
    body = body or await read_body(request, limit)
    if _too_many(body):
        # Before they are made: each needs a hundred bytes of memory, and time in which nobody else is answered.
        raise TooLargeError(
            f"The body has more than {MAX_VALUES} values, a name in an object counting as {NAME_WEIGHT} more; give"
            " large data as a file."
        )
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        raise InvalidError(f"{str(error).rstrip('.')}.", title="Invalid body") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _HALF_CHARACTER.search(body, 0, _LOOKED_THROUGH):
            # The decoder's own words for it are that the body ended too early.
            raise BadRequestError(
                "The body has half of a character: a \\ud800 to \\udfff without its other half."
            ) from error
        raise BadRequestError(f"The body is not JSON: {error}.") from error


def _too_many(body: bytes) -> bool:
    """Whether JSON has more values than there may be; said without making them, and mostly without reading it."""
    if _at_most(body) <= MAX_VALUES:
        return False
    if _at_least(body) > MAX_VALUES:
        return True
    left, texts = _TEXTS.subn(b"", body, MAX_VALUES + 1)
    return texts > MAX_VALUES or _at_most(left) > MAX_VALUES


def _at_most(text: bytes) -> int:
    # Commas, colons and brackets inside texts count as well.
    return sum(text.count(mark) for mark in (b",", b"[", b"{")) + NAME_WEIGHT * text.count(b":")


def _at_least(text: bytes) -> int:
    # Inside a text a quotation mark has a backslash before it; so may the end of a text, which is not counted then.
    texts = (text.count(b'"') - text.count(b'\\"')) // 2
    names = text.count(b'":') - text.count(b'\\":')
    return max(texts, (NAME_WEIGHT + 1) * names)
