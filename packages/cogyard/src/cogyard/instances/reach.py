"""How a model server reaches the platform: where files of its inputs are, and where it sends what it makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from cogyard.domain.fileref import presented, replaced
from cogyard.instances.places import Places

#: Schemas refer to each other; more steps than these are a circle.
_DEEPEST = 16
#: What is given to predict() and to train().
_INPUTS = ("Input", "TrainingInput")


#: Stores a data URL for whoever holds a lease, and returns the reference of the file.
Keep = Callable[[str, str], Awaitable[str]]


class Reach(Protocol):
    """The platform as the model servers of one version see it."""

    def inputs(self, given: Mapping[str, Any]) -> Any:
        """Return a prediction's input with addresses that the model server can fetch."""
        ...

    def outputs(self, lease_token: str) -> str:
        """Say where the model server sends the files it makes while it holds this lease."""
        ...

    async def kept(self, output: Any, lease_token: str) -> Any:
        """Return an output whose files the platform has."""
        ...

    def told(self, text: str) -> str:
        """Return what a model server printed or said as callers may read it."""
        ...


@dataclass(frozen=True, slots=True)
class DirectReach:
    """Over the network, at the platform's own address, such as `http://127.0.0.1:8000`."""

    base: str
    #: What folders of this machine are called before callers.
    places: Places = field(default_factory=Places)

    def told(self, text: str) -> str:
        """Call this machine's folders what an image calls them."""
        return self.places.told(text)

    def inputs(self, given: Mapping[str, Any]) -> Any:
        """Replace each reference to a file of ours by its address; other addresses are the model server's to fetch."""
        return _inputs(self.base, given)

    async def kept(self, output: Any, lease_token: str) -> Any:  # noqa: ARG002 - the server has sent them
        """Return the output as it is."""
        return output

    def outputs(self, lease_token: str) -> str:
        """Say where outputs go."""
        return _outputs(self.base, lease_token)


@dataclass(frozen=True, slots=True)
class GatedReach:
    """Through a gate, for a model server without a network: what its input names elsewhere is fetched for it.

    `offer` makes an address a path behind the gate; `files` names the inputs that are files: an address in any other
    input is a text of the caller's, and stays as it is. `keep` is for a server that sends no files but answers with
    them as data URLs, as Cog's does.
    """

    base: str
    offer: Callable[[str], str]
    files: frozenset[str]
    keep: Keep | None = None

    def told(self, text: str) -> str:
        """Return the text as it is: inside there are no folders of ours."""
        return text

    def inputs(self, given: Mapping[str, Any]) -> Any:
        """Replace references to our files, and addresses elsewhere in inputs that are files."""
        ours = _inputs(self.base, given)
        return {
            name: replaced(value, self._behind) if name in self.files else value
            for name, value in ours.items()
        }

    def outputs(self, lease_token: str) -> str:
        """Say where outputs go."""
        return _outputs(self.base, lease_token)

    async def kept(self, output: Any, lease_token: str) -> Any:
        """Store the data URLs in an output as files, if the server does not send them itself."""
        if self.keep is None:
            return output
        found: list[str] = []

        def note(text: str) -> str:
            found.append(text)
            return text

        replaced(output, note)
        urls = [text for text in dict.fromkeys(found) if _is_file(text)]
        stored = {url: await self.keep(lease_token, url) for url in urls}
        return replaced(output, lambda text: stored.get(text, text))

    def _behind(self, text: str) -> str:
        elsewhere = text.startswith(("http://", "https://")) and not text.startswith(self.base + "/")
        return f"{self.base}{self.offer(text)}" if elsewhere else text


def _inputs(base: str, given: Mapping[str, Any]) -> Any:
    return presented(dict(given), lambda ref: f"{base}/delivery/{ref.token}/{quote(ref.name)}")


def _outputs(base: str, lease_token: str) -> str:
    return f"{base}/internal/outputs/{lease_token}/"


def file_inputs(schema: Mapping[str, Any]) -> frozenset[str]:
    """Name the inputs that are files, or hold some, from a model's OpenAPI document, whatever is wrong with it."""
    found: set[str] = set()
    for each in _INPUTS:
        properties = _at(schema, "components", "schemas", each, "properties")
        for name, described in properties.items() if isinstance(properties, Mapping) else ():
            if any(part.get("format") == "uri" for part in _parts(schema, described, _DEEPEST)):
                found.add(str(name))
    return frozenset(found)


def _parts(document: Mapping[str, Any], value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield a schema, what it is made of, and what it refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _parts(document, item, depth)
    if not isinstance(value, Mapping) or depth == 0:
        return
    yield value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        yield from _parts(document, _at(document, *reference[2:].split("/")), depth - 1)
    for key in ("items", "anyOf", "allOf", "oneOf", "additionalProperties"):
        yield from _parts(document, value.get(key), depth - 1)


def _is_file(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:200]


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
