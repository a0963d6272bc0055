"""Whole images made of the very Python that runs: what a runtime for containers needs, without a registry or a mirror.

Three layers below a model's own: the interpreter with the libraries it is linked to, the model server with its
dependencies, the SDK, laid out as spec/image.md says. Linux only. Made once a process; some 100 MB, not compressed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogyard.oci import descriptor as media
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.manifest import Manifest, describe
from cogyard.testing.images import HELLO, TestImage, schema_of

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_PLAIN_TAR = "application/vnd.oci.image.layer.v1.tar"
_PYTHON = "usr/local"
_LEFT_OUT = frozenset({"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages", "lib2to3"})
_LIBRARY = re.compile(r"(/\S+) \(0x")


@dataclass(frozen=True)
class TestLayer:
    """A layer as a plain tar."""

    __test__ = False

    kind: str
    content: bytes

    @functools.cached_property
    def digest(self) -> str:
        """Its digest, which is its diffID too."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def make_whole_image(
    predict: str = HELLO, *, env: tuple[str, ...] = (), cog: Mapping[str, Any] | None = None
) -> TestImage:
    """Make an image of one `predict.py` that runs by itself, as one of `cog build` does."""
    train = (cog or {}).get("train")
    schema = json.dumps(schema_of(predict, train))
    files = {"src/.cog/openapi_schema.json": schema.encode(), "src/predict.py": predict.encode()}
    if cog is not None and "weights" in cog:
        files[".cog/weights.json"] = json.dumps({"weights": cog["weights"]}).encode()
    source = tar_layer("source", files)
    return assemble_image(
        [*base_layers(), source],
        RunConfig(
            cmd=["/opt/cog/server/bin/python", "-m", "cog_server"],
            working_dir="/src",
            env=[
                "PATH=/opt/cog/model/bin:/usr/local/bin:/usr/bin:/bin",
                "COG_PYTHON=/opt/cog/model/bin/python",
                "COG_PROJECT=/src",
                "COG_PREDICT_TYPE_STUB=predict.py:Predictor",
                *([f"COG_TRAIN_TYPE_STUB={train}"] if train else []),
                *env,
            ],
            labels={
                "run.cog.version": "0.1.0",
                "run.cog.config": json.dumps({"predict": "predict.py:Predictor", **(cog or {})}),
                "run.cog.python_version": VERSION,
                "run.cog.openapi_schema": schema,
            },
        ),
    )


def assemble_image(layers: Iterable[TestLayer], run: RunConfig) -> TestImage:
    """Make an image of layers, lowest first."""
    layers = list(layers)
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(diff_ids=[layer.digest for layer in layers]),
        config=run,
    )
    described, config_bytes = describe(config, media.CONFIG)
    manifest = Manifest(
        schema_version=2,
        media_type=media.MANIFEST,
        config=described,
        layers=[
            Descriptor(
                media_type=_PLAIN_TAR,
                digest=layer.digest,
                size=len(layer.content),
                annotations={"run.cog.layer": layer.kind},
            )
            for layer in layers
        ],
    )
    named, manifest_bytes = describe(manifest, media.MANIFEST)
    blobs = {layer.digest: layer.content for layer in layers} | {described.digest: config_bytes}
    return TestImage(manifest=manifest_bytes, config=config_bytes, digest=named.digest, blobs=blobs)


def tar_layer(kind: str, files: Mapping[str, bytes]) -> TestLayer:
    """Make a layer of a few files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return TestLayer(kind, buffer.getvalue())


def folder_layer(kind: str, folder: Path, place: str, linked: Iterable[Path] = ()) -> TestLayer:
    """Make a layer of a folder's files below `place`, and of the libraries that some of them are linked to."""
    files: list[Entry] = [(f"{place}/{name}", path) for name, path in _files(folder)]
    libraries: list[Entry] = [(str(path).lstrip("/"), path.resolve()) for path in _libraries(linked)]
    return _layer(kind, [*files, *libraries])


def link_layer(links: Mapping[str, str]) -> TestLayer:
    """Make a layer of symbolic links."""
    return _layer("", ((name, target.encode()) for name, target in links.items()))


@functools.cache
def base_layers() -> tuple[TestLayer, ...]:
    """Return the layers below every model: Python, model server, SDK."""
    server = list(_environment("opt/cog/server", _needed_by("cogyard-model-server"), "cog_server"))
    linked = [source for _, source in server if isinstance(source, Path) and source.suffix == ".so"]
    return (
        _layer("", _interpreter(linked)),
        _layer("server", server),
        _layer("sdk", _environment("opt/cog/model", (), "cog")),
    )


Entry = tuple[str, Path | str | bytes | None]
"""Name in the image, and a file, a file's text, a link's text as bytes, or None for a folder."""


def _layer(kind: str, entries: Iterable[Entry]) -> TestLayer:
    buffer = io.BytesIO()
    seen = set[str]()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, source in entries:
            if name in seen:
                continue
            seen.add(name)
            entry = tarfile.TarInfo(name)
            if isinstance(source, Path):
                found = source.stat()
                entry.size, entry.mtime, entry.mode = (
                    found.st_size,
                    int(found.st_mtime),
                    found.st_mode & 0o777,
                )
                with source.open("rb") as content:
                    archive.addfile(entry, content)
                continue
            if isinstance(source, str):
                entry.size, entry.mode = len(source), 0o644
                archive.addfile(entry, io.BytesIO(source.encode()))
                continue
            entry.mode = 0o755
            entry.type = tarfile.DIRTYPE if source is None else tarfile.SYMTYPE
            entry.linkname = (source or b"").decode()
            archive.addfile(entry)
    return TestLayer(kind, buffer.getvalue())


def _interpreter(also_linked: Iterable[Path]) -> Iterator[Entry]:
    real = Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    for folder in ("tmp", "root", "etc"):
        yield folder, None
    yield f"{_PYTHON}/bin/python{VERSION}", real
    yield f"{_PYTHON}/bin/python3", f"python{VERSION}".encode()
    yield f"{_PYTHON}/bin/python", f"python{VERSION}".encode()
    modules = list(_files(standard))
    yield from ((f"{_PYTHON}/lib/python{VERSION}/{name}", path) for name, path in modules)
    shared = [path for _, path in modules if path.suffix == ".so"]
    for library in _libraries([real, *shared, *also_linked]):
        yield str(library).lstrip("/"), library.resolve()


def _libraries(programs: Iterable[Path]) -> list[Path]:
    """List what programs are linked to, by the names under which they look for it."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    return sorted({Path(path) for path in _LIBRARY.findall(said)})


def _environment(root: str, distributions: Iterable[str], package: str) -> Iterator[Entry]:
    """Yield a virtual environment over the interpreter with a package of ours and what it needs."""
    site = f"{root}/lib/python{VERSION}/site-packages"
    yield f"{root}/bin/python", f"/{_PYTHON}/bin/python{VERSION}".encode()
    yield f"{root}/bin/python3", b"python"
    config = f"home = /{_PYTHON}/bin\ninclude-system-site-packages = false\n"
    yield f"{root}/pyvenv.cfg", config
    found = importlib.util.find_spec(package)
    assert found is not None  # noqa: S101 - it is one of ours
    assert found.origin is not None  # noqa: S101 - as above
    yield from ((f"{site}/{package}/{name}", path) for name, path in _files(Path(found.origin).parent))
    for name in distributions:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and path.is_file():
                yield f"{site}/{file}", path


def _needed_by(name: str) -> list[str]:
    """List a distribution's dependencies and theirs."""
    needed: list[str] = []
    waiting = [name]
    while waiting:
        for line in importlib.metadata.requires(waiting.pop()) or ():
            requirement, _, condition = line.partition(";")
            one = re.split(r"[^A-Za-z0-9_.-]", requirement.strip(), maxsplit=1)[0]
            if one in needed or "extra" in condition or not _is_here(one):
                continue
            needed.append(one)
            waiting.append(one)
    return needed


def _is_here(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix != ".a" and not _LEFT_OUT.intersection(name.parts):
            yield str(name), path
