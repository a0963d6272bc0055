"""The document, put together from routes, operations and schemas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cogyard.http.endpoints import Access, Endpoint
from cogyard.web.openapi.operations import JSON, Operation, described
from cogyard.web.openapi.schemas import ANSWERS, TEXT, Schema, record, ref

PROBLEM = "application/problem+json"
_PARTS = re.compile(r"\{(\w+)\}")
_REASONS: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "There is no valid token.",
    403: "This is not yours to do.",
    404: "There is none, or it is not for you to know.",
    409: "Something that is there stands in the way.",
    413: "The body is too large.",
    415: "The body is of another media type than is taken.",
    416: "The part of the file that is asked for begins after its end.",
    422: "The request can be read, but it is wrong; `invalid_fields` says where.",
    429: "Come back later; `Retry-After` says when.",
}


def document(base: str, api: Iterable[Endpoint], capabilities: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document of a platform at `base`; `api` is below /v1 there, `capabilities` at the root."""
    api, capabilities = tuple(api), tuple(capabilities)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in (*api, *capabilities):
        path = paths.setdefault(endpoint.path, {})
        if endpoint in capabilities:
            path["servers"] = [{"url": base}]
        path[endpoint.method.lower()] = _operation(endpoint, described(endpoint.operation))
    bodies = [body for each in (*api, *capabilities) if (body := described(each.operation).body) is not None]
    _, asked = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cogyard",
            "version": "1",
            "description": "The HTTP API of a Cogyard platform, compatible with Replicate's. "
            "docs/reference/http-api.md says it in words. A member of an organization acts for it with the header "
            "Cogyard-Account: NAME, in every operation that needs a token.",
        },
        "servers": [{"url": f"{base}/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**ANSWERS, **asked},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, said: Operation) -> dict[str, Any]:
    closed = endpoint.access is Access.ACCOUNT
    # What a handler says of itself is what the document says; there is no second text to keep up.
    summary = (endpoint.handler.__doc__ or endpoint.operation).strip().splitlines()[0]
    shaped: dict[str, Any] = {
        "operationId": endpoint.operation,
        "summary": summary,
        "tags": [endpoint.operation.partition(".")[0]],
        "parameters": [
            *(
                _parameter("path", name, {"type": "string"}, required=True)
                for name in _PARTS.findall(endpoint.path)
            ),
            *(
                _parameter("query", name, schema, required=True)
                for name, schema in said.required_query.items()
            ),
            *(_parameter("query", name, schema) for name, schema in said.query.items()),
            *(_parameter("header", name, schema) for name, schema in said.headers.items()),
        ],
        "responses": {
            **{str(status): _answer(said.media, schema) for status, schema in said.answers.items()},
            **{
                str(status): _problem(status, JSON if status in said.plain else PROBLEM)
                for status in sorted({*said.refuses, *((401, 403, 429) if closed else ())})
            },
        },
    }
    if not closed:
        shaped["security"] = []
    if said.body is not None:
        shaped["requestBody"] = {**_body({JSON: ref(said.body.__name__)}), "required": said.needs_body}
    elif said.content:
        shaped["requestBody"] = {**_body(said.content), "required": said.needs_body}
    return shaped


def _parameter(where: str, name: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"in": where, "name": name, "required": required, "schema": schema}


def _body(content: Mapping[str, Schema]) -> dict[str, Any]:
    return {"required": True, "content": {media: {"schema": schema} for media, schema in content.items()}}


def _answer(media: str, schema: Schema | None) -> dict[str, Any]:
    if schema is None and media == JSON:
        return {"description": "Done."}
    return {"description": "Done.", "content": {media: {} if schema is None else {"schema": schema}}}


def _problem(status: int, media: str) -> dict[str, Any]:
    schema = record({"detail": TEXT}) if media == JSON else ref("Problem")
    return {"description": _REASONS[status], "content": {media: {"schema": schema}}}
