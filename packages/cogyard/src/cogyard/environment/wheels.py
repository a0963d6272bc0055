"""Our own packages as wheels, made from what is installed: the image holds exactly the code that built it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from cogyard.environment import cache
from cogyard.environment.errors import PreparingError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_NOT_SHIPPED = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json", "WHEEL"}
)
_WHEEL = b"Wheel-Version: 1.0\nGenerator: cogyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class OwnPackageMissingError(PreparingError):
    """A package of this very release is not installed as it should be."""

    code = "installation_broken"


def own_wheel(name: str) -> Path:
    """Return the wheel of an installed package of ours (`cogyard-sdk`, `cogyard-model-server`).

    The same code gives the same bytes, so its digest may stand for it; it is kept in the cache.
    """
    try:
        installed = distribution(name)
    except PackageNotFoundError as error:
        hint = "Install cogyard again: this installation is not complete."
        raise OwnPackageMissingError(f"the package {name} is not installed", hint=hint) from error
    files = dict(sorted(_files(installed)))
    if not any(path.endswith(".py") for path in files):
        hint = "Install cogyard again: this installation is not complete."
        raise OwnPackageMissingError(f"the package {name} is installed without its files", hint=hint)
    content = cache.key("wheel 1", *(part for path, data in files.items() for part in (path, data)))
    escaped = name.replace("-", "_")
    path = cache.cache_dir() / "wheels" / content / f"{escaped}-{installed.version}-py3-none-any.whl"
    if not path.is_file():
        cache.write(path, _pack(files, f"{escaped}-{installed.version}.dist-info"))
    return path


def _files(installed: Distribution) -> Iterator[tuple[str, bytes]]:
    editable = _editable_root(installed)
    for file in installed.files or []:
        path = PurePosixPath(file)
        if ".." in path.parts or path.suffix in {".pyc", ".pth"} or path.name in _NOT_SHIPPED:
            continue
        yield path.as_posix(), Path(str(file.locate())).read_bytes()
    if editable is not None:
        source = editable / "src"
        for one in sorted(source.rglob("*")):
            if one.is_file() and "__pycache__" not in one.parts and one.suffix != ".pyc":
                yield one.relative_to(source).as_posix(), one.read_bytes()


def _editable_root(installed: Distribution) -> Path | None:
    text = installed.read_text("direct_url.json")
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
