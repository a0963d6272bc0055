"""`GET /docs`: the model's inputs and endpoints on a page for people, made from its document; no scripts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #8884;vertical-align:top}pre{overflow:auto;padding:.8rem;background:#8882}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}"
)
_ENDPOINTS = (
    ("POST /predictions", "run the model and wait; Prefer: respond-async answers at once"),
    ("PUT /predictions/{id}", "the same under an id of your own, once however often it is sent"),
    ("GET /predictions/{id}", "a prediction that runs, or ended a short while ago"),
    ("POST /predictions/{id}/cancel", "stop one"),
    ("GET /health-check", "how the model is"),
    ("GET /openapi.json", "all of this for machines"),
    ("GET /metrics", "numbers for Prometheus"),
)
_SAMPLES: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}


def page(document: Mapping[str, Any] | None) -> bytes:
    """Return the page; a model that has no document yet is told so."""
    schemas = (document or {}).get("components", {}).get("schemas", {})
    found = schemas.get("Input", {}).get("properties")
    inputs = found if isinstance(found, Mapping) else {}
    required = set(schemas.get("Input", {}).get("required") or ())
    body = json.dumps(
        {"input": {name: _sample(_resolved(inputs[name], schemas)) for name in inputs if name in required}}
    )
    curl = f"curl $ADDRESS/predictions -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'' if name in required else ' (optional)'}</td>"
        f"<td>{escape(_kind(_resolved(schema, schemas)))}</td><td>{escape(_said(_resolved(schema, schemas)))}</td></tr>"
        for name, schema in inputs.items()
    )
    about = (
        f"<table><tr><th>input</th><th>type</th><th></th></tr>{rows}</table>"
        if rows
        else "<p>This model takes no inputs, or has no description yet.</p>"
    )
    endpoints = "".join(
        f"<tr><td><code>{escape(a)}</code></td><td>{escape(b)}</td></tr>" for a, b in _ENDPOINTS
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Model</title><style>{_STYLE}</style><h1>Model</h1>{about}<h2>Call it</h2>"
        f"<pre>{escape(curl)}</pre><h2>Endpoints</h2><table>{endpoints}</table>"
    ).encode()


def _resolved(schema: Any, schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        return {}
    named = schema.get("allOf")
    inner = named[0] if isinstance(named, list) and len(named) == 1 else schema
    reference = inner.get("$ref") if isinstance(inner, Mapping) else None
    referred = schemas.get(str(reference).rpartition("/")[2], {}) if reference else {}
    return {**referred, **schema}


def _kind(schema: Mapping[str, Any]) -> str:
    if isinstance(schema.get("enum"), list):
        return " | ".join(json.dumps(one) for one in schema["enum"])
    if schema.get("format") == "uri":
        return "file: a data URL or an http(s) URL"
    form = f" ({schema['format']})" if schema.get("format") else ""
    return f"{schema.get('type', 'any JSON')}{form}"


def _said(schema: Mapping[str, Any]) -> str:
    parts = [str(schema["description"])] if schema.get("description") else []
    parts += [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "at least"), ("maximum", "at most"))
        if key in schema
    ]
    if schema.get("default") is not None:
        parts.append(f"default {json.dumps(schema['default'], ensure_ascii=False)}")
    return "; ".join(parts)


def _sample(schema: Mapping[str, Any]) -> Any:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if schema.get("format") == "uri":
        return "https://example.com/file"
    return schema.get("minimum") or _SAMPLES.get(str(schema.get("type")), "…")
