"""The parts of the document that are the same for every model: paths, requests, responses, errors."""

from __future__ import annotations

from typing import Any

from cog.schema.signature import Traits

#: Component names that a parameter's choices may not take.
RESERVED = frozenset(
    {
        "Input",
        "Output",
        "TrainingInput",
        "TrainingOutput",
        "PredictionRequest",
        "PredictionResponse",
        "TrainingRequest",
        "TrainingResponse",
        "Status",
        "WebhookEvent",
        "HTTPValidationError",
        "Problem",
        "ValidationError",
    }
)
WEBHOOK_EVENTS = ["start", "output", "logs", "completed"]
STATUSES = ["starting", "processing", "succeeded", "canceled", "failed"]


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(schema: dict[str, Any], description: str = "Successful Response") -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": "string", **more}


def _maybe(title: str, **more: Any) -> dict[str, Any]:
    return _text(title, **more, nullable=True)


def components(noun: str, input_: str, output: str, *, required: bool) -> dict[str, Any]:
    """Return the components around an input and an output; `noun` is "Prediction" or "Training".

    `required` says that the input has fields without a default, so that a request needs it.
    """
    return {
        f"{noun}Request": _request(noun, input_, required=required),
        f"{noun}Response": _response(noun, input_, output),
        **_common(),
    }


def _request(noun: str, input_: str, *, required: bool) -> dict[str, Any]:
    return {
        "title": f"{noun}Request",
        "type": "object",
        "properties": {
            "id": _maybe("Id"),
            "created_at": _maybe("Created At", format="date-time"),
            "input": _ref(input_),
            "context": {
                "title": "Context",
                "type": "object",
                "additionalProperties": {"type": "string"},
                "nullable": True,
            },
            "output_file_prefix": _maybe("Output File Prefix"),
            "webhook": _maybe("Webhook", format="uri", minLength=1, maxLength=65536),
            "webhook_events_filter": {
                "title": "Webhook Events Filter",
                "type": "array",
                "items": _ref("WebhookEvent"),
                "default": WEBHOOK_EVENTS,
                "nullable": True,
            },
        },
        **({"required": ["input"]} if required else {}),
    }


def _response(noun: str, input_: str, output: str) -> dict[str, Any]:
    return {
        "title": f"{noun}Response",
        "type": "object",
        "properties": {
            "id": _maybe("Id"),
            "input": _ref(input_),
            # Null until there is one, and where the prediction has failed.
            "output": {"allOf": [_ref(output)], "nullable": True},
            "version": _maybe("Version"),
            "created_at": _maybe("Created At", format="date-time"),
            "started_at": _maybe("Started At", format="date-time"),
            "completed_at": _maybe("Completed At", format="date-time"),
            "logs": _text("Logs", default=""),
            "error": _maybe("Error"),
            "status": _ref("Status"),
            "metrics": {"title": "Metrics", "type": "object", "additionalProperties": True, "nullable": True},
        },
    }


def _common() -> dict[str, Any]:
    return {
        "Status": {
            "title": "Status",
            "description": "An enumeration.",
            "type": "string",
            "enum": STATUSES,
        },
        "WebhookEvent": {
            "title": "WebhookEvent",
            "description": "An enumeration.",
            "type": "string",
            "enum": WEBHOOK_EVENTS,
        },
        "Problem": {
            "title": "Problem",
            "type": "object",
            "required": ["detail"],
            "properties": {"detail": _text("Detail")},
        },
        "HTTPValidationError": {
            "title": "HTTPValidationError",
            "type": "object",
            "properties": {"detail": {"title": "Detail", "type": "array", "items": _ref("ValidationError")}},
        },
        "ValidationError": {
            "title": "ValidationError",
            "type": "object",
            "required": ["loc", "msg", "type"],
            "properties": {
                "loc": {
                    "title": "Location",
                    "type": "array",
                    "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                },
                "msg": _text("Message"),
                "type": _text("Error Type"),
            },
        },
    }


def paths(traits: Traits, train: Traits | None) -> dict[str, Any]:
    """Return the paths a model serves; `train` is what is said of its trainings, where it has them."""
    written = {
        "/": {"get": _operation("Root", "root__get", {"title": "Response Root  Get"})},
        "/health-check": {
            "get": _operation(
                "Healthcheck",
                "healthcheck_health_check_get",
                {"title": "Response Healthcheck Health Check Get"},
            )
        },
        **_run_paths("prediction", "Predict", "Run a single prediction on the model", traits),
    }
    if train is not None:
        written.update(_run_paths("training", "Train", "Run a single training on the model", train))
    written["/shutdown"] = {
        "post": _operation(
            "Start Shutdown",
            "start_shutdown_shutdown_post",
            {"title": "Response Start Shutdown Shutdown Post"},
        )
    }
    return written


def _operation(summary: str, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "operationId": operation, "responses": {"200": _answer(answer)}}


def _run_paths(noun: str, verb: str, description: str, traits: Traits) -> dict[str, Any]:
    name, kind, low = f"{noun}s", noun.capitalize(), verb.lower()
    prefer = {"in": "header", "name": "prefer", "required": False, "schema": _text("Prefer")}
    id_ = {
        "in": "path",
        "name": f"{noun}_id",
        "required": True,
        "schema": _text(f"{kind} ID"),
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref(f"{kind}Request")}}}
    answers = {
        "200": _answer(_ref(f"{kind}Response")),
        "422": _answer(_ref("HTTPValidationError"), "Validation Error"),
        "default": _answer(_ref("Problem"), "What else is wrong: see the status"),
    }
    accepted = {"202": _answer(_ref(f"{kind}Response"), "Accepted: it goes on")}
    cancel = f"cancel_{name}__{noun}_id__cancel_post"
    return {
        f"/{name}": {
            "post": {
                "summary": verb,
                "description": description,
                "operationId": f"{low}_{name}_post",
                "parameters": [prefer],
                "requestBody": body,
                "responses": {**answers, **accepted},
                **({"x-cog-streaming": True} if traits.streaming else {}),
                **({"x-cog-idempotent": True} if traits.idempotent else {}),
            }
        },
        f"/{name}/{{{noun}_id}}": {
            "put": {
                "summary": f"{verb} Idempotent",
                "description": f"{description} (idempotent creation).",
                "operationId": f"{low}_idempotent_{name}__{noun}_id__put",
                "parameters": [id_, prefer],
                "requestBody": body,
                "responses": {**answers, **accepted},
            },
            "get": {
                "summary": f"Get {kind}",
                "description": f"Get a running or lately finished {noun}",
                "operationId": f"get_{name}__{noun}_id__get",
                "parameters": [id_],
                "responses": answers,
            },
        },
        f"/{name}/{{{noun}_id}}/cancel": {
            "post": {
                "summary": "Cancel",
                "description": f"Cancel a running {noun}",
                "operationId": cancel,
                "parameters": [id_],
                "responses": {
                    "200": _answer({"title": f"Response Cancel {kind}s  {kind} Id  Cancel Post"}),
                    "422": answers["422"],
                    "default": answers["default"],
                },
            }
        },
    }
