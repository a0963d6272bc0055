"""Answers held against the API's own document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import fastjsonschema
import httpx2
from cogyard.testing.api import BASE
from cogyard.web.api import API, CAPABILITIES
from cogyard.web.openapi.document import document

DOCUMENT: Mapping[str, Any] = document(BASE, API, CAPABILITIES)
OPERATIONS: Mapping[str, Mapping[str, Any]] = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for name, operation in path.items()
    if name != "servers"
}
_compiled: dict[str, Callable[[Any], Any]] = {}


def check(operation: str, answer: httpx2.Response) -> None:
    """Fail unless the document says this status of the operation, this media type, and a body like this."""
    where = f"{operation} answered {answer.status_code}"
    said = OPERATIONS[operation]["responses"].get(str(answer.status_code))
    assert said is not None, f"{where}, which is not documented: {answer.text[:200]}"
    if "content" not in said:
        assert answer.content == b"", f"{where} with a body that is not documented"
        return
    media = answer.headers["content-type"].partition(";")[0]
    (documented,) = said["content"]
    assert documented in {media, "application/octet-stream"}, f"{where} with {media}, not {documented}"
    schema = said["content"][documented].get("schema")
    if schema is not None and media.endswith("json"):
        _validator(f"{operation} {answer.status_code}", schema)(answer.json())


def _validator(name: str, schema: Any) -> Callable[[Any], Any]:
    if name not in _compiled:
        whole = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [schema],
            "components": DOCUMENT["components"],
        }
        _compiled[name] = fastjsonschema.compile(whole)
    return _compiled[name]
