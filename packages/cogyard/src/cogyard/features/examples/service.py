"""Examples: predictions that a model's owner shows to whoever sees the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account, Model, Prediction, Status
from cogyard.features.examples.ports import ExampleStore
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.predictions.service import Predictions
from cogyard.features.world import World
from cogyard.http.errors import ForbiddenError, InvalidError, NotFoundError


@dataclass(frozen=True, kw_only=True)
class Examples:
    """An example is shown by its owner's choice: the owner's own prediction, of that model, that succeeded."""

    store: ExampleStore
    models: Models
    predictions: Predictions
    world: World = field(default_factory=World)

    async def list(self, caller: Account | None, owner: str, name: str, window: Window) -> Slice[Prediction]:
        """Return a model's examples, the one added last first. Raises NotFoundError."""
        model = await self.models.get(caller, owner, name)
        return await self.store.list(model.id, window)

    async def find(
        self, caller: Account | None, owner: str, name: str, prediction_id: str
    ) -> Prediction | None:
        """Return an example of a model by its prediction, or None. Raises NotFoundError for no such model."""
        model = await self.models.get(caller, owner, name)
        found = await self.store.find(prediction_id)
        return found.prediction if found is not None and found.model_id == model.id else None

    async def get(self, caller: Account | None, prediction_id: str) -> Prediction:
        """Return a prediction that is an example of a model the caller may see. Raises NotFoundError."""
        found = await self.store.find(prediction_id)
        if found is None:
            raise NotFoundError
        owner, _, name = found.prediction.model.partition("/")
        model = await self.models.get(caller, owner, name)
        if model.id != found.model_id:
            raise NotFoundError
        return found.prediction

    async def defaults(self, models: Sequence[Model]) -> Mapping[int, Prediction]:
        """Return the default examples of models that the caller may see, by the model's id."""
        return await self.store.defaults([model.id for model in models]) if models else {}

    async def add(
        self, caller: Account, owner: str, name: str, prediction_id: str, *, default: bool = False
    ) -> Prediction:
        """Make a prediction an example, or the default one. Raises NotFoundError, ForbiddenError, InvalidError."""
        model = await self._changeable(caller, owner, name)
        try:
            prediction = await self.predictions.get(caller, prediction_id)
        except NotFoundError as error:
            raise _refused(f"There is no prediction {prediction_id[:40]!r} of yours.") from error
        if prediction.model.lower() != model.path.lower():
            raise _refused(f"It is a prediction of {prediction.model}, not of {model.path}.")
        if prediction.status is not Status.SUCCEEDED or prediction.data_removed:
            raise _refused(
                f"Only a prediction that succeeded and is kept can be shown; it {_why(prediction)}."
            )
        await self.store.add(model.id, prediction.id, self.world.now(), pinned=default)
        return prediction

    async def remove(self, caller: Account, owner: str, name: str, prediction_id: str) -> None:
        """Make an example none; the prediction stays. Raises NotFoundError, ForbiddenError."""
        model = await self._changeable(caller, owner, name)
        if not await self.store.remove(model.id, prediction_id):
            raise NotFoundError

    async def _changeable(self, caller: Account, owner: str, name: str) -> Model:
        model = await self.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise ForbiddenError(f"Only who may change {model.path} may choose its examples.")
        return model


def _refused(what: str) -> InvalidError:
    return InvalidError(f"prediction: {what}", problems=[("prediction", what)])


def _why(prediction: Prediction) -> str:
    return "was removed" if prediction.data_removed else f"is {prediction.status.value}"
