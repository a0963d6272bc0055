"""The files that a model made."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from replicate._flow import Answer, Call, Emit, Flow, async_iterating, asynchronous, blocking, iterating
from replicate._retry import download

if TYPE_CHECKING:
    from replicate.client import Client

CHUNK = 64 * 1024


class FileOutput:
    """A file that a model made: read it whole, or in pieces; `url` is its address (http, https or data)."""

    url: str

    def __init__(self, url: str, client: Client) -> None:
        """Stand for the file at `url`; nothing is fetched before it is read."""
        self.url = url
        self._client = client

    def _read(self) -> Flow[bytes]:
        """Return the file's bytes."""
        if self.url.startswith("data:"):
            return self._decoded()
        answer: Answer = yield Call("GET", self.url)
        return answer.body

    def _pieces(self) -> Flow[None]:
        """Yield the file's bytes in pieces, without holding the whole file when it is at an address."""
        if not self.url.startswith("data:"):
            yield from download(Call("GET", self.url))
            return
        content = self._decoded()
        for start in range(0, len(content), CHUNK):
            yield Emit(content[start : start + CHUNK])

    read, aread = blocking(_read), asynchronous(_read)
    __iter__, __aiter__ = iterating(_pieces), async_iterating(_pieces)

    def close(self) -> None:
        """Do nothing: nothing stays open between reads. The official client has it."""

    async def aclose(self) -> None:
        """Do nothing, as `close`."""

    def __str__(self) -> str:
        """Return the file's address."""
        return self.url

    def __repr__(self) -> str:
        """Show the address, cut where it is a long data URL."""
        return f"FileOutput({self.url[:80]!r})"

    def __eq__(self, other: object) -> bool:
        """Compare by address."""
        return isinstance(other, FileOutput) and other.url == self.url

    def __hash__(self) -> int:
        """Hash by address."""
        return hash(self.url)

    def _decoded(self) -> bytes:
        header, _, data = self.url.partition(",")
        return base64.b64decode(data) if header.endswith(";base64") else unquote_to_bytes(data)


def decode_output(value: Any, wrap: Callable[[str], Any]) -> Any:
    """Return a model's output with every string that is a file's address wrapped."""
    if isinstance(value, Mapping):
        return {name: decode_output(item, wrap) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [decode_output(item, wrap) for item in value]
    return wrap(value) if isinstance(value, str) and is_file_url(value) else value


def transform_output(value: Any, client: Client) -> Any:
    """Return a model's output with the addresses in it as files of `client`."""
    return decode_output(value, lambda url: FileOutput(url, client))


def is_file_url(text: str) -> bool:
    """Whether an output's text is the address of a file; http counts, for platforms without TLS."""
    if text.startswith("data:"):
        return "," in text
    return text.startswith(("https://", "http://")) and not any(character.isspace() for character in text)
