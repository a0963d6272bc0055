"""What the objects of the API have in common: they are made from JSON and know their client."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from urllib.parse import urlsplit

from replicate._flow import Answer, Call, Flow

if TYPE_CHECKING:
    from replicate.client import Client

R = TypeVar("R", bound="Resource")


class Namespace:
    """A group of operations, such as `client.models`."""

    def __init__(self, client: Client) -> None:
        """Belong to `client`."""
        self._client = client


@dataclasses.dataclass(kw_only=True)
class Resource:
    """An object of the API, of the default client unless another made it.

    Fields that this release does not know are kept in `extra`. As the official client's objects it goes over as pairs,
    so that `dict(prediction)` works, and has `dict`, `json` and `copy`.
    """

    _client: Client = dataclasses.field(default=cast("Any", None), repr=False, compare=False)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Belong to the default client when no other is named."""
        given: Client | None = self._client
        if given is None:
            from replicate import default_client  # it is made of these

            self._client = default_client

    @classmethod
    def from_json(cls, client: Client, value: Mapping[str, Any]) -> Self:
        """Make the object of a JSON object; what is missing has its default."""
        names = {field.name for field in dataclasses.fields(cls)} - {"_client", "extra"}
        known = {name: cls._convert(client, name, item) for name, item in value.items() if name in names}
        extra = {name: item for name, item in value.items() if name not in names}
        return cls(_client=client, extra=extra, **known)

    @classmethod
    def parse_obj(cls, value: Mapping[str, Any]) -> Self:
        """Make the object of a JSON object, for the default client."""
        return cls.from_json(cast("Any", None), value)

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        return value

    def _take(self, other: Resource) -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(other, field.name))

    def __iter__(self) -> Iterator[Any]:
        """Go over the fields as pairs of name and value."""
        for field in dataclasses.fields(self):
            if field.name not in {"_client", "extra"}:
                yield field.name, getattr(self, field.name)

    def dict(
        self,
        *,
        include: Collection[str] | None = None,
        exclude: Collection[str] = (),
        exclude_none: bool = False,
        **_others: Any,
    ) -> dict[str, Any]:
        """Return the fields by name, objects in them as dicts too."""
        return {
            name: _plain(value)
            for name, value in Resource.__iter__(self)
            if (include is None or name in include)
            and name not in (exclude or ())
            and not (exclude_none and value is None)
        }

    def json(
        self,
        *,
        include: Collection[str] | None = None,
        exclude: Collection[str] = (),
        exclude_none: bool = False,
        encoder: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> str:
        """Return the fields as JSON text; `options` are of `json.dumps`."""
        fields = self.dict(include=include, exclude=exclude, exclude_none=exclude_none)
        return json.dumps(fields, default=encoder or _text, **options)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False, **_others: Any) -> Self:
        """Return another object with the same fields, some of them changed."""
        return dataclasses.replace(copy.deepcopy(self) if deep else self, **dict(update or {}))


def _plain(value: Any) -> Any:
    if isinstance(value, Resource):
        return value.dict()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def ask(method: str, url: str, *, json: Any = None, repeatable: bool = False) -> Flow[Any]:
    """Send one request and return the JSON of its answer (None when it has none)."""
    answer: Answer = yield Call(method, url, json=json, repeatable=repeatable)
    return answer.json() if answer.body else None


def first_page(cursor: Any, path: str) -> str:
    """Return the address of a page: the first one's, or a cursor's as the platform is reached here."""
    if not isinstance(cursor, str) or not cursor:
        return path
    asked = urlsplit(cursor)
    _, api, below = asked.path.partition("/v1/")
    return f"/{below}?{asked.query}" if api else cursor
