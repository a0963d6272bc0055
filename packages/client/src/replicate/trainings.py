"""Trainings: runs of a model's `train()`, each of which makes a version of another model."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NotRequired, TypedDict

from replicate._flow import Call, Flow, asynchronous, blocking
from replicate.files import FileEncodingStrategy, encode_input
from replicate.identifier import Identifier
from replicate.pagination import Cursor, Page
from replicate.predictions import Prediction, page_of, path_of
from replicate.resource import Namespace, ask, first_page


@dataclass(kw_only=True)
class Training(Prediction):
    """One run of a version's `train()`."""

    _PATH: ClassVar = "trainings"

    @property
    def destination(self) -> str | None:
        """The model that its version was made for, `owner/name`; None before it has ended."""
        made = self.output.get("version") if isinstance(self.output, Mapping) else None
        return str(made).partition(":")[0] if made else None


class CreateTrainingParams(TypedDict):
    """What a training may be asked with, beside the version and its input."""

    destination: Any
    webhook: NotRequired[str | None]
    webhook_completed: NotRequired[str | None]
    webhook_events_filter: NotRequired[list[str] | None]
    file_encoding_strategy: NotRequired[FileEncodingStrategy | None]
    idempotency_key: NotRequired[str | None]


class Trainings(Namespace):
    """Operations on trainings."""

    CreateTrainingParams = CreateTrainingParams

    def _create(  # noqa: PLR0917 - the official client's order
        self,
        version: Any = None,
        input: Mapping[str, Any] | None = None,
        destination: Any = None,
        webhook: str | None = None,
        webhook_completed: str | None = None,
        webhook_events_filter: list[str] | None = None,
        *,
        model: Any = None,
        file_encoding_strategy: FileEncodingStrategy | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Training]:
        """Train a version: `owner/name:id`, or `model` and the id; its new version is `destination`'s.

        It has an idempotency key as a prediction has.
        """
        if destination is None:
            raise ValueError("name the destination: the model, owner/name, that the new version is for")
        encoded = yield from encode_input(input or {}, self._client.files, file_encoding_strategy)
        body = {
            "input": encoded,
            "destination": path_of(destination),
            "webhook": webhook,
            "webhook_completed": webhook_completed,
            "webhook_events_filter": webhook_events_filter,
        }
        body = {name: value for name, value in body.items() if value is not None}
        path = f"{_version_path(version, model)}/trainings"
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = yield Call("POST", path, json=body, headers=headers, repeatable=self._client.keeps_keys)
        return Training.from_json(self._client, answer.json())

    def _create_of(
        self, /, model: Any = None, version: Any = None, input: Mapping[str, Any] | None = None, **others: Any
    ) -> Flow[Training]:
        """Train a version of `model`: what `create` does, its first three in the order of the official coroutine.

        `others` are named as `create` has them. Raises TypeError for the order of `create`.
        """
        if isinstance(version, Mapping):
            raise TypeError(
                "async_create takes model, version and input in this order, as the official client's does; name them."
            )
        return (yield from self._create(version, input, model=model, **others))

    def _get(self, id: str) -> Flow[Training]:
        """Return one training."""
        return Training.from_json(self._client, (yield from ask("GET", f"/trainings/{id}")))

    def _list(self, cursor: Cursor = None) -> Flow[Page[Training]]:
        """Return a page of your trainings, newest first."""
        return page_of(Training, self._client, (yield from ask("GET", first_page(cursor, "/trainings"))))

    def _cancel(self, id: str) -> Flow[Training]:
        """Ask that a training stop, and return it."""
        return Training.from_json(
            self._client, (yield from ask("POST", f"/trainings/{id}/cancel", repeatable=True))
        )

    create, async_create = blocking(_create), asynchronous(_create_of)
    get, async_get = blocking(_get), asynchronous(_get)
    list, async_list = blocking(_list), asynchronous(_list)
    cancel, async_cancel = blocking(_cancel), asynchronous(_cancel)


def _version_path(version: Any, model: Any) -> str:
    if model is not None:
        owner, name, _ = Identifier.parse(path_of(model))
        return f"/models/{owner}/{name}/versions/{version if isinstance(version, str) else version.id}"
    who = Identifier.parse(str(version))
    if not who.version:
        raise ValueError(f"name the version to train, as owner/name:version; got {version!r}")
    return f"/models/{who.owner}/{who.name}/versions/{who.version}"
