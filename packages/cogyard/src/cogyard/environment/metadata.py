"""What a wheel requires, read without fetching the wheel.

From the metadata file that indexes keep beside it (PEP 658); where there is none, from the few pieces of the wheel that
hold its list of files and its metadata.
"""

from __future__ import annotations

import email.parser
import io
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cogyard.environment.credentials import Credentials
from cogyard.environment.lock import file_name
from cogyard.environment.ranged import RangedFile

if TYPE_CHECKING:
    import httpx2

Table = Mapping[str, Any]

_AT_ONCE = 8
#: Reasons are worth having, not worth waiting for: a file that does not come within this many seconds is left out.
_SECONDS = 10.0
#: Metadata is a few kilobytes, of which a long description is most.
_MAX_BYTES = 4 << 20


def read_needs(packages: Iterable[Table], credentials: Credentials | None = None) -> dict[str, list[str]]:
    """Return each locked package's requirement texts, as far as its wheel's metadata can be had.

    A package that is source, or whose wheel cannot be reached or read in pieces, is left out.
    """
    import httpx2

    logins = credentials or Credentials()
    wheels = {str(one["name"]): wheel for one in packages if (wheel := _wheel(one)) is not None}
    with (
        httpx2.Client(timeout=_SECONDS, follow_redirects=True) as client,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):

        def read(item: tuple[str, Table]) -> tuple[str, list[str] | None]:
            name, wheel = item
            try:
                data = _local(wheel) or _remote(wheel, client, logins)
            except (OSError, httpx2.HTTPError, zipfile.BadZipFile, ValueError):
                return name, None
            return name, None if data is None else requirements(data)

        return {name: needs for name, needs in pool.map(read, wheels.items()) if needs is not None}


def requirements(metadata: bytes) -> list[str]:
    """Return the `Requires-Dist` lines of a METADATA file."""
    message = email.parser.BytesHeaderParser().parsebytes(metadata)
    return [str(one) for one in message.get_all("Requires-Dist", [])]


def _wheel(package: Table) -> Table | None:
    listed = [*package.get("wheels", []), *([package["archive"]] if "archive" in package else [])]
    return next((one for one in listed if file_name(one).endswith(".whl")), None)


def _local(wheel: Table) -> bytes | None:
    url = str(wheel.get("url", ""))
    path = wheel.get("path") or (unquote(urlsplit(url).path) if url.startswith("file:") else None)
    if path is None:
        return None
    with Path(path).open("rb") as file:
        return _inside(file)


def _remote(wheel: Table, client: httpx2.Client, credentials: Credentials) -> bytes | None:
    parts = urlsplit(str(wheel.get("url", "")))
    if parts.scheme not in {"http", "https"}:
        return None
    beside = parts._replace(path=f"{parts.path}.metadata", fragment="").geturl()
    login = credentials.find(beside)
    with client.stream("GET", beside, auth=login) as response:
        if response.status_code == 200:
            return _limited(response)
    ranged = RangedFile(parts._replace(fragment="").geturl(), client, login)
    return _inside(io.BufferedReader(ranged))


def _limited(response: httpx2.Response) -> bytes | None:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > _MAX_BYTES:
            return None
    return bytes(data)


def _inside(file: IO[bytes]) -> bytes | None:
    with zipfile.ZipFile(file) as archive:
        names = (one for one in archive.infolist() if one.filename.endswith(".dist-info/METADATA"))
        found = next(names, None)
        return archive.read(found) if found is not None and found.file_size <= _MAX_BYTES else None
