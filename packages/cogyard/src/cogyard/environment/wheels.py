"""Our own packages as wheels, made from what is installed: the image holds exactly the code that built it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from cogyard.environment import cache, installed
from cogyard.environment.errors import PreparingError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_EPOCH = (1980, 1, 1, 0, 0, 0)
_NOT_SHIPPED = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json", "WHEEL"}
)
_WHEEL = b"Wheel-Version: 1.0\nGenerator: cogyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class OwnPackageMissingError(PreparingError):
    """A package of this very release is not installed as it should be."""

    code = "installation_broken"


class _Made(msgspec.Struct, frozen=True):
    """A wheel that was made, the folders it was made of, and what changes when a file in them does."""

    folders: list[str]
    state: str
    wheel: str


def own_wheel(name: str) -> Path:
    """Return the wheel of an installed package of ours (`cogyard-sdk`, `cogyard-model-server`).

    The same code gives the same bytes, so its digest may stand for it; it is kept in the cache, and not made again
    while sizes and times of the files say that nothing changed.
    """
    memory = cache.cache_dir() / "wheels" / cache.key("made 1", name, installed.stamp())
    made = _recall(memory)
    if made is not None and made.state == _state(made.folders):
        path = Path(made.wheel)
        if path.is_file():
            return path
    found = _distribution(name)
    folders = sorted({str(each) for each in _folders(found)})
    before = _state(folders)  # what is read after this may be newer than it says, and is then read again
    path = _made(name, found)
    cache.write(memory, msgspec.json.encode(_Made(folders, before, str(path))))
    return path


def _distribution(name: str) -> Distribution:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution(name)
    except PackageNotFoundError as error:
        hint = "Install cogyard again: this installation is not complete."
        raise OwnPackageMissingError(f"the package {name} is not installed", hint=hint) from error


def _made(name: str, found: Distribution) -> Path:
    files = dict(sorted(_files(found)))
    if not any(path.endswith(".py") for path in files):
        hint = "Install cogyard again: this installation is not complete."
        raise OwnPackageMissingError(f"the package {name} is installed without its files", hint=hint)
    content = cache.key("wheel 1", *(part for path, data in files.items() for part in (path, data)))
    escaped = name.replace("-", "_")
    path = cache.cache_dir() / "wheels" / content / f"{escaped}-{found.version}-py3-none-any.whl"
    if not path.is_file():
        cache.write(path, _pack(files, f"{escaped}-{found.version}.dist-info"))
    return path


def _recall(memory: Path) -> _Made | None:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=_Made)
    except (OSError, msgspec.MsgspecError):
        return None


def _folders(found: Distribution) -> Iterator[Path]:
    """Yield the folders that the package's files lie in; none of them is shared with another package."""
    editable = _editable_root(found)
    if editable is not None:
        yield editable / "src"
    for file in found.files or []:
        parts = PurePosixPath(file).parts
        if len(parts) > 1 and parts[0] != "..":
            yield Path(str(found.locate_file(parts[0])))


def _state(folders: Iterable[str]) -> str:
    """Return what changes when a file in the folders does: names, sizes, times and numbers of all."""
    digest = hashlib.sha256()
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except OSError:
            digest.update(f"{folder} is not there\n".encode("utf-8", "surrogateescape"))
            continue
        for entry in entries:
            if entry.name == "__pycache__" or entry.name.endswith(".pyc"):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            status = entry.stat()
            line = (
                f"{entry.path} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\n"
            )
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(found: Distribution) -> Iterator[tuple[str, bytes]]:
    editable = _editable_root(found)
    for file in found.files or []:
        path = PurePosixPath(file)
        if ".." in path.parts or path.suffix in {".pyc", ".pth"} or path.name in _NOT_SHIPPED:
            continue
        yield path.as_posix(), Path(str(file.locate())).read_bytes()
    if editable is not None:
        source = editable / "src"
        for one in sorted(source.rglob("*")):
            if one.is_file() and "__pycache__" not in one.parts and one.suffix != ".pyc":
                yield one.relative_to(source).as_posix(), one.read_bytes()


def _editable_root(found: Distribution) -> Path | None:
    text = found.read_text("direct_url.json")
    if text is None:
        return None
    origin = json.loads(text)
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def _pack(files: dict[str, bytes], info: str) -> bytes:
    whole = {path: data for path, data in files.items() if not path.startswith(f"{info}/")}
    whole |= {path: data for path, data in files.items() if path.startswith(f"{info}/")}
    whole[f"{info}/WHEEL"] = _WHEEL
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in whole.items())
    whole[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in whole.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={encoded.decode()}"
