"""What the objects of the API have in common: they are made from JSON and know their client."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

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
    """An object of the API. Fields that this release does not know are kept in `extra`."""

    _client: Client = dataclasses.field(repr=False, compare=False)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, client: Client, value: Mapping[str, Any]) -> Self:
        """Make the object of a JSON object; what is missing has its default."""
        names = {field.name for field in dataclasses.fields(cls)} - {"_client", "extra"}
        known = {name: cls._convert(client, name, item) for name, item in value.items() if name in names}
        extra = {name: item for name, item in value.items() if name not in names}
        return cls(_client=client, extra=extra, **known)

    @classmethod
    def _convert(cls, client: Client, name: str, value: Any) -> Any:
        return value

    def _take(self, other: Resource) -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(other, field.name))

    def dict(self) -> dict[str, Any]:
        """Return the object's fields as JSON would have them."""
        return {**{f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name[0] != "_"}}


def ask(
    method: str, url: str, *, json: Any = None, read_timeout: float | None = None, **headers: str
) -> Flow[Any]:
    """Send one request and return the JSON of its answer (None when it has none)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: Answer = yield Call(method, url, json=json, headers=named, read_timeout=read_timeout)
    return answer.json() if answer.body else None
