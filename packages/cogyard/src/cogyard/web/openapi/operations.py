"""What each operation takes and answers, by its name. A route without an entry here fails a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cogyard.domain.waiting import Urgency
from cogyard.features.accounts.routes import AskedToken
from cogyard.features.collections.routes import CollectionTexts
from cogyard.features.deployments.routes import Back, DeploymentChanges, NewDeployment
from cogyard.features.examples.routes import NewExample
from cogyard.features.limits.routes import LimitChanges
from cogyard.features.models.routes import ModelChanges, NewModel
from cogyard.features.organizations.routes import AskedRole, NewOrganization, OrganizationChanges
from cogyard.features.predictions.creating import Asked
from cogyard.features.retention.routes import RetentionChanges
from cogyard.features.trainings.routes import NewTraining
from cogyard.features.webhooks.endpoint_routes import EndpointChanges, NewEndpoint
from cogyard.features.webhooks.routes import Replay
from cogyard.web.openapi.schemas import (
    MOMENT,
    OBJECT,
    TEXT,
    Schema,
    array,
    page_of,
    record,
    ref,
)

JSON = "application/json"
_BYTES = "application/octet-stream"
_EVENTS = "text/event-stream"
_MARKDOWN = "text/plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation, without what its route says: method, address, who may come in, what it does."""

    answers: Mapping[int, Schema | None]
    """Its good statuses, with what each holds; None is no body."""

    refuses: tuple[int, ...] = ()
    """Statuses of problem documents, beside 401 where a token is needed."""

    body: type | None = None
    """The type of its JSON body."""

    content: Mapping[str, Schema] = field(default_factory=dict)
    """Its body, where that is no JSON of ours: schemas by media type."""

    needs_body: bool = True

    plain: tuple[int, ...] = ()
    """Refusals that are plain JSON with a `detail`, because the hosted service's are."""

    media: str = JSON
    """The media type of what it answers."""

    query: Mapping[str, Schema] = field(default_factory=dict)
    required_query: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)


def _choice(*words: str) -> Schema:
    """Return what takes one of these words; an empty one is as if nothing was said, since forms send those."""
    return {"enum": [*words, ""]}


# Whatever is in a body that is text is text: `null`, sent as text, is a word of four letters.
_WORDS: Schema = {}
_CURSOR: Mapping[str, Schema] = {"cursor": TEXT}
_CREATES: Mapping[str, Schema] = {
    "Prefer": {"type": "string", "pattern": "^wait(=[1-9][0-9]{0,8})?$"},
    "Cancel-After": {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s?)?$"},
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255},
    "Cogyard-Priority": {"enum": [each.name.lower() for each in Urgency]},
}
_ONCE = {"Idempotency-Key": _CREATES["Idempotency-Key"]}
_LATER = {name: schema for name, schema in _CREATES.items() if name != "Prefer"}
_BODY = (400, 413, 415, 422)
_PREDICTION, _TRAINING, _MODEL = ref("Prediction"), ref("Training"), ref("Model")
_DEPLOYMENT, _ORGANIZATION = ref("Deployment"), ref("Organization")


def _list(
    items: Schema, *, query: Mapping[str, Schema] | None = None, refuses: tuple[int, ...] = ()
) -> Operation:
    return Operation(
        answers={200: page_of(items)}, refuses=(400, *refuses), query={**_CURSOR, **(query or {})}
    )


def _get(schema: Schema) -> Operation:
    return Operation(answers={200: schema}, refuses=(404,))


def _predict(*refuses: int) -> Operation:
    return Operation(
        answers={201: _PREDICTION, 202: _PREDICTION},
        refuses=(*_BODY, 409, 429, *refuses),
        body=Asked,
        headers=_CREATES,
    )


def _retain(*refuses: int) -> Operation:
    return Operation(answers={200: ref("Retention")}, refuses=(*_BODY, *refuses), body=RetentionChanges)


OPERATIONS: Mapping[str, Operation] = {
    "openapi.get": Operation(answers={200: OBJECT}),
    "tokens.list": Operation(answers={200: page_of(ref("Token"))}),
    "tokens.create": Operation(answers={201: ref("TokenWithSecret")}, refuses=_BODY, body=AskedToken),
    "tokens.revoke": Operation(answers={204: None}, refuses=(404,)),
    "account.export": Operation(
        answers={200: {"type": "string", "format": "binary"}},
        refuses=(400,),
        media="application/x-tar",
        query={"images": {"type": "boolean"}},
    ),
    "account.get": Operation(answers={200: ref("Account")}),
    "webhooks.default.secret.get": Operation(answers={200: ref("WebhookSecret")}),
    "webhooks.default.secret.rotate": Operation(answers={200: ref("WebhookSecret")}),
    "webhooks.deliveries.list": _list(ref("Delivery"), query={"prediction": TEXT, "endpoint": TEXT}),
    "webhooks.deliveries.pending.list": Operation(
        answers={200: page_of(ref("PendingDelivery"))}, query={"prediction": TEXT}
    ),
    "webhooks.endpoints.list": Operation(answers={200: page_of(ref("WebhookEndpoint"))}),
    "webhooks.endpoints.create": Operation(
        answers={201: ref("WebhookEndpointWithSecret")}, refuses=(*_BODY, 409), body=NewEndpoint
    ),
    "webhooks.endpoints.get": _get(ref("WebhookEndpoint")),
    "webhooks.endpoints.update": Operation(
        answers={200: ref("WebhookEndpoint")}, refuses=(*_BODY, 404), body=EndpointChanges
    ),
    "webhooks.endpoints.delete": Operation(answers={204: None}, refuses=(404,)),
    "webhooks.endpoints.secret.rotate": _get(ref("WebhookSecret")),
    "predictions.webhooks.replay": Operation(
        answers={202: record({"id": TEXT, "event": TEXT})},
        refuses=(*_BODY, 404, 409),
        body=Replay,
        needs_body=False,
    ),
    "account.retention.get": Operation(answers={200: ref("Retention")}),
    "account.retention.update": _retain(),
    "models.retention.get": Operation(answers={200: ref("Retention")}, refuses=(403, 404)),
    "models.retention.update": _retain(403, 404),
    "deployments.retention.get": Operation(answers={200: ref("Retention")}, refuses=(403, 404)),
    "deployments.retention.update": _retain(403, 404),
    "models.limits.get": Operation(answers={200: ref("Limits")}, refuses=(403, 404)),
    "models.limits.update": Operation(
        answers={200: ref("Limits")}, refuses=(*_BODY, 403, 404), body=LimitChanges
    ),
    "organizations.list": Operation(answers={200: page_of(ref("Belonging"))}),
    "organizations.create": Operation(
        answers={201: _ORGANIZATION}, refuses=(*_BODY, 409), body=NewOrganization
    ),
    "organizations.get": _get(_ORGANIZATION),
    "organizations.update": Operation(
        answers={200: _ORGANIZATION}, refuses=(*_BODY, 404), body=OrganizationChanges
    ),
    "organizations.delete": Operation(answers={204: None}, refuses=(404, 409)),
    "organizations.join": _get(_ORGANIZATION),
    "organizations.members.list": Operation(answers={200: page_of(ref("Member"))}, refuses=(404,)),
    "organizations.members.put": Operation(
        answers={200: ref("Member")}, refuses=(*_BODY, 404, 409), body=AskedRole
    ),
    "organizations.members.remove": Operation(answers={204: None}, refuses=(404, 409)),
    "hardware.list": Operation(answers={200: array(ref("Hardware"))}),
    "collections.list": _list(ref("Collection"), query={"owner": TEXT}),
    "collections.get": _get(ref("CollectionWithModels")),
    "collections.put": Operation(
        answers={200: ref("CollectionWithModels")}, refuses=(*_BODY, 403, 409), body=CollectionTexts
    ),
    "collections.delete": Operation(answers={204: None}, refuses=(403, 404)),
    "collections.models.add": Operation(answers={204: None}, refuses=(403, 404, 422)),
    "collections.models.remove": Operation(answers={204: None}, refuses=(403, 404)),
    "search": Operation(
        answers={200: ref("SearchResult")},
        refuses=(400,),
        plain=(400,),
        required_query={"query": TEXT},
        query={"limit": {"type": "integer"}},
    ),
    "predictions.create": _predict(),
    "predictions.list": _list(
        _PREDICTION,
        query={"created_after": MOMENT, "created_before": MOMENT, "source": _choice("api", "web")},
    ),
    "predictions.get": _get(_PREDICTION),
    "predictions.cancel": _get(_PREDICTION),
    "predictions.delete": Operation(answers={204: None}, refuses=(404, 409)),
    "models.predictions.create": _predict(404),
    "models.list": _list(
        _MODEL,
        query={
            "sort_by": _choice("latest_version_created_at", "model_created_at"),
            "sort_direction": _choice("desc", "asc"),
        },
    ),
    "models.search": Operation(
        answers={200: page_of(_MODEL)}, refuses=(400, 413), content={"text/plain": _WORDS}, needs_body=False
    ),
    "models.create": Operation(answers={201: _MODEL}, refuses=(*_BODY, 403, 404, 409), body=NewModel),
    "models.get": _get(_MODEL),
    "models.update": Operation(answers={200: _MODEL}, refuses=(*_BODY, 403, 404), body=ModelChanges),
    "models.delete": Operation(answers={204: None}, refuses=(403, 404, 409)),
    "models.readme.get": Operation(answers={200: TEXT}, refuses=(404,), media=_MARKDOWN),
    "models.readme.put": Operation(
        answers={200: TEXT},
        refuses=(400, 403, 404, 413, 422),
        content={"text/markdown": _WORDS},
        media=_MARKDOWN,
    ),
    "models.examples.list": _list(_PREDICTION, refuses=(404,)),
    "models.examples.add": Operation(answers={201: _PREDICTION}, refuses=(*_BODY, 403, 404), body=NewExample),
    "models.examples.remove": Operation(answers={204: None}, refuses=(403, 404)),
    "models.versions.list": _list(ref("Version"), refuses=(404,)),
    "models.versions.get": _get(ref("Version")),
    "models.versions.instances.list": Operation(
        answers={200: record({"results": array(ref("EndedInstance"))})}, refuses=(403, 404)
    ),
    "models.instances.list": Operation(
        answers={200: record({"results": array(ref("Instances"))})}, refuses=(404,), query={"version": TEXT}
    ),
    "deployments.instances.list": Operation(
        answers={200: record({"results": array(ref("Instances"))})}, refuses=(404,)
    ),
    "models.versions.delete": Operation(answers={202: None}, refuses=(403, 404, 409)),
    "trainings.create": Operation(
        answers={201: _TRAINING}, refuses=(*_BODY, 404, 409, 429), body=NewTraining, headers=_LATER
    ),
    "trainings.list": _list(_TRAINING),
    "trainings.get": _get(_TRAINING),
    "trainings.cancel": _get(_TRAINING),
    "deployments.list": _list(_DEPLOYMENT),
    "deployments.create": Operation(
        answers={200: _DEPLOYMENT}, refuses=(*_BODY, 404, 409), body=NewDeployment
    ),
    "deployments.get": _get(_DEPLOYMENT),
    "deployments.update": Operation(
        answers={200: _DEPLOYMENT}, refuses=(*_BODY, 404), body=DeploymentChanges
    ),
    "deployments.delete": Operation(answers={204: None}, refuses=(404, 409)),
    "deployments.predictions.create": _predict(404),
    "deployments.predictions.list": _list(_PREDICTION, refuses=(404,)),
    "deployments.releases.list": _list(ref("Release"), refuses=(404,)),
    "deployments.rollback": Operation(
        answers={200: _DEPLOYMENT}, refuses=(*_BODY, 404), body=Back, needs_body=False
    ),
    "files.list": _list(ref("File")),
    "files.create": Operation(
        answers={201: ref("File")},
        refuses=_BODY,
        content={
            "multipart/form-data": record(
                {"content": {"type": "string", "format": "binary"}},
                {"filename": _WORDS, "type": _WORDS, "metadata": OBJECT},
            )
        },
    ),
    "files.get": _get(ref("File")),
    "files.delete": Operation(answers={204: None}, refuses=(404,)),
    "files.download": Operation(
        answers={200: None, 206: None},
        refuses=(404, 416),
        media=_BYTES,
        required_query={"owner": TEXT, "expiry": TEXT, "signature": TEXT},
    ),
    "streams.get": Operation(answers={200: TEXT}, refuses=(404,), media=_EVENTS),
    "streams.files.get": Operation(answers={200: TEXT}, refuses=(404,), media=_EVENTS),
    "delivery.get": Operation(answers={200: None, 206: None}, refuses=(404, 416), media=_BYTES),
    "internal.outputs.put": Operation(
        answers={201: None},
        refuses=(404, 413),
        content={_BYTES: {"type": "string", "format": "binary"}},
    ),
}


def described(operation: str) -> Operation:
    """Return what is said of an operation. Raises KeyError for one that nobody described."""
    return OPERATIONS[operation]
