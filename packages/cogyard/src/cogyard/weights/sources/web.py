"""One file at an address, and how files are fetched."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote, urlsplit

import httpx2

from cogyard.oci import digest as digests
from cogyard.oci.errors import InvalidDigestError
from cogyard.weights.errors import SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.paths import path_problem
from cogyard.weights.sources.base import Listing, Progress, SourceFile

_TIMEOUT = httpx2.Timeout(60, connect=10)
#: How often a file is begun again, or gone on with, after the connection broke.
_ATTEMPTS = 4
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """How files are fetched. Headers go to the host they are for, and nowhere that it leads on to."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    progress: Progress = lambda _line: None

    @contextmanager
    def client(self) -> Iterator[httpx2.Client]:
        """Give a client for the length of a block; it follows addresses and drops what is only for the first host."""
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=True, headers=dict(self.headers)) as client:
            yield client

    def take(self, url: str, shown: str, expected: str | None, files: WeightFiles) -> tuple[str, int]:
        """Keep the file at an address. Raises SourceError."""
        self.progress(f"fetching {shown}")
        with self.client() as client:
            return files.add(_chunks(client, url, shown), expected=expected)


@dataclass(frozen=True, kw_only=True)
class WebSource:
    """One file, called as the address ends. A strong ETag names its moment, where the server has one."""

    uri: str
    fetching: Fetching = field(default_factory=Fetching)

    def list(self, takes: Callable[[str], bool]) -> Listing:
        """Return the file, unless it is left out."""
        name = posixpath.basename(unquote(urlsplit(self.uri).path))
        if (problem := path_problem(name)) is not None:
            raise SourceError(f"the file name {name!r:.80} of {self.uri[:100]} {problem}")
        if not takes(name):
            return Listing(files=())
        etag, size = self._look()
        take = partial(self.fetching.take, self.uri, name, None)
        file = SourceFile(path=name, size=size, take=take)
        return Listing(files=(file,), fingerprint=f"etag:{etag}" if etag else None)

    def _look(self) -> tuple[str | None, int | None]:
        with self.fetching.client() as client:
            try:
                answer = client.head(self.uri)
            except httpx2.TransportError as error:
                raise _unreachable(self.uri, error) from None
        if answer.status_code >= 400 and answer.status_code not in {403, 405, 501}:
            raise _refused(self.uri, answer.status_code)
        if answer.status_code >= 300:
            return None, None  # some do not answer HEAD
        etag, size = answer.headers.get("etag", ""), answer.headers.get("content-length", "")
        strong = etag if etag and not etag.startswith("W/") and etag.isprintable() else None
        return strong, int(size) if size.isascii() and size.isdigit() else None


def digest_or_none(text: object) -> str | None:
    """Return a digest from its hexadecimal digits, None when it is not one."""
    try:
        return digests.parse(f"sha256:{text}")
    except InvalidDigestError:
        return None


def _chunks(client: httpx2.Client, url: str, shown: str) -> Iterator[bytes]:
    """Yield a file's bytes; a connection that breaks is gone on with where the server knows how."""
    done, tag = 0, ""
    for attempt in range(1, _ATTEMPTS + 1):
        headers = {"Accept-Encoding": "identity"}
        if done:
            headers |= {"Range": f"bytes={done}-"} | ({"If-Range": tag} if tag else {})
        try:
            with client.stream("GET", url, headers=headers) as answer:
                if answer.status_code >= 500 and attempt < _ATTEMPTS:
                    continue
                if answer.status_code not in {200, 206}:
                    raise _refused(shown, answer.status_code)
                if done and answer.status_code != 206:
                    raise SourceError(f"{shown} changed while it was fetched", hint="Import again.")
                tag = answer.headers.get("etag", "")
                for chunk in answer.iter_raw(_CHUNK):
                    done += len(chunk)
                    yield chunk
                return
        except httpx2.TransportError as error:
            if attempt == _ATTEMPTS:
                raise _unreachable(shown, error) from None


def _refused(shown: str, status: int) -> SourceError:
    hint = "Is it public? A token for a hub is HF_TOKEN." if status in {401, 403, 404} else "Try again later."
    return SourceError(f"{shown[:200]} cannot be fetched: its server answered {status}", hint=hint)


def _unreachable(shown: str, error: Exception) -> SourceError:
    return SourceError(
        f"{shown[:200]} cannot be fetched: {str(error) or type(error).__name__}",
        hint="Is the address right, and is this machine connected?",
    )
