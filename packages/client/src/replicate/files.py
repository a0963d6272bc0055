"""Files on the platform, and inputs that hold files."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from types import GeneratorType
from typing import Any, Literal, NotRequired, TypedDict

from replicate._flow import Answer, Call, Flow, asynchronous, blocking
from replicate._upload import FileLike, Progress, Upload, name_of, opened, type_of
from replicate.output import FileOutput
from replicate.resource import Namespace, Resource, ask

FileEncodingStrategy = Literal["base64", "url"]
UPLOAD_SECONDS = 600.0
"""The longest wait for the answer, which comes when the platform has kept all of the file."""


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


class CreateFileParams(TypedDict):
    """What may be said of a file that is uploaded."""

    filename: NotRequired[str]
    content_type: NotRequired[str]
    metadata: NotRequired[dict[str, Any]]


class Files(Namespace):
    """Operations on files."""

    CreateFileParams = CreateFileParams

    def _create(
        self,
        file: FileLike,
        filename: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Flow[File]:
        """Upload a file (a path, an open file or bytes) and return what the platform made of it.

        It is sent piece by piece, never held whole; `progress` is called with the bytes sent and those in all, and
        begins anew when a lost connection makes the upload begin anew.
        """
        if not isinstance(file, str | PurePath | bytes | bytearray | memoryview) and not _is_file(file):
            raise ValueError(f"a file is a path, an open file or bytes; got {type(file).__name__}")
        name = filename or name_of(file)
        with opened(file) as source:
            upload = Upload(
                name=name,
                source=source,
                content_type=content_type or type_of(name),
                metadata=metadata or {},
                progress=progress,
            )
            # A file that came twice expires unseen.
            answer: Answer = yield Call(
                "POST", "/files", upload=upload, read_timeout=UPLOAD_SECONDS, repeatable=True
            )
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


def encode_input(value: Any, files: Files, strategy: FileEncodingStrategy | None) -> Flow[Any]:
    """Return `value` as JSON can carry it: files become addresses (uploaded) or data URLs (`base64`)."""
    if isinstance(value, Mapping):
        encoded = {}
        for name, item in value.items():
            encoded[str(name)] = yield from encode_input(item, files, strategy)
        return encoded
    if isinstance(value, list | tuple | set | frozenset | range | GeneratorType):
        items = []
        for item in value:
            items.append((yield from encode_input(item, files, strategy)))  # noqa: PERF401 - a comprehension cannot yield
        return items
    if isinstance(value, FileOutput):
        return value.url
    if isinstance(value, PurePath | bytes | bytearray | memoryview) or _is_file(value):
        if strategy == "base64":
            return base64_encode_file(value)
        return (yield from files._create(value)).urls["get"]
    to_list = getattr(value, "tolist", None)  # numpy arrays and scalars, torch tensors
    return to_list() if callable(to_list) else value


def base64_encode_file(file: Any) -> str:
    """Return a file (a path, an open file or bytes) as a data URL."""
    with opened(file) as source:
        return f"data:{type_of(name_of(file))};base64,{base64.b64encode(source.read()).decode()}"


def _is_file(value: Any) -> bool:
    return isinstance(value, io.IOBase) or callable(getattr(value, "read", None))
