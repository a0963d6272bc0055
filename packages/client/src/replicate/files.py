"""Files in and out: uploads, the files a model made, and inputs that hold files."""

from __future__ import annotations

import base64
import io
import json
import mimetypes
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, Literal

from replicate._flow import Answer, Call, Flow, asynchronous, blocking
from replicate.resource import Namespace, Resource, ask

if TYPE_CHECKING:
    from replicate.client import Client

FileEncodingStrategy = Literal["base64", "url"]
CHUNK = 64 * 1024


@dataclass(kw_only=True)
class File(Resource):
    """A file on the platform."""

    id: str
    name: str = ""
    content_type: str = "application/octet-stream"
    size: int = 0
    etag: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
    expires_at: str | None = None
    urls: dict[str, str] = field(default_factory=dict)


class Files(Namespace):
    """Operations on files."""

    def _create(
        self,
        file: str | PurePath | IO[bytes] | bytes,
        filename: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Flow[File]:
        """Upload a file (a path, an open file or bytes) and return what the platform made of it."""
        name, content = _name_and_bytes(file, filename)
        kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        parts: dict[str, Any] = {"content": (name, content, kind)}
        if metadata:
            parts["metadata"] = (None, json.dumps(dict(metadata)), "application/json")
        answer: Answer = yield Call("POST", "/files", files=parts)
        return File.from_json(self._client, answer.json())

    def _get(self, file_id: str) -> Flow[File]:
        """Return one file's description."""
        return File.from_json(self._client, (yield from ask("GET", f"/files/{file_id}")))

    def _list(self) -> Flow[list[File]]:
        """Return the newest files."""
        page = yield from ask("GET", "/files")
        return [File.from_json(self._client, item) for item in page["results"]]

    def _delete(self, file_id: str) -> Flow[bool]:
        """Delete a file; return whether it was there to delete."""
        answer: Answer = yield Call("DELETE", f"/files/{file_id}")
        return answer.status == 204

    create, async_create = blocking(_create), asynchronous(_create)
    get, async_get = blocking(_get), asynchronous(_get)
    list, async_list = blocking(_list), asynchronous(_list)
    delete, async_delete = blocking(_delete), asynchronous(_delete)


class FileOutput:
    """A file that a model made: read it whole, or in pieces; `url` is its address (http, https or data)."""

    def __init__(self, url: str, client: Client) -> None:
        """Stand for the file at `url`; nothing is fetched before it is read."""
        self.url = url
        self._client = client

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self._decoded() if self.url.startswith("data:") else self._client._drive(self._fetch()).body

    async def aread(self) -> bytes:
        """Return the file's bytes."""
        if self.url.startswith("data:"):
            return self._decoded()
        return (await self._client._drive_async(self._fetch())).body

    def close(self) -> None:
        """Do nothing: nothing stays open between reads. The official client has it."""

    async def aclose(self) -> None:
        """Do nothing, as `close`."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file's bytes in pieces, without holding the whole file when it is at an address."""
        if self.url.startswith("data:"):
            yield from _pieces(self._decoded())
        else:
            yield from self._client._download(self.url)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes in pieces."""
        if self.url.startswith("data:"):
            for piece in _pieces(self._decoded()):
                yield piece
        else:
            async for piece in self._client._download_async(self.url):
                yield piece

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
        if header.endswith(";base64"):
            return base64.b64decode(data)
        from urllib.parse import unquote_to_bytes

        return unquote_to_bytes(data)

    def _fetch(self) -> Flow[Answer]:
        answer: Answer = yield Call("GET", self.url)
        return answer


def encode_input(value: Any, files: Files, strategy: FileEncodingStrategy | None) -> Flow[Any]:
    """Return `value` as JSON can carry it: files become addresses (uploaded) or data URLs (`base64`)."""
    if isinstance(value, Mapping):
        encoded = {}
        for name, item in value.items():
            encoded[str(name)] = yield from encode_input(item, files, strategy)
        return encoded
    if isinstance(value, list | tuple | set | frozenset):
        items = []
        for item in value:
            items.append((yield from encode_input(item, files, strategy)))  # noqa: PERF401 - a comprehension cannot yield
        return items
    if isinstance(value, FileOutput):
        return value.url
    if isinstance(value, PurePath | io.IOBase | bytes | bytearray) or _is_file(value):
        return (yield from _encode_file(value, files, strategy))
    to_list = getattr(value, "tolist", None)  # numpy arrays and scalars, torch tensors
    return to_list() if callable(to_list) else value


def _encode_file(value: Any, files: Files, strategy: FileEncodingStrategy | None) -> Flow[str]:
    if strategy == "base64":
        name, content = _name_and_bytes(value, None)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"
    file = yield from files._create(value)
    return file.urls["get"]


def decode_output(value: Any, wrap: Callable[[str], Any]) -> Any:
    """Return a model's output with every string that is a file's address wrapped."""
    if isinstance(value, Mapping):
        return {name: decode_output(item, wrap) for name, item in value.items()}
    if isinstance(value, list):
        return [decode_output(item, wrap) for item in value]
    return wrap(value) if isinstance(value, str) and is_file_url(value) else value


def is_file_url(text: str) -> bool:
    """Whether an output's text is the address of a file; http counts, for platforms without TLS."""
    if text.startswith("data:"):
        return "," in text
    return text.startswith(("https://", "http://")) and not any(character.isspace() for character in text)


def _is_file(value: Any) -> bool:
    return callable(getattr(value, "read", None))


def _name_and_bytes(file: Any, name: str | None) -> tuple[str, bytes]:
    if isinstance(file, bytes | bytearray):
        return name or "file", bytes(file)
    if isinstance(file, str | PurePath):
        path = Path(file)
        return name or path.name, path.read_bytes()
    content = file.read()
    own = getattr(file, "name", None)
    given = PurePath(own).name if isinstance(own, str) else "file"
    return name or given, content.encode() if isinstance(content, str) else content


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]
