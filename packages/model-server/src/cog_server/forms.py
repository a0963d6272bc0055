"""Inputs that come as a form or as a plain file: each is turned into the JSON body it stands for. Pure.

So everything after this (checks, files, idempotence, what is shown) is the same for all. A file becomes a data URL. A
text is what the model's schema takes it for: a string where a string fits, else the value that it is as JSON.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import pybase64

from cog_server.checks import Found
from cog_server.errors import RequestError
from cog_server.names import media_type_of
from cog_server.validation import InputSchema

MOST_PARTS = 1000
MOST_HEADER = 8192
"""Bytes of the headers of one part."""
_TYPE = re.compile(rb"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb';\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_FILENAME = re.compile(rb';\s*filename\*?=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_REFUSED = (b"application/x-www-form-urlencoded", b"application/json")
_any = msgspec.json.Decoder()


class Part(NamedTuple):
    """One part of a form: a text, or a file when it has a media type."""

    name: str
    content: bytes
    media_type: str | None


def as_json(content_type: bytes | None, query: bytes, data: bytes, schema: InputSchema) -> bytes:
    """Return the JSON body that a request of another media type stands for. Raises RequestError."""
    media_type = (content_type or b"").partition(b";")[0].strip().lower()
    if media_type == b"multipart/form-data":
        given = _gather([*_queried(query), *parts(content_type or b"", data)], schema)
    elif not data and not media_type:  # `curl -X POST`: nothing but what is in the address
        given = _gather(_queried(query), schema)
    elif media_type in _REFUSED or not _TYPE.fullmatch(media_type):
        raise RequestError(
            "Content-Type must be application/json, multipart/form-data or that of a file", status=415
        )
    else:
        name, as_text = _only_input(media_type, schema)
        part = Part(name, data, None if as_text else media_type.decode())
        given = _gather([*_queried(query), part], schema)
    return msgspec.json.encode({"input": given})


def parts(content_type: bytes, data: bytes) -> list[Part]:
    """Cut a multipart body. Raises RequestError."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise RequestError("multipart/form-data needs a boundary in its Content-Type")
    delimiter = b"\r\n--" + (found[1] or found[2])
    pieces = (b"\r\n" + data).split(delimiter, MOST_PARTS + 2)
    if len(pieces) > MOST_PARTS + 2:
        raise RequestError(f"The form has more than {MOST_PARTS} parts")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise RequestError("The form has no end: its last boundary is missing")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    start = piece.find(b"\r\n")
    end = piece.find(b"\r\n\r\n", start, start + MOST_HEADER)
    if start < 0 or end < 0 or piece[:start].strip(b" \t"):
        raise RequestError("A part of the form has no headers, or too many")
    headers: dict[bytes, bytes] = {}
    for line in piece[start + 2 : end].split(b"\r\n"):
        key, _, value = line.partition(b":")
        headers[key.strip().lower()] = value.strip()
    disposition = headers.get(b"content-disposition", b"")
    name = _NAME.search(disposition)
    if name is None:
        raise RequestError("A part of the form has no name")
    content = piece[end + 4 :]
    filename = _FILENAME.search(disposition)
    if filename is None:
        return Part(_unquoted(name), content, None)
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip()
    kind = media_type.decode() if _TYPE.fullmatch(media_type) else media_type_of(_unquoted(filename))
    return Part(_unquoted(name), content, kind)


def _unquoted(found: re.Match[bytes]) -> str:
    text = found[2] if found[1] is None else re.sub(rb"\\(.)", rb"\1", found[1])
    return text.decode("utf-8", "replace")


def _queried(query: bytes) -> list[Part]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARTS)
    except ValueError as exc:
        raise RequestError(f"The address has more than {MOST_PARTS} values") from exc
    return [Part(name.decode("utf-8", "replace"), value, None) for name, value in pairs]


def _gather(given: list[Part], schema: InputSchema) -> dict[str, Any]:
    texts: dict[str, list[Any]] = {}
    for part in given:
        texts.setdefault(part.name, []).append(_text(part))
    return {name: _value(name, values, schema) for name, values in texts.items()}


def _text(part: Part) -> str:
    if part.media_type is not None:
        return f"data:{part.media_type};base64,{pybase64.b64encode(part.content).decode()}"
    try:
        return part.content.decode()
    except UnicodeDecodeError as exc:
        raise RequestError(
            f"The value of {part.name[:80]!r} is not UTF-8; send a file with a file name"
        ) from exc


def _value(name: str, texts: list[str], schema: InputSchema) -> Any:
    """Return the first reading of the texts that fits the input: as they are, as JSON, as a list of either."""
    decoded = [_decoded(text) for text in texts]
    single = [texts[0], decoded[0]] if len(texts) == 1 else []
    readings = [*single, texts, decoded]
    return next(
        (one for one in readings if _fits(name, one, schema)), decoded[0] if len(texts) == 1 else decoded
    )


def _decoded(text: str) -> Any:
    if text.startswith("data:"):
        return text
    try:
        return _any.decode(text.encode())
    except (msgspec.MsgspecError, RecursionError):
        return text


def _fits(name: str, value: Any, schema: InputSchema) -> bool:
    check = None if schema.fields is None else schema.fields.get(name)
    if check is None:
        return True
    found = Found()
    check(value, (name,), found)
    return not found.problems


def _only_input(media_type: bytes, schema: InputSchema) -> tuple[str, bool]:
    """Return the input that a whole body is for, and whether it is a text."""
    kinds = ("text", "file") if media_type.startswith(b"text/") else ("file",)
    for kind in kinds:
        fitting = [name for name in schema.fields or () if _kind(name, schema) == kind]
        required = [name for name in fitting if name in schema.required]
        if len(required) == 1 or len(fitting) == 1:
            return (required or fitting)[0], kind == "text"
    raise RequestError(
        f"The model has no single input that a body of {media_type.decode()} could be: send application/json or "
        "multipart/form-data",
        status=415,
    )


def _kind(name: str, schema: InputSchema) -> str:
    """Tell by how its check takes a plain text what an input is: "file", "text" or "other"."""
    found = Found()
    (schema.fields or {})[name]("x", (name,), found)
    kinds = {problem.type for problem in found.problems}
    if "value_error.url" in kinds:
        return "file"
    # A text that is too short for its bounds is a text all the same.
    return "other" if any(kind.startswith("type_error") for kind in kinds) else "text"
