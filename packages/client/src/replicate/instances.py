"""Instances: what runs versions, how those that live fare, and how those before them ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicate.resource import Resource

if TYPE_CHECKING:
    from replicate.client import Client


@dataclass(kw_only=True)
class Instances(Resource):
    """Those of one version for one purpose, `predictions` or `trainings`.

    `trouble` says why none could be started lately; `living` and `ended` are as the API has them, with setup logs for
    whoever may see them.
    """

    version: str
    purpose: str = "predictions"
    trouble: str | None = None
    living: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)


def instances_of(client: Client, body: Any) -> list[Instances]:
    """Return the instances that an answer lists."""
    return [Instances.from_json(client, item) for item in body["results"]]
