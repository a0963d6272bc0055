"""Fetch files by address and checksum into a cache, whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from cogyard.image.errors import ChecksumError, DownloadError, NotThereError

#: Commands show its warnings on stderr, above a moving line.
_log = logging.getLogger("cogyard.network")
#: Waits between attempts, in seconds: a mirror that hiccups is back within these or not at all.
_PAUSES = (0.5, 2.0, 5.0)
_CHUNK = 1 << 20
_NOT_THERE = frozenset({404, 410})
#: An index or a release file larger than this is not one.
_MAX_DOCUMENT = 256 << 20

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


Login = Callable[[str], tuple[str, str] | None]
"""Gives user and password for an address."""


def nobody(_: str) -> tuple[str, str] | None:
    """Give no user for any address."""
    return None


class Downloader:
    """Fetch over http(s); use as a context manager."""

    def __init__(
        self,
        cache: Path,
        *,
        login: Login = nobody,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`cache` is the folder for files named by their sha256; `pause` waits between attempts.

        `login` gives user and password for an address, where its server wants them.
        """
        self._cache = cache
        self.login = login
        self._pause = pause
        self._opened: httpx2.Client | None = None
        self._opening = threading.Lock()
        self._fetching: dict[str, threading.Lock] = {}
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End every fetch that is under way when the block fails, so that Ctrl-C does not wait for gigabytes."""
        try:
            yield
        except BaseException:
            self._ended = True
            raise

    def cached(self, sha256: str) -> Path | None:
        """Return the file with this content when it was fetched before."""
        path = self._path(sha256)
        return path if path.exists() else None

    def document(self, url: str, *, limit: int = _MAX_DOCUMENT) -> bytes | None:
        """Fetch a small document into memory; None when the server says that there is none.

        Raises DownloadError.
        """
        return self._retrying(url, lambda: self._document(url, limit))

    def file(self, url: str, sha256: str, size: int | None = None, *, name: str | None = None) -> Path:
        """Return a file with exactly this content, from the cache or from `url`.

        Raises DownloadError; ChecksumError when something else came.
        """
        if (found := self.cached(sha256)) is not None:
            return found
        with self._one_of(sha256):
            if (found := self.cached(sha256)) is not None:  # somebody else has fetched it meanwhile
                return found
            return self._retrying(url, lambda: self._file(url, sha256, size, name or url.rsplit("/", 1)[-1]))

    def _one_of(self, sha256: str) -> threading.Lock:
        """Return the lock of a file, so that it is fetched once however many ask for it."""
        with self._opening:
            return self._fetching.setdefault(sha256, threading.Lock())

    @property
    def _client(self) -> httpx2.Client:
        # Most builds fetch nothing, and the client's import and certificates take a fifth of a second.
        import httpx2

        with self._opening:
            if self._opened is None:
                timeout = httpx2.Timeout(30, connect=15)
                headers = {"Accept-Encoding": "identity"}
                self._opened = httpx2.Client(timeout=timeout, follow_redirects=True, headers=headers)
            return self._opened

    def _path(self, sha256: str) -> Path:
        return self._cache / sha256[:2] / sha256

    def _document(self, url: str, limit: int) -> bytes | None:
        with self._client.stream("GET", url, auth=self.login(url)) as response:
            if response.status_code in _NOT_THERE:
                return None
            response.raise_for_status()
            data = bytearray()
            for chunk in response.iter_bytes(_CHUNK):
                data += chunk
                if len(data) > limit:
                    raise DownloadError(f"{_shown(url)} sends more than {limit} bytes")
            return bytes(data)

    def _file(self, url: str, sha256: str, size: int | None, name: str) -> Path:
        path = self._path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{sha256}.{os.urandom(4).hex()}.part")
        digest, total = hashlib.sha256(), 0
        try:
            with self._client.stream("GET", url, auth=self.login(url)) as response, part.open("xb") as file:
                response.raise_for_status()
                for chunk in response.iter_bytes(_CHUNK):
                    if self._ended:
                        raise DownloadError(f"{name} was not needed any more")
                    total += len(chunk)
                    if size is not None and total > size:
                        break
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != sha256:
                raise ChecksumError(
                    f"{name} has the sha256 {digest.hexdigest()}, not {sha256} as its index says",
                    hint="The file was changed on the way or on the server. Nothing was used.",
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def _retrying(self, url: str, attempt: Callable[[], T]) -> T:
        import httpx2

        for wait in (*_PAUSES, None):
            try:
                return attempt()
            except httpx2.HTTPStatusError as error:
                status = error.response.status_code
                reason = f"{_shown(url)} answered {status} {error.response.reason_phrase}"
                if status in _NOT_THERE:
                    raise NotThereError(reason) from None
                if wait is None or (status < 500 and status != 429):
                    raise DownloadError(reason) from None
            except httpx2.TransportError as error:
                reason = f"{_shown(url)} cannot be fetched: {str(error) or type(error).__name__}"
                if wait is None:
                    hint = "Is this machine online? Is a proxy needed (HTTPS_PROXY)?"
                    raise DownloadError(reason, hint=hint) from None
            if self._ended:
                raise DownloadError(f"{_shown(url)} was not needed any more")
            _log.warning("%s. Trying again in %.1f s.", reason, wait)
            self._pause(wait)
        raise AssertionError


def _shown(url: str) -> str:
    import httpx2

    parsed = httpx2.URL(url)
    return str(parsed.copy_with(userinfo=b"", query=None))
