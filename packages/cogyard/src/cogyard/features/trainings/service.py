"""Trainings: asked of a version, seen by who asked, ended with a new version of their destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cogyard.domain.names import split_model
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account, Kind, Model, Prediction, Version
from cogyard.features.models import policy
from cogyard.features.predictions.service import Predictions
from cogyard.features.versions.service import Versions
from cogyard.http.errors import InvalidError, NotFoundError


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """A training is a prediction of another kind: `Predictions` knows it too, under the same id."""

    versions: Versions
    predictions: Predictions

    async def create(
        self,
        caller: Account,
        version: tuple[str, str, str],
        *,
        destination: str,
        input: Mapping[str, Any],
        webhook: str | None = None,
        webhook_events: Sequence[str] | None = None,
        **more: Any,
    ) -> Prediction:
        """Ask for a training of a version (owner, name, id) that makes a version of `destination`.

        With an organization's model as its destination it is the organization's.

        Raises NotFoundError for a version that the caller may not see and for a destination that is not the caller's,
        InvalidError for a version that cannot be trained and for every problem of the input.
        """
        found = await self.versions.get(caller, *version)
        if not trainable(found):
            raise InvalidError(
                f"{found.model} cannot be trained: its cog.yaml names no `train` function.",
                title="Version not trainable",
            )
        model = await self._destination(caller, destination)
        return await self.predictions.create(
            caller,
            version=found,
            input=input,
            webhook=webhook,
            webhook_events=webhook_events,
            destination=model.path,
            account_id=caller.belonging(model.owner),
            **more,
        )

    async def get(self, caller: Account | None, id: str) -> Prediction:
        """Return a training of the caller's. Raises NotFoundError, also for a prediction that is none."""
        found = await self.predictions.get(caller, id)
        if found.kind is not Kind.TRAINING:
            raise NotFoundError
        return found

    async def list(self, caller: Account, window: Window, **asked: Any) -> Slice[Prediction]:
        """Return the caller's trainings, newest first; `asked` is as `Predictions.list` takes it."""
        return await self.predictions.list(caller, window, kind=Kind.TRAINING, **asked)

    async def cancel(self, caller: Account, id: str) -> Prediction:
        """Stop a training; one that has ended is returned as it is. Raises NotFoundError."""
        await self.get(caller, id)
        return await self.predictions.cancel(caller, id)

    async def _destination(self, caller: Account, path: str) -> Model:
        parts = split_model(path)
        try:
            model = await self.versions.models.get(caller, *parts) if parts is not None else None
        except NotFoundError:
            model = None
        if model is None or not policy.may_change(caller, model):
            raise NotFoundError("The specified training destination does not exist")
        return model


def trainable(version: Version) -> bool:
    """Whether a version has a `train()`."""
    return "TrainingInput" in _schemas(version.openapi_schema)


def _schemas(document: Mapping[str, Any]) -> Mapping[str, Any]:
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, Mapping) else None
    return schemas if isinstance(schemas, Mapping) else {}
