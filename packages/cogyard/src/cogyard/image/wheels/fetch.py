"""Have every selected wheel on this machine: from the cache, its address, a local path, or built from source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from cogyard.environment import cache as kept
from cogyard.errors import CogyardError
from cogyard.image.download import Downloader
from cogyard.image.errors import ChecksumError, DownloadError, NoWheelError
from cogyard.image.wheels.selected import Selected
from cogyard.oci import digest as digests

#: Wheels fetched at once.
_AT_ONCE = 6


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel on this machine. `sha256` is of the file's bytes and stands for it in cache keys."""

    name: str
    version: str | None
    filename: str
    sha256: str
    path: Path
    size: int


def fetch(
    selected: Iterable[Selected],
    downloader: Downloader,
    python: str,
    built: Path,
    on_fetched: Callable[[Selected], None] | None = None,
) -> tuple[Wheel, ...]:
    """Return the wheels, in the same order; `built` is the folder for wheels made from source."""

    def one(file: Selected) -> Wheel:
        wheel = _wheel(file, downloader) if file.is_wheel else _build(file, downloader, python, built)
        if on_fetched is not None:
            on_fetched(file)
        return wheel

    with ThreadPoolExecutor(_AT_ONCE) as pool, downloader.ending():
        return tuple(pool.map(one, selected))


def fetch_one(file: Selected, downloader: Downloader) -> None:
    """Fetch a wheel that has an address into the cache; what is wrong with it is said when it is used."""
    if (
        file.is_wheel
        and file.url is not None
        and file.sha256 is not None
        and not file.url.startswith("file:")
    ):
        with suppress(CogyardError):
            downloader.file(file.url, file.sha256, file.size, name=file.filename)


def local(path: Path) -> Wheel:
    """Describe a wheel that is already a file here."""
    name, version = path.name.split("-")[:2]
    sha256 = digests.of_file(path).removeprefix("sha256:")
    return Wheel(
        name=name.replace("_", "-").lower(),
        version=version,
        filename=path.name,
        sha256=sha256,
        path=path,
        size=path.stat().st_size,
    )


def _wheel(file: Selected, downloader: Downloader) -> Wheel:
    path, sha256 = _have(file, downloader)
    return Wheel(
        name=file.name,
        version=file.version,
        filename=file.filename,
        sha256=sha256,
        path=path,
        size=path.stat().st_size,
    )


def _have(file: Selected, downloader: Downloader) -> tuple[Path, str]:
    """Return the file and its sha256, checked."""
    if file.sha256 is not None and (found := downloader.cached(file.sha256)) is not None:
        return found, file.sha256
    path = _local_path(file)
    if path is not None:
        if not path.is_file():
            raise DownloadError(f"the lock names {path}, and there is no such file")
        sha256 = digests.of_file(path).removeprefix("sha256:")
        if file.sha256 not in {None, sha256}:
            raise ChecksumError(f"{path} is not what the lock names: its sha256 is {sha256}")
        return path, sha256
    if file.url is None or file.sha256 is None:
        raise NoWheelError(f"the lock names no sha256 for {file.filename}, so it cannot be trusted")
    return downloader.file(file.url, file.sha256, file.size, name=file.filename), file.sha256


def _local_path(file: Selected) -> Path | None:
    if file.path is not None:
        return Path(file.path)
    if file.url is not None and file.url.startswith("file:"):
        return Path(unquote(urlsplit(file.url).path))
    return None


def _build(file: Selected, downloader: Downloader, python: str, built: Path) -> Wheel:
    """Build a wheel from source with uv, once for each source and Python."""
    from tempfile import TemporaryDirectory

    if file.commit is not None:
        return _build_commit(file, downloader, python, built)
    if file.path is not None and Path(file.path).is_dir():
        source, key = Path(file.path), None
    else:
        source, sha256 = _have(file, downloader)
        key = hashlib.sha256(f"{sha256} {python}".encode()).hexdigest()[:32]
        if wheels := sorted((built / key).glob("*.whl")):
            return local(wheels[0])
    with TemporaryDirectory(prefix="cogyard-") as folder:
        if source.is_file() and source.name != file.filename:
            named = Path(folder) / file.filename
            named.symlink_to(source)
            source = named
        return _built(source, file, python, Path(folder) / "out", built / key if key else None)


def _build_commit(file: Selected, downloader: Downloader, python: str, built: Path) -> Wheel:
    """Build a wheel from a commit of a git repository, once for each Python."""
    from tempfile import TemporaryDirectory

    from cogyard.image.wheels.checkout import checkout

    key = hashlib.sha256(f"{file.url} {file.commit} {file.subdirectory} {python}".encode()).hexdigest()[:32]
    if wheels := sorted((built / key).glob("*.whl")):
        return local(wheels[0])
    with TemporaryDirectory(prefix="cogyard-") as folder:
        source = checkout(str(file.url), str(file.commit), Path(folder) / "source", downloader.login)
        place = source / file.subdirectory if file.subdirectory else source
        return _built(place, file, python, Path(folder) / "out", built / key)


def _built(source: Path, file: Selected, python: str, out: Path, kept_in: Path | None) -> Wheel:
    import subprocess
    from tempfile import mkdtemp

    from cogyard.environment.uv import binary

    command = [binary(), "build", "--wheel", "--python", _python(python), "--no-progress"]
    command += ["-o", str(out)]
    done = subprocess.run(
        [*command, str(source)], check=False, capture_output=True, text=True, cwd=out.parent
    )
    wheels = sorted(out.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        tail = "\n".join(f"  {line}" for line in done.stderr.splitlines()[-20:])
        raise NoWheelError(f"{file.name} has no wheel for the image, and could not be built here:\n{tail}")
    target = (kept_in or Path(mkdtemp(prefix="cogyard-"))) / wheels[0].name
    kept.write(target, wheels[0].read_bytes())
    return local(target)


def _python(version: str) -> str:
    """Return the Python that a wheel is built with: one of this machine, else what uv finds or fetches."""
    from cogyard.environment.errors import PythonMissingError
    from cogyard.environment.python import find_python

    try:
        # uv gives up at the first that does not answer, such as a shim of pyenv for a version that is not installed.
        return str(find_python(version, fetch=False))
    except PythonMissingError:
        return version
