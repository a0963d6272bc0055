"""Deployments: names in front of versions, with instances of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

from replicate._flow import Answer, Call, Flow, asynchronous, blocking
from replicate.instances import Instances, instances_of
from replicate.models import Account
from replicate.pagination import Cursor, Page
from replicate.predictions import CreatePredictionParams, Prediction, Predictions, page_of, path_of
from replicate.resource import Namespace, Resource, ask, first_page

if TYPE_CHECKING:
    from replicate.client import Client


@dataclass(kw_only=True)
class Configuration(Resource):
    """What a release runs on, and how many instances of it."""

    hardware: str
    min_instances: int
    max_instances: int


_Configuration = Configuration


@dataclass(kw_only=True)
class Release(Resource):
    """One set of a deployment's settings."""

    Configuration: ClassVar = _Configuration  # as the official client nests it

    number: int
    model: str
    version: str
    created_at: str = ""
    created_by: Account | None = None
    configuration: _Configuration

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        kinds: dict[str, type[Resource]] = {"configuration": _Configuration, "created_by": Account}
        return kinds[name].from_json(client, value) if name in kinds and value else value


_Release = Release


@dataclass(kw_only=True)
class Deployment(Resource):
    """A name that predictions are asked of."""

    Release: ClassVar = _Release  # as the official client nests it

    owner: str
    name: str
    current_release: _Release | None = None

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        return _Release.from_json(client, value) if name == "current_release" and value else value

    @property
    def id(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def username(self) -> str:
        """The owner, by the official client's older name."""
        return self.owner

    @property
    def predictions(self) -> DeploymentPredictions:
        """Predictions of this deployment."""
        return DeploymentPredictions(self._client, self)


class DeploymentPredictions(Namespace):
    """Predictions of one deployment."""

    def __init__(self, client: Client, deployment: Any) -> None:
        """Belong to the deployment `owner/name`."""
        super().__init__(client)
        self._path = path_of(deployment)

    def _create(
        self, /, input: Mapping[str, Any] | None, **params: Unpack[CreatePredictionParams]
    ) -> Flow[Prediction]:
        """Create a prediction of the deployment; `params` as of `predictions.create`."""
        flow = Predictions(self._client)._create(deployment=self._path, input=input, **params)
        return (yield from flow)

    def _list(self, cursor: Cursor = None) -> Flow[Page[Prediction]]:
        """Return a page of your predictions that were asked of it, newest first."""
        page = yield from ask("GET", first_page(cursor, f"/deployments/{self._path}/predictions"))
        return page_of(Prediction, self._client, page)

    create, async_create = blocking(_create), asynchronous(_create)
    list, async_list = blocking(_list), asynchronous(_list)


class DeploymentsPredictions(Namespace):
    """Predictions of any deployment."""

    def _create(
        self, /, deployment: Any, input: Mapping[str, Any] | None, **params: Unpack[CreatePredictionParams]
    ) -> Flow[Prediction]:
        """Create a prediction of `deployment` (`owner/name`, a tuple or a Deployment)."""
        return (yield from DeploymentPredictions(self._client, deployment)._create(input, **params))

    create, async_create = blocking(_create), asynchronous(_create)


class CreateDeploymentParams(TypedDict):
    """What a deployment is made of."""

    name: str
    model: str
    version: str
    hardware: str
    min_instances: int
    max_instances: int


class UpdateDeploymentParams(TypedDict, total=False):
    """What the next release of a deployment changes."""

    version: str
    hardware: str
    min_instances: int
    max_instances: int


class Deployments(Namespace):
    """Operations on deployments."""

    CreateDeploymentParams = CreateDeploymentParams
    UpdateDeploymentParams = UpdateDeploymentParams

    @property
    def predictions(self) -> DeploymentsPredictions:
        """Predictions of deployments."""
        return DeploymentsPredictions(self._client)

    def _list(self, cursor: Cursor = None) -> Flow[Page[Deployment]]:
        """Return a page of your deployments, newest first."""
        return page_of(Deployment, self._client, (yield from ask("GET", first_page(cursor, "/deployments"))))

    def _get(self, name: str) -> Flow[Deployment]:
        """Return the deployment `owner/name`."""
        return Deployment.from_json(self._client, (yield from ask("GET", f"/deployments/{name}")))

    def _create(
        self,
        /,
        *,
        name: str,
        model: str,
        version: str,
        hardware: str,
        min_instances: int,
        max_instances: int,
        **more: Any,
    ) -> Flow[Deployment]:
        """Create a deployment of yours."""
        body = {
            "name": name.rpartition("/")[2],
            "model": model,
            "version": version,
            "hardware": hardware,
            "min_instances": min_instances,
            "max_instances": max_instances,
            **more,
        }
        return Deployment.from_json(self._client, (yield from ask("POST", "/deployments", json=body)))

    def _update(self, /, deployment_owner: str, deployment_name: str, **changes: Any) -> Flow[Deployment]:
        """Make the next release: any of version, hardware, min_instances, max_instances, split."""
        path = f"/deployments/{deployment_owner}/{deployment_name}"
        return Deployment.from_json(self._client, (yield from ask("PATCH", path, json=changes)))

    def _rollback(
        self, /, deployment_owner: str, deployment_name: str, release: int | None = None
    ) -> Flow[Deployment]:
        """Make a release that is as an earlier one was: that number, or the one before the current one."""
        path = f"/deployments/{deployment_owner}/{deployment_name}/rollback"
        body = {} if release is None else {"release": release}
        return Deployment.from_json(self._client, (yield from ask("POST", path, json=body)))

    def _delete(self, /, deployment_owner: str, deployment_name: str) -> Flow[bool]:
        """Delete a deployment that nothing waits for; return whether it was deleted."""
        answer: Answer = yield Call("DELETE", f"/deployments/{deployment_owner}/{deployment_name}")
        return answer.status == 204

    def _instances(self, name: str) -> Flow[Sequence[Instances]]:
        """Return how the instances of the deployment `owner/name` fare, by version."""
        return instances_of(self._client, (yield from ask("GET", f"/deployments/{name}/instances")))

    instances, async_instances = blocking(_instances), asynchronous(_instances)
    list, async_list = blocking(_list), asynchronous(_list)
    get, async_get = blocking(_get), asynchronous(_get)
    create, async_create = blocking(_create), asynchronous(_create)
    update, async_update = blocking(_update), asynchronous(_update)
    rollback, async_rollback = blocking(_rollback), asynchronous(_rollback)
    delete, async_delete = blocking(_delete), asynchronous(_delete)
