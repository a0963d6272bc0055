"""What `run` and `stream` ask, in either of their ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from replicate._flow import Emit, Flow
from replicate.deployments import Deployment
from replicate.errors import ModelError
from replicate.identifier import Identifier
from replicate.models import Model, Version
from replicate.output import transform_output

if TYPE_CHECKING:
    from replicate.client import Client
    from replicate.predictions import Prediction


Ref: TypeAlias = str | Identifier | Model | Version | Deployment
"""What can be run."""
DEPLOYMENTS = "deployments/"
"""What comes before a deployment's `owner/name`, which without it is a model's."""


@dataclass(frozen=True)
class Pieces:
    """An output that comes piece by piece, as a flow that emits them."""

    flow: Flow[None]


def created(
    client: Client, ref: Ref, given: Mapping[str, Any] | None, params: Mapping[str, Any]
) -> Flow[Prediction]:
    """Create a prediction of what `ref` names."""
    create = client.predictions._create
    if isinstance(ref, Version):
        return (yield from create(version=ref, input=given, **params))
    if isinstance(ref, Deployment):
        return (yield from create(deployment=ref, input=given, **params))
    if isinstance(ref, Model):
        return (yield from create(model=ref, input=given, **params))
    if isinstance(ref, str) and ref.startswith(DEPLOYMENTS):
        return (yield from create(deployment=ref.removeprefix(DEPLOYMENTS), input=given, **params))
    who = Identifier.parse(str(ref))
    if who.version:
        return (yield from create(version=who.version, input=given, **params))
    return (yield from create(model=(who.owner, who.name), input=given, **params))


def run(
    client: Client, ref: Ref, given: Mapping[str, Any] | None, params: Mapping[str, Any], *, files: bool
) -> Flow[Any]:
    """Run a model and return its output, as `Pieces` where a version was named whose output is an iterator.

    As in the official client a bare name gives a list: nobody has asked what its output is.
    """
    prediction = yield from created(client, ref, given, {"wait": True, **params})
    version = ref if isinstance(ref, Version) else None
    if version is None and not isinstance(ref, Model | Deployment) and not str(ref).startswith(DEPLOYMENTS):
        who = Identifier.parse(str(ref))
        if who.version:
            version = yield from client.models.versions_of(f"{who.owner}/{who.name}")._get(who.version)

    def shown(value: Any) -> Any:
        return transform_output(value, client) if files else value

    # A platform that holds the request may answer "processing" with the output complete (its wait=n form).
    held = (
        bool(params.get("wait", True)) and prediction.status == "processing" and prediction.output is not None
    )
    if version is not None and version.output_is_iterator:
        if prediction.finished and prediction.status != "succeeded":
            raise ModelError(prediction)
        if held:
            return Pieces(_each(prediction.output, shown))
        if not prediction.finished or prediction.output is not None:
            return Pieces(prediction._follow_output(shown))
        return None
    if not held:
        yield from prediction._wait()
    if prediction.status in {"failed", "canceled", "aborted"}:
        raise ModelError(prediction)
    return shown(prediction.output)


def _each(output: Any, shown: Callable[[Any], Any]) -> Flow[None]:
    for item in output:
        yield Emit(shown(item))
