"""What the API answers, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
ID: Schema = {"type": "string", "pattern": "^[0-9a-z]{26}$"}
VERSION_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    """Return a schema that also takes null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return an object's schema; later releases may add fields."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


def array(items: Schema) -> Schema:
    """Return an array's schema."""
    return {"type": "array", "items": items}


def page_of(items: Schema) -> Schema:
    """Return the schema of one page of a list."""
    return record({"next": maybe(ADDRESS), "previous": maybe(ADDRESS), "results": array(items)})


_RUN: Mapping[str, Schema] = {
    "id": ID,
    "model": TEXT,
    "version": TEXT,
    "input": OBJECT,
    "logs": TEXT,
    "output": ANYTHING,
    "data_removed": TRUTH,
    "error": maybe(TEXT),
    "status": {"enum": ["starting", "processing", "succeeded", "failed", "canceled", "aborted"]},
    "source": {"enum": ["api", "web"]},
    "created_at": MOMENT,
    "started_at": maybe(MOMENT),
    "completed_at": maybe(MOMENT),
    "urls": record({"web": ADDRESS, "get": ADDRESS, "cancel": ADDRESS, "stream": ADDRESS}),
}
_RUN_SOMETIMES: Mapping[str, Schema] = {
    "deployment": TEXT,
    "asked_by": TEXT,
    "deadline": MOMENT,
    "metrics": OBJECT,
    "webhook": TEXT,
    "webhook_events_filter": array(TEXT),
    "queue": record(
        {"position": {"type": "integer", "minimum": 1}},
        {
            "reason": {"enum": ["busy", "starting", "failing", "full", "scheduling"]},
            "detail": TEXT,
        },
    ),
}
_ACCOUNT: Mapping[str, Schema] = {
    "type": {"enum": ["user", "organization"]},
    "username": TEXT,
    "name": TEXT,
    "avatar_url": maybe(TEXT),
    "github_url": maybe(TEXT),
}
_ROLE: Schema = {"enum": ["reader", "writer", "admin", "owner"]}
_STATE: Schema = {"enum": ["member", "invited"]}
_ORGANIZATION: Mapping[str, Schema] = {**_ACCOUNT, "role": _ROLE, "created_at": MOMENT}
_TOKEN: Mapping[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "scope": {"enum": ["read", "run", "write"]},
    "tail": TEXT,
    "created_at": MOMENT,
    "expires_at": maybe(MOMENT),
    "last_used_at": maybe(MOMENT),
}
_KEEP: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, {"const": "forever"}]}
_SIGNING_KEY: Schema = {"type": "string", "pattern": "^whsec_[A-Za-z0-9+/]+=*$"}
_ENDPOINT: Mapping[str, Schema] = {
    "id": ID,
    "url": ADDRESS,
    "events": array({"enum": ["start", "output", "logs", "completed"]}),
    "model": maybe(TEXT),
    "enabled": TRUTH,
    "disabled_reason": maybe(TEXT),
    "failing_since": maybe(MOMENT),
    "created_at": MOMENT,
}
_COLLECTION: Mapping[str, Schema] = {"name": TEXT, "slug": TEXT, "description": TEXT}
_CONFIGURATION = record(
    {"hardware": TEXT, "min_instances": NUMBER, "max_instances": NUMBER},
    {"split": record({"version": VERSION_ID, "percent": NUMBER})},
)

_FOUND = record(
    {"generated_description": maybe(TEXT), "score": maybe({"type": "number"}), "tags": array(TEXT)}
)

ANSWERS: Mapping[str, Schema] = {
    "Problem": record(
        {"detail": TEXT, "status": NUMBER},
        {
            "title": TEXT,
            "code": TEXT,
            "request_id": TEXT,
            "invalid_fields": array(record({"type": TEXT, "field": TEXT, "description": TEXT})),
        },
    ),
    "Prediction": record(_RUN, _RUN_SOMETIMES),
    "Training": record(_RUN, _RUN_SOMETIMES),
    "Version": record(
        {"id": VERSION_ID, "created_at": MOMENT, "cog_version": TEXT, "openapi_schema": OBJECT}
    ),
    "Model": record(
        {
            "url": ADDRESS,
            "owner": TEXT,
            "name": TEXT,
            "description": maybe(TEXT),
            "visibility": {"enum": ["public", "private"]},
            "github_url": maybe(TEXT),
            "paper_url": maybe(TEXT),
            "license_url": maybe(TEXT),
            "run_count": NUMBER,
            "cover_image_url": maybe(TEXT),
            "default_example": maybe(ref("Prediction")),
            "latest_version": maybe(ref("Version")),
            "is_official": TRUTH,
        }
    ),
    "Account": record(_ACCOUNT),
    "Organization": record(_ORGANIZATION),
    "Belonging": record({**_ORGANIZATION, "state": _STATE, "invited_by": maybe(TEXT)}),
    "Member": record(
        {
            "username": TEXT,
            "name": TEXT,
            "role": _ROLE,
            "state": _STATE,
            "invited_at": MOMENT,
            "joined_at": maybe(MOMENT),
        }
    ),
    "Release": record(
        {
            "number": NUMBER,
            "model": TEXT,
            "version": VERSION_ID,
            "created_at": MOMENT,
            "created_by": ref("Account"),
            "configuration": _CONFIGURATION,
        }
    ),
    "Deployment": record(
        {"owner": TEXT, "name": TEXT, "current_release": ref("Release")},
        {
            "rollout": record(
                {"awaited": array(VERSION_ID), "serving": VERSION_ID, "failing": array(VERSION_ID)}
            )
        },
    ),
    "File": record(
        {
            "id": TEXT,
            "name": TEXT,
            "content_type": TEXT,
            "size": NUMBER,
            "etag": TEXT,
            "checksums": record({"sha256": TEXT, "md5": TEXT}),
            "metadata": OBJECT,
            "created_at": MOMENT,
            "expires_at": MOMENT,
            "urls": record({"get": ADDRESS}),
        }
    ),
    "Hardware": record({"sku": TEXT, "name": TEXT}),
    "Collection": record(_COLLECTION, {"owner": TEXT}),
    "CollectionWithModels": record(
        {**_COLLECTION, "full_description": maybe(TEXT), "models": array(ref("Model"))}, {"owner": TEXT}
    ),
    "Delivery": record(
        {
            "id": TEXT,
            "prediction": ID,
            "endpoint": maybe(ID),
            "event": TEXT,
            "attempt": NUMBER,
            "created_at": MOMENT,
            "status": maybe(NUMBER),
            "error": maybe(TEXT),
            "milliseconds": NUMBER,
        }
    ),
    "PendingDelivery": record(
        {
            "id": TEXT,
            "prediction": ID,
            "endpoint": maybe(ID),
            "event": TEXT,
            "attempts": NUMBER,
            "due_at": MOMENT,
        }
    ),
    "EndedInstance": record(
        {
            "instance": maybe(TEXT),
            "version": maybe(TEXT),
            "started_at": maybe(MOMENT),
            "ended_at": maybe(MOMENT),
            "became_ready": maybe(TRUTH),
            "error": maybe(TEXT),
            "exit": maybe(TEXT),
            "setup_logs": maybe(TEXT),
        }
    ),
    "LivingInstance": record(
        {
            "instance": TEXT,
            "state": {"enum": ["starting", "ready", "draining"]},
            "since": MOMENT,
            "slots": NUMBER,
            "busy": NUMBER,
            "setup_logs": TEXT,
        }
    ),
    "Instances": record(
        {
            "purpose": {"enum": ["predictions", "trainings"]},
            "version": VERSION_ID,
            "trouble": maybe(TEXT),
            "living": array(ref("LivingInstance")),
            "ended": array(ref("EndedInstance")),
        }
    ),
    "Limits": record({"predictions": maybe(NUMBER), "window": NUMBER, "at_once": maybe(NUMBER)}),
    "Retention": record({"keep_predictions": maybe(_KEEP), "platform": _KEEP}),
    "Token": record(_TOKEN),
    "TokenWithSecret": record({**_TOKEN, "token": TEXT}),
    "WebhookEndpoint": record(_ENDPOINT),
    "WebhookEndpointWithSecret": record({**_ENDPOINT, "key": _SIGNING_KEY}),
    "WebhookSecret": record({"key": _SIGNING_KEY}),
    "SearchResult": record(
        {
            "query": TEXT,
            "models": array(record({"model": ref("Model"), "metadata": _FOUND})),
            "collections": array(record({**_COLLECTION, "models": array(TEXT)})),
            "pages": array(OBJECT),
        }
    ),
}
