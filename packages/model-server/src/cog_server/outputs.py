"""Where a model's output files go: into the answer as data URLs, to an upload address, or nowhere (embedded use)."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from cog_server.errors import OutputError
from cog_server.inputs import data_urls
from cog_server.names import media_type_of, safe_name
from cog_server.threads import in_thread

if TYPE_CHECKING:
    from cog_server.http_client import httpx

MAX_DATA_URL = 256 << 20
"""Bytes of a file that still becomes a data URL; larger ones need an upload address."""
UPLOAD_ATTEMPTS = 5
UPLOAD_SECONDS = 60.0
_CHUNK = 1 << 20
_SMALL = 64 * 1024
_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file that the model made."""

    path: Path
    name: str
    media_type: str


class OutputStore(Protocol):
    """Take an output file away, and say what stands for it in the answer."""

    async def store(self, file: OutputFile) -> Any:
        """Return the JSON value for the file, or its JSON in a block. Raises OutputError."""


def output_file(marker: Any) -> OutputFile:
    """Return the file that a worker's `$cog.file` object names. Raises OutputError when it is not a plain file."""
    path = Path(str(marker.get("path", ""))) if isinstance(marker, dict) else Path()
    name = safe_name(str(marker.get("name") or path.name) if isinstance(marker, dict) else "", "output")
    try:
        kind = path.stat().st_mode
    except OSError as exc:
        raise OutputError(f"The model's output file {name!r} cannot be read: {exc.strerror}.") from exc
    if not stat.S_ISREG(kind):
        raise OutputError(f"The model's output {name!r} is not a plain file.")
    return OutputFile(path=path, name=name, media_type=media_type_of(name))


class DataUrlStore:
    """Put files into the answer itself."""

    async def store(self, file: OutputFile) -> Any:
        """Return the file as a data URL."""
        size = file.path.stat().st_size
        if size > MAX_DATA_URL:
            raise OutputError(
                f"The model's output file {file.name!r} is {size} bytes; a data URL may hold {MAX_DATA_URL}. "
                "Give the server an upload address (--upload-url)."
            )
        if size <= _SMALL:
            return _as_raw(file)
        return await in_thread(_as_raw, file)


def _as_raw(file: OutputFile) -> mmap:
    return data_urls.json_of_file(file.media_type, file.path)


class UploadStore:
    """Send files to `PUT {prefix}{name}`."""

    def __init__(self, prefix: str, client: Uploads) -> None:
        self._prefix = prefix
        self._client = client
        self._taken: set[str] = set()

    async def store(self, file: OutputFile) -> Any:
        """Upload the file and return its address."""
        return await self._client.put(self._address(file.name), file)

    def _address(self, name: str) -> str:
        stem, dot, suffix = name.rpartition(".")
        number, unique = 1, name
        while unique in self._taken:
            number += 1
            unique = f"{stem}-{number}.{suffix}" if dot else f"{name}-{number}"
        self._taken.add(unique)
        parts = urlsplit(self._prefix)
        return urlunsplit(parts._replace(path=parts.path + quote(unique, safe="")))


class Uploads:
    """The HTTP side of uploads; one for a server. The HTTP library is loaded at the first upload."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def put(self, url: str, file: OutputFile) -> str:
        """Send one file, trying again while that may help; return its address. Raises OutputError."""
        from cog_server.http_client import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(UPLOAD_SECONDS), follow_redirects=False)
        host = urlsplit(url).hostname or "the upload address"
        reason = "no answer"
        for attempt in range(UPLOAD_ATTEMPTS):
            if attempt:
                await asyncio.sleep(0.2 * 2 ** (attempt - 1))
            headers = {"Content-Type": file.media_type, "Content-Length": str(file.path.stat().st_size)}
            try:
                response = await self._client.put(url, content=_chunks(file.path), headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as exc:
                reason = f"{host} did not answer ({type(exc).__name__})"
                continue
            if response.is_success:
                location = response.headers.get("location")
                if location:
                    return urljoin(url, location)
                return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
            reason = f"{host} answered {response.status_code}"
            if response.status_code < 500 and response.status_code not in _AGAIN:
                break
        raise OutputError(f"The output file {file.name!r} could not be uploaded: {reason}.")

    async def close(self) -> None:
        """Close idle connections."""
        if self._client is not None:
            await self._client.aclose()


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    fd = os.open(path, os.O_RDONLY)
    try:
        while True:
            data = await in_thread(os.read, fd, _CHUNK)
            if not data:
                return
            yield data
    finally:
        os.close(fd)
