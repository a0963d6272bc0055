"""Have an engine run the steps, and take what they changed into the store as layers.

Theory of operation. The engine is given the layers below as one image, runs the steps over it, and gives back an
archive; what lies above the layers it was given is what the steps changed. Those layers are compressed here, as all
others are, and remembered by everything they were made of, so a build whose steps did not change needs no engine.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import msgspec

from cogyard.environment import cache as kept
from cogyard.image.archive import write_archive
from cogyard.image.errors import EngineArchiveError
from cogyard.image.pack import pack
from cogyard.image.plan import KIND
from cogyard.image.site import Site
from cogyard.image.steps.dockerfile import DEBS, Steps, steps_dockerfile
from cogyard.image.steps.engine import StepEngine
from cogyard.oci.config import History, ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.layer import LayerWriter
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.plain import open_plain

#: Changes when the same steps would be run in another way.
_RECIPE = "steps 1"
_CHUNK = 1 << 20
#: A tar without any entry is nothing but zeros, at most one record of them.
_EMPTY = 10240


class StepLayer(msgspec.Struct, frozen=True):
    """A layer that a step made, in the store."""

    kind: str
    title: str
    descriptor: Descriptor
    diff_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """What the steps stand on: layers, lowest first, with their diffIDs, and the variables the steps see."""

    architecture: str
    layers: Sequence[tuple[Descriptor, str]]
    env: Sequence[str]
    debs: Callable[[], Mapping[str, Path]] = dict
    """Fetches the archives of the system packages that dpkg is to install, by file name."""


def run_steps(
    name: str,
    below: Below,
    steps: Steps,
    engine: StepEngine,
    site: Site,
    *,
    secrets: Mapping[str, Path],
    refresh: bool = False,
) -> tuple[tuple[StepLayer, ...], bool]:
    """Return the layers of the steps, lowest first, and whether they were made now.

    `name` is what the engine's images are called: who builds under one name waits for whoever does. Raises
    EngineArchiveError, or the engine's own error.
    """
    diff_ids = [diff_id for _, diff_id in below.layers]
    question = [_RECIPE, below.architecture, *below.env, *diff_ids, steps_dockerfile("", steps, mounts=True)]
    question += steps.dpkg
    record = site.cache / "steps" / f"{hashlib.sha256(chr(0).join(question).encode()).hexdigest()[:32]}.json"
    if not refresh and (found := _recall(record, site.store)) is not None:
        return found, False
    lock = record.with_name(f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock")
    with kept.locked(lock, lambda: site.progress.detail(f"waiting for other steps in {engine.name}")):
        # Whoever was waited for may have made the same.
        if not refresh and (found := _recall(record, site.store)) is not None:
            return found, False
        made = _make(name, below, steps, engine, site, secrets=secrets, fresh=refresh)
        if made:
            kept.write(record, msgspec.json.encode(made))
    return made, bool(made)


def _make(
    name: str,
    below: Below,
    steps: Steps,
    engine: StepEngine,
    site: Site,
    *,
    secrets: Mapping[str, Path],
    fresh: bool,
) -> tuple[StepLayer, ...]:
    """Run the steps; nobody else may use the engine's images of this name meanwhile."""
    debs = below.debs()
    steps = steps if debs else msgspec.structs.replace(steps, dpkg=())  # the base has them all
    if not steps.titles():
        return ()
    stack = [*below.layers, *([_debs_layer(debs, site.store)] if debs else [])]
    config = ImageConfig(
        architecture=below.architecture,
        os="linux",
        config=RunConfig(env=list(below.env)),
        rootfs=RootFs(diff_ids=[diff_id for _, diff_id in stack]),
        # podman refuses to build on an image whose history and layers differ in number
        history=[History(created_by="below the steps")] * len(stack),
    )
    dockerfile = steps_dockerfile(f"{name}:below", steps, mounts=engine.mounts)
    image = _image(f"{name}:below", config, [layer for layer, _ in stack], site.store)
    site.progress.detail(f"giving what lies below the steps to {engine.name}")
    engine.load(image.name, image.manifest.config.digest, lambda out: write_archive(site.store, image, out))
    engine.build(f"{name}:steps", dockerfile, secrets=secrets, fresh=fresh, on_line=site.progress.detail)
    site.progress.detail(f"taking what the steps changed from {engine.name}")
    with engine.save(f"{name}:steps") as archive:
        return _take_in(archive, config.rootfs.diff_ids, steps, engine.name, site)


def _debs_layer(debs: Mapping[str, Path], store: ImageStore) -> tuple[Descriptor, str]:
    """Make the layer that brings the archives to dpkg; it is no part of the finished image."""
    with store.writer() as blob:
        layer = LayerWriter(blob.file)
        parts = DEBS.split("/")
        for count in range(1, len(parts) + 1):
            layer.directory("/".join(parts[:count]))
        for file, path in sorted(debs.items()):
            layer.stream(f"{DEBS}/{file}", _chunks(path), path.stat().st_size, packed=False)
        summary = layer.finish()
        blob.commit(summary.digest)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=summary.digest, size=summary.size)
    return descriptor, summary.diff_id


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _image(name: str, config: ImageConfig, layers: Sequence[Descriptor], store: ImageStore) -> StoredImage:
    data = encode(config)
    own = Descriptor(media_type=CONFIG, digest=store.write(data), size=len(data))
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=list(layers))
    descriptor, document = describe(manifest, MANIFEST)
    store.write(document)
    return StoredImage(name=name, descriptor=descriptor, manifest=manifest, config=config)


class _Entry(msgspec.Struct, rename={"config": "Config", "layers": "Layers"}):
    """One image of a docker archive."""

    config: str
    layers: list[str]


class _Rootfs(msgspec.Struct):
    diff_ids: list[str]


class _Configuration(msgspec.Struct):
    rootfs: _Rootfs


def _take_in(
    archive: IO[bytes], below: Sequence[str], steps: Steps, engine: str, site: Site
) -> tuple[StepLayer, ...]:
    with tempfile.TemporaryDirectory(prefix="cogyard-", dir=site.store.root / "tmp") as folder:
        try:
            members = _unpack(archive, below, Path(folder))
            (entry,) = msgspec.json.decode(members["manifest.json"].read_bytes(), type=list[_Entry])
            config = msgspec.json.decode(members[entry.config].read_bytes(), type=_Configuration)
        except (tarfile.TarError, EOFError, KeyError, ValueError, msgspec.MsgspecError) as error:
            raise EngineArchiveError(f"{engine} gave an archive that cannot be read: {error}") from None
        diff_ids = config.rootfs.diff_ids
        if diff_ids[: len(below)] != list(below) or len(diff_ids) != len(entry.layers):
            raise EngineArchiveError(
                f"{engine} built on other layers than those it was given",
                hint="Was the same project built twice at once? Build again.",
            )
        titles = steps.titles()
        above = list(zip(entry.layers, diff_ids, strict=True))[len(below) :]
        named = (
            titles if len(titles) == len(above) else [f"step {number + 1}" for number in range(len(above))]
        )
        made = []
        for number, ((path, diff_id), title) in enumerate(zip(above, named, strict=True)):
            kind = "system" if steps.system and number == 0 else "run"
            wanted = StepLayer(
                kind, title, Descriptor(media_type=LAYER_GZIP, digest=diff_id, size=0), diff_id
            )
            if (layer := _layer(members.get(path), wanted, engine, site.store)) is not None:
                made.append(layer)
        return tuple(made)


def _unpack(archive: IO[bytes], below: Sequence[str], folder: Path) -> dict[str, Path]:
    """Write what may be documents or new layers into the folder; return where each member is."""
    known = {diff_id.removeprefix("sha256:") for diff_id in below}
    found: dict[str, Path] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for number, member in enumerate(tar):
            name = member.name.removeprefix("./")
            if member.issym() or member.islnk():
                parent = name.rpartition("/")[0] if member.issym() else ""
                links[name] = _joined(parent, member.linkname)
            elif member.isreg() and not any(part in known for part in name.replace(".", "/").split("/")):
                path, digest = folder / str(number), hashlib.sha256()
                source = cast("IO[bytes]", tar.extractfile(member))
                with path.open("wb") as out:
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        out.write(chunk)
                if digest.hexdigest() in known:
                    path.unlink()
                else:
                    found[name] = path
    found.update({name: found[target] for name, target in links.items() if target in found})
    return found


def _joined(parent: str, target: str) -> str:
    parts = parent.split("/") if parent else []
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _layer(path: Path | None, wanted: StepLayer, engine: str, store: ImageStore) -> StepLayer | None:
    """Compress one layer into the store; None when the step changed nothing."""
    if path is None:
        raise EngineArchiveError(f"{engine} gave an archive without the layer of {wanted.title[:60]!r}")
    if path.stat().st_size <= _EMPTY and not path.read_bytes().strip(b"\0"):
        return None
    with open_plain(path) as source:
        packed, found = pack(store, source)
    if found != wanted.diff_id:
        what = f"for {wanted.title[:60]!r}"
        raise EngineArchiveError(f"{engine} gave another layer than its description says, {what}")
    annotations = {KIND: wanted.kind, "run.cog.layer.title": wanted.title}
    return msgspec.structs.replace(
        wanted, descriptor=msgspec.structs.replace(packed, annotations=annotations)
    )


def _recall(path: Path, store: ImageStore) -> tuple[StepLayer, ...] | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=tuple[StepLayer, ...])
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return found if all(store.has(layer.descriptor) for layer in found) else None
