"""Models, their versions, and the smaller things around them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicate._flow import Answer, Call, Flow, asynchronous, blocking
from replicate.identifier import Identifier
from replicate.instances import Instances, instances_of
from replicate.pagination import Page
from replicate.predictions import Prediction, Predictions, page_of
from replicate.resource import Namespace, Resource, ask

if TYPE_CHECKING:
    from replicate.client import Client


@dataclass(kw_only=True)
class Version(Resource):
    """One image of a model."""

    id: str
    created_at: str = ""
    cog_version: str = ""
    openapi_schema: dict[str, Any] = field(default_factory=dict)

    @property
    def output_is_iterator(self) -> bool:
        """Whether the model gives its output piece by piece."""
        schemas = self.openapi_schema.get("components", {}).get("schemas", {})
        output = schemas.get("Output", {})
        return bool(output.get("type") == "array") and output.get("x-cog-array-type") == "iterator"


class Versions(Namespace):
    """Operations on one model's versions."""

    def __init__(self, client: Client, model: str) -> None:
        """Belong to the model `owner/name`."""
        super().__init__(client)
        self._model = model

    def _get(self, id: str) -> Flow[Version]:
        """Return one version."""
        return Version.from_json(
            self._client, (yield from ask("GET", f"/models/{self._model}/versions/{id}"))
        )

    def _list(self) -> Flow[Page[Version]]:
        """Return the versions, newest first."""
        return page_of(Version, self._client, (yield from ask("GET", f"/models/{self._model}/versions")))

    def _delete(self, id: str) -> Flow[bool]:
        """Delete a version; return whether the platform took the request."""
        answer: Answer = yield Call("DELETE", f"/models/{self._model}/versions/{id}")
        return answer.status in {202, 204}

    get, async_get = blocking(_get), asynchronous(_get)
    list, async_list = blocking(_list), asynchronous(_list)
    delete, async_delete = blocking(_delete), asynchronous(_delete)


@dataclass(kw_only=True)
class Model(Resource):
    """A model on the platform."""

    owner: str
    name: str
    url: str = ""
    description: str | None = None
    visibility: str = "public"
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    run_count: int = 0
    cover_image_url: str | None = None
    default_example: Prediction | None = None
    latest_version: Version | None = None

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        if value is None:
            return None
        kinds: dict[str, type[Resource]] = {"default_example": Prediction, "latest_version": Version}
        return kinds[name].from_json(client, value) if name in kinds else value

    @property
    def id(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def username(self) -> str:
        """The owner, by the official client's older name."""
        return self.owner

    @property
    def versions(self) -> Versions:
        """The model's versions."""
        return Versions(self._client, self.id)

    def _reload(self) -> Flow[None]:
        """Bring this object up to date."""
        self._take(Model.from_json(self._client, (yield from ask("GET", f"/models/{self.id}"))))

    reload, async_reload = blocking(_reload), asynchronous(_reload)


class ModelPredictions(Namespace):
    """Predictions of a model's latest version."""

    def _create(self, /, model: Any, input: Any, **options: Any) -> Flow[Prediction]:
        """Create a prediction of `model` (`owner/name`, a tuple or a Model)."""
        flow = Predictions(self._client)._create(model=model, input=input, **options)
        return (yield from flow)

    create, async_create = blocking(_create), asynchronous(_create)


class Models(Namespace):
    """Operations on models."""

    @property
    def predictions(self) -> ModelPredictions:
        """Predictions of a model's latest version."""
        return ModelPredictions(self._client)

    def versions_of(self, model: str) -> Versions:
        """Return the versions of `owner/name`, without asking whether it exists."""
        return Versions(self._client, model)

    def _get(self, key: str, name: str | None = None) -> Flow[Model]:
        """Return a model, by `get("owner/name")` or `get("owner", "name")`."""
        who = Identifier.parse(f"{key}/{name}" if name else key)
        return Model.from_json(self._client, (yield from ask("GET", f"/models/{who.owner}/{who.name}")))

    def _list(self, cursor: str | None = None) -> Flow[Page[Model]]:
        """Return a page of the public models."""
        return page_of(Model, self._client, (yield from ask("GET", cursor or "/models")))

    def _search(self, query: str) -> Flow[Page[Model]]:
        """Return the public models that fit some words."""
        answer: Answer = yield Call("QUERY", "/models", text=query, headers={"Content-Type": "text/plain"})
        return page_of(Model, self._client, answer.json())

    def _create(
        self, /, owner: str, name: str, *, visibility: str, hardware: str = "cpu", **more: Any
    ) -> Flow[Model]:
        """Create a model, `public` or `private`."""
        body = {"owner": owner, "name": name, "visibility": visibility, "hardware": hardware, **more}
        return Model.from_json(self._client, (yield from ask("POST", "/models", json=body)))

    def _delete(self, owner: str, name: str | None = None) -> Flow[bool]:
        """Delete a model that has no versions; return whether it was deleted."""
        who = Identifier.parse(f"{owner}/{name}" if name else owner)
        answer: Answer = yield Call("DELETE", f"/models/{who.owner}/{who.name}")
        return answer.status == 204

    def _update(self, /, owner: str, name: str, **changes: Any) -> Flow[Model]:
        """Change a model: description, readme, addresses, hardware, visibility, cover_image_url."""
        return Model.from_json(
            self._client, (yield from ask("PATCH", f"/models/{owner}/{name}", json=changes))
        )

    def _instances(self, model: str, version: str | None = None) -> Flow[list[Instances]]:
        """Return how the instances of `owner/name` fare, of its latest version or another."""
        query = f"?version={version}" if version else ""
        return instances_of(self._client, (yield from ask("GET", f"/models/{model}/instances{query}")))

    instances, async_instances = blocking(_instances), asynchronous(_instances)
    get, async_get = blocking(_get), asynchronous(_get)
    update, async_update = blocking(_update), asynchronous(_update)
    list, async_list = blocking(_list), asynchronous(_list)
    search, async_search = blocking(_search), asynchronous(_search)
    create, async_create = blocking(_create), asynchronous(_create)
    delete, async_delete = blocking(_delete), asynchronous(_delete)


@dataclass(kw_only=True)
class Account(Resource):
    """Whose token this is."""

    type: str
    username: str
    name: str = ""
    github_url: str | None = None
    avatar_url: str | None = None


class Accounts(Namespace):
    """Operations on accounts."""

    def _current(self) -> Flow[Account]:
        """Return the account the token belongs to."""
        return Account.from_json(self._client, (yield from ask("GET", "/account")))

    current, async_current = blocking(_current), asynchronous(_current)

    def export(self, *, images: bool = False) -> Iterator[bytes]:
        """Yield the bytes of a tar file with all that is the account's; with `images` its models' too.

        Not in the hosted service's API. Write them as they come; whoever stops leaves nothing behind. An error in the
        middle is a ReplicateError: what was written then is no whole file.
        """
        yield from self._client._download(_export_path(images=images), accept="application/x-tar")

    async def async_export(self, *, images: bool = False) -> AsyncIterator[bytes]:
        """Yield the bytes of a tar file with all that is the account's, as `export` does."""
        async with contextlib.aclosing(
            self._client._download_async(_export_path(images=images), accept="application/x-tar")
        ) as pieces:
            async for piece in pieces:
                yield piece


def _export_path(*, images: bool) -> str:
    return f"/account/export?images={'true' if images else 'false'}"


@dataclass(kw_only=True)
class Hardware(Resource):
    """A kind of machine."""

    sku: str
    name: str = ""

    @property
    def id(self) -> str:
        """The SKU, by the official client's older name."""
        return self.sku


class HardwareKinds(Namespace):
    """Operations on hardware."""

    def _list(self) -> Flow[list[Hardware]]:
        """Return the kinds of machine a model can run on."""
        return [Hardware.from_json(self._client, item) for item in (yield from ask("GET", "/hardware"))]

    list, async_list = blocking(_list), asynchronous(_list)


@dataclass(kw_only=True)
class Collection(Resource):
    """Models that belong together."""

    name: str
    slug: str
    description: str = ""
    full_description: str | None = None
    models: list[Model] | None = None

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        return [Model.from_json(client, item) for item in value] if name == "models" and value else value

    @property
    def id(self) -> str:
        """The slug, by the official client's older name."""
        return self.slug

    def __iter__(self) -> Iterator[Model]:
        """Go through its models; a collection of a list has none."""
        return iter(self.models or ())

    def __len__(self) -> int:
        """Return how many models it has."""
        return len(self.models or ())

    def __getitem__(self, index: int) -> Model:
        """Return one of its models."""
        return (self.models or [])[index]


class Collections(Namespace):
    """Operations on collections."""

    def _list(self, cursor: str | None = None) -> Flow[Page[Collection]]:
        """Return a page of the collections."""
        return page_of(Collection, self._client, (yield from ask("GET", cursor or "/collections")))

    def _get(self, slug: str) -> Flow[Collection]:
        """Return one collection with its models."""
        return Collection.from_json(self._client, (yield from ask("GET", f"/collections/{slug}")))

    list, async_list = blocking(_list), asynchronous(_list)
    get, async_get = blocking(_get), asynchronous(_get)
