"""The nouns of the platform, as frozen values. Words and meanings: docs/reference/glossary.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from cogyard.domain.roles import Membership, Role
from cogyard.domain.scopes import Scope


class Visibility(StrEnum):
    """Who may know that a model exists."""

    PUBLIC = "public"
    PRIVATE = "private"


class Status(StrEnum):
    """Where a prediction is in its life; the moves between are in `cogyard.domain.lifecycle`."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return self not in {Status.STARTING, Status.PROCESSING}


class Kind(StrEnum):
    """What is run of a version: its `predict()`, or its `train()`."""

    PREDICTION = "prediction"
    TRAINING = "training"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A user or an organization; owns models, tokens, predictions and files."""

    id: int
    username: str
    name: str
    type: str = "user"
    is_admin: bool = False
    created_at: datetime
    avatar_url: str | None = None
    github_url: str | None = None
    memberships: tuple[Membership, ...] = ()
    """Where it belongs, as of the moment when it was looked up: every request looks anew."""

    role: Role = Role.OWNER
    """How far whoever acts as this account reaches with what is its own; less than all only with an organization."""

    acted_by: str | None = None
    """The name of who acts as this organization, when that is a person and not a token of its own."""

    def role_in(self, owner: str) -> Role | None:
        """Return how far it reaches with what is `owner`'s, None if not at all; names differ by more than case."""
        name = owner.lower()
        if self.username.lower() == name:
            return self.role
        return next((each.role for each in self.memberships if each.organization.lower() == name), None)

    def role_at(self, account_id: int) -> Role | None:
        """Return how far it reaches with what belongs to the account of that number, None if not at all."""
        if self.id == account_id:
            return self.role
        return next((each.role for each in self.memberships if each.organization_id == account_id), None)

    @property
    def reached(self) -> tuple[int, ...]:
        """The numbers of all accounts of which it sees what is private, its own first."""
        return (self.id, *(each.organization_id for each in self.memberships))

    def namespaces(self, needed: Role) -> tuple[str, ...]:
        """Return the names under which it reaches as far as `needed`, its own first."""
        own = (self.username,) if self.role.covers(needed) else ()
        return (*own, *(each.organization for each in self.memberships if each.role.covers(needed)))

    def belonging(self, owner: str) -> int:
        """Return the number of the account of that name, if it is itself or where it is a member; else its own."""
        name = owner.lower()
        found = (each.organization_id for each in self.memberships if each.organization.lower() == name)
        return next(found, self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiToken:
    """A secret that stands for an account; only its hash is kept, and its last characters to tell it by."""

    id: int
    account_id: int
    name: str
    tail: str
    created_at: datetime
    expires_at: datetime | None = None
    scope: Scope = Scope.WRITE
    last_used_at: datetime | None = None
    """To the hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A named series of versions, `owner/name`."""

    id: int
    owner: str
    name: str
    visibility: Visibility
    created_at: datetime
    description: str | None = None
    readme: str | None = None
    hardware: str = "cpu"
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    weights_url: str | None = None
    cover_image_url: str | None = None
    run_count: int = 0
    latest_version: str | None = None

    @property
    def path(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One image of a model. `id` is the 64 hex digits of the manifest's digest."""

    id: str
    model: str
    created_at: datetime
    cog_version: str
    openapi_schema: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int = 0

    @property
    def digest(self) -> str:
        """The manifest's digest, `sha256:<id>`."""
        return f"sha256:{self.id}"


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one version on one input. Times are aware; `input` and `output` are JSON values.

    Files of ours inside `input` and `output` are written `cogyard-file:<token>/<name>` and become absolute
    addresses when shown, since only a request knows how its client reaches us.
    """

    id: str
    model: str
    version: str
    account_id: int
    status: Status
    input: Mapping[str, Any]
    created_at: datetime
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: Mapping[str, Any] = msgspec.field(default_factory=dict)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    deadline: datetime | None = None
    source: str = "api"
    stream_token: str = ""
    webhook: str | None = None
    webhook_events: tuple[str, ...] = ()
    data_removed: bool = False
    attempts: int = 0
    origin: str = ""
    """The base address by which the creator reached us: what its webhooks call us by."""
    secret_inputs: tuple[str, ...] = ()
    """Inputs that are never shown, and forgotten at the end."""

    deployment: str | None = None
    """The deployment that it was asked of, `owner/name`; it may be gone."""

    deployment_id: int | None = None
    kind: Kind = Kind.PREDICTION
    destination: str | None = None
    """Of a training: the model that its version is made for, `owner/name`."""

    asked_by: str | None = None
    """Of an organization's: the name of the member who asked, if it was one."""

    trace: str = ""
    """The trace that it is part of: `traceparent`, and after a space `tracestate`; it is handed on and never shown."""

    @property
    def began(self) -> bool:
        """Whether the model ran; one may end before its start was noted, and then its time or the loss of it tells."""
        lost = self.status.terminal and self.attempts > 0
        return lost or self.started_at is not None or "predict_time" in self.metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """Bytes an account or a model gave us. `token` is the unguessable part of its public address."""

    id: str
    account_id: int
    token: str
    name: str
    content_type: str
    size: int
    sha256: str
    md5: str
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    prediction_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """A kind of machine the operator offers."""

    sku: str
    name: str
