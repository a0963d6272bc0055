"""Models, their versions, and the smaller things around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, NotRequired, TypedDict, Unpack, overload

from replicate._flow import Answer, Call, Flow, async_iterating, asynchronous, blocking, iterating
from replicate._retry import download
from replicate.errors import ReplicateException
from replicate.identifier import Identifier
from replicate.instances import Instances, instances_of
from replicate.pagination import Cursor, Page
from replicate.predictions import CreatePredictionParams, Prediction, Predictions, page_of, path_of
from replicate.resource import Namespace, Resource, ask, first_page
from replicate.schema import make_schema_backwards_compatible

if TYPE_CHECKING:
    from replicate.client import Client


EXPORT_SECONDS = 600.0
"""The longest silence of an export: the platform may have to read a large image before it goes on."""
_NO_PREDICT = (
    "predict() is no more: use replicate.run(), with a version in the name to be sure of its inputs."
)


@dataclass(kw_only=True)
class Version(Resource):
    """One image of a model."""

    id: str
    created_at: datetime | None = None
    cog_version: str = ""
    openapi_schema: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        return datetime.fromisoformat(value) if name == "created_at" and value else value

    def predict(self, *_args: Any, **_input: Any) -> NoReturn:
        """Raise: it was taken out of the official client too. Use `replicate.run`."""
        raise ReplicateException(_NO_PREDICT)

    @property
    def output_is_iterator(self) -> bool:
        """Whether the model gives its output piece by piece."""
        schema = make_schema_backwards_compatible(self.openapi_schema, self.cog_version)
        output = schema.get("components", {}).get("schemas", {}).get("Output", {})
        return bool(output.get("type") == "array") and output.get("x-cog-array-type") == "iterator"


class Versions(Namespace):
    """Operations on one model's versions."""

    model: tuple[str, str]

    def __init__(self, client: Client, model: Any) -> None:
        """Belong to a model: `owner/name`, a pair of both, or a Model."""
        super().__init__(client)
        self._model = path_of(model)
        owner, _, name = self._model.partition("/")
        self.model = (owner, name)

    def _get(self, id: str) -> Flow[Version]:
        """Return one version."""
        return Version.from_json(
            self._client, (yield from ask("GET", f"/models/{self._model}/versions/{id}"))
        )

    def _list(self, cursor: Cursor = None) -> Flow[Page[Version]]:
        """Return a page of the versions, newest first."""
        path = first_page(cursor, f"/models/{self._model}/versions")
        return page_of(Version, self._client, (yield from ask("GET", path)))

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

    @username.setter
    def username(self, value: str) -> None:
        self.owner = value

    def predict(self, *_args: Any, **_input: Any) -> NoReturn:
        """Raise: it was taken out of the official client too. Use `replicate.run`."""
        raise ReplicateException(_NO_PREDICT)

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

    def _create(
        self, /, model: Any, input: Mapping[str, Any] | None, **params: Unpack[CreatePredictionParams]
    ) -> Flow[Prediction]:
        """Create a prediction of `model` (`owner/name`, a tuple or a Model)."""
        flow = Predictions(self._client)._create(model=model, input=input, **params)
        return (yield from flow)

    create, async_create = blocking(_create), asynchronous(_create)


class CreateModelParams(TypedDict):
    """What a model is made of, beside its owner and name."""

    hardware: str
    visibility: Literal["public", "private"]
    description: NotRequired[str]
    github_url: NotRequired[str]
    paper_url: NotRequired[str]
    license_url: NotRequired[str]
    cover_image_url: NotRequired[str]


class Models(Namespace):
    """Operations on models."""

    model = Model
    CreateModelParams = CreateModelParams

    @property
    def predictions(self) -> ModelPredictions:
        """Predictions of a model's latest version."""
        return ModelPredictions(self._client)

    def versions_of(self, model: str) -> Versions:
        """Return the versions of `owner/name`, without asking whether it exists."""
        return Versions(self._client, model)

    @overload
    def _get(self, /, key: str) -> Flow[Model]: ...
    @overload
    def _get(self, /, owner: str, name: str) -> Flow[Model]: ...
    def _get(self, /, *args: str, **names: str) -> Flow[Model]:
        """Return a model, by `get("owner/name")` or `get("owner", "name")`."""
        who = _named(*args, **names)
        return Model.from_json(self._client, (yield from ask("GET", f"/models/{who.owner}/{who.name}")))

    def _list(self, cursor: Cursor = None) -> Flow[Page[Model]]:
        """Return a page of the public models."""
        return page_of(Model, self._client, (yield from ask("GET", first_page(cursor, "/models"))))

    def _search(self, query: str) -> Flow[Page[Model]]:
        """Return the public models that fit some words."""
        answer: Answer = yield Call("QUERY", "/models", text=query, headers={"Content-Type": "text/plain"})
        return page_of(Model, self._client, answer.json())

    def _create(
        self,
        /,
        owner: str,
        name: str,
        *,
        visibility: Literal["public", "private"],
        hardware: str = "cpu",
        **more: Any,
    ) -> Flow[Model]:
        """Create a model, `public` or `private`."""
        body = {"owner": owner, "name": name, "visibility": visibility, "hardware": hardware, **more}
        return Model.from_json(self._client, (yield from ask("POST", "/models", json=body)))

    @overload
    def _delete(self, /, key: str) -> Flow[bool]: ...
    @overload
    def _delete(self, /, owner: str, name: str) -> Flow[bool]: ...
    def _delete(self, /, *args: str, **names: str) -> Flow[bool]:
        """Delete a model that has no versions, named as of `get`; return whether it was deleted."""
        who = _named(*args, **names)
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


def _named(
    *args: str, key: str | None = None, owner: str | None = None, name: str | None = None
) -> Identifier:
    parts = [part for part in (key, owner, *args, name) if part]
    if len(parts) not in {1, 2} or (key is not None and len(parts) > 1):
        raise ValueError("name the model by one text, owner/name, or by its owner and its name")
    return Identifier.parse("/".join(parts))


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

    def _export(self, *, images: bool = False) -> Flow[None]:
        """Yield the bytes of a tar file with all that is the account's; with `images` its models' too.

        Not in the hosted service's API. Write them as they come; whoever stops leaves nothing behind. An error in the
        middle is a ReplicateError: what was written then is no whole file.
        """
        path = f"/account/export?images={'true' if images else 'false'}"
        yield from download(
            Call("GET", path, headers={"Accept": "application/x-tar"}, read_timeout=EXPORT_SECONDS)
        )

    export, async_export = iterating(_export), async_iterating(_export)


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

    @overload
    def __getitem__(self, index: int) -> Model: ...
    @overload
    def __getitem__(self, index: slice) -> list[Model]: ...
    def __getitem__(self, index: int | slice) -> Model | list[Model]:
        """Return one of its models, or some."""
        return (self.models or [])[index]


class Collections(Namespace):
    """Operations on collections."""

    def _list(self, cursor: Cursor = None) -> Flow[Page[Collection]]:
        """Return a page of the collections."""
        return page_of(Collection, self._client, (yield from ask("GET", first_page(cursor, "/collections"))))

    def _get(self, slug: str) -> Flow[Collection]:
        """Return one collection with its models."""
        return Collection.from_json(self._client, (yield from ask("GET", f"/collections/{slug}")))

    list, async_list = blocking(_list), asynchronous(_list)
    get, async_get = blocking(_get), asynchronous(_get)
