"""Build a model's image: base, locks, plan, layers, documents. No container engine, no root."""

from __future__ import annotations

import os
import platform as machines
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cogyard import environment
from cogyard.environment.machine import MACHINES, Machine
from cogyard.image.assemble import describe_config, image_config, image_manifest, labels
from cogyard.image.bases.base import Base
from cogyard.image.bases.choose import SETTING, find_base
from cogyard.image.bases.pin import choice_of, differs
from cogyard.image.download import Downloader
from cogyard.image.errors import BuildNotPossibleError
from cogyard.image.layers import LayerMaker, MadeLayer
from cogyard.image.plan import KIND, Plan, PlannedLayer, make_plan
from cogyard.image.progress import Progress, Silent
from cogyard.image.site import Site
from cogyard.image.wheels.select import select
from cogyard.oci.descriptor import MANIFEST, Descriptor
from cogyard.oci.layout import ImageStore, on_disk
from cogyard.oci.manifest import describe, encode
from cogyard.oci.reference import Reference
from cogyard.project import Project
from cogyard.project.ignore import source_files

#: Layers made at once. Compressing and hashing release Python's lock, so two keep two cores busy.
_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """An image in the local store. `size` is what a registry would hold of it, in bytes."""

    reference: Reference
    digest: str
    size: int
    layers: tuple[MadeLayer, ...]
    base: Base


def local_store() -> ImageStore:
    """Open this machine's image store."""
    return ImageStore(environment.cache_dir() / "images")


def default_name(project: Project) -> str:
    """Return `cog-<folder>`, the image's name when nothing else is said."""
    letters = (
        character if character.isascii() and character.isalnum() else "-"
        for character in project.root.name.lower()
    )
    name = "-".join(part for part in "".join(letters).split("-") if part)[:26].strip("-")
    return f"cog-{name or 'model'}"


def local_platform() -> str:
    """Return the platform of containers on this machine, `linux/amd64` or `linux/arm64`.

    Raises BuildNotPossibleError on any other machine.
    """
    machine = machines.machine().lower()
    for architecture, name in MACHINES.items():
        if machine in {architecture, name}:
            return f"linux/{architecture}"
    raise BuildNotPossibleError(f"images cannot be built for this machine's architecture, {machine}")


def build(
    project: Project,
    *,
    tag: str | None = None,
    store: ImageStore | None = None,
    base: str | None = None,
    platform: str | None = None,
    schema: Mapping[str, Any] | None = None,
    refresh: bool = False,
    progress: Progress | None = None,
) -> BuiltImage:
    """Build the project's image into the store and name it.

    `base` names another base; `platform` is `linux/amd64` or `linux/arm64`; `schema` stands for the one read from
    the source; `refresh` asks registries and indexes again. Raises CogyardError subclasses; nothing is named then.
    """
    reference = Reference.parse(tag or project.image or default_name(project))
    _refuse(project)
    where = platform or local_platform()
    _architecture(where)
    document = _schema(project, schema)
    site = Site(store=store or local_store(), cache=environment.cache_dir(), progress=progress or Silent())
    with on_disk(site.cache), site.store.working():
        found = _base(project, base, where, site, refresh=refresh)
        target = environment.Target(python=project.python_version, platform=where)
        lock = environment.lock_for(project, target, refresh=refresh)
        for warning in lock.warnings:
            site.progress.warn(warning)
        server = environment.server_lock_for(project, target)
        plan = _plan(project, found, lock, server, where)
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
        layers = _make(plan, found, site, lock=lock.text, schema=document, epoch=epoch, refresh=refresh)
        described = labels(
            version=_version(),
            config=project.config.completed(),
            schema=document,
            freeze=lock.freeze(),
            base=found,
            has_init=bool(plan.entrypoint),
            kinds={each.diff_id: each.kind for each in layers},
        )
        made = [(each.title, each.diff_id) for each in layers]
        config = encode(image_config(found, plan, made, described, epoch=epoch))
        own = describe_config(site.store.write(config), len(config))
        manifest = image_manifest(own, found, [each.descriptor for each in layers])
        descriptor, data = describe(manifest, MANIFEST)
        site.store.write(data)
        site.store.tag(reference, descriptor)
    return BuiltImage(
        reference=reference, digest=descriptor.digest, size=manifest.size, layers=tuple(layers), base=found
    )


def _base(project: Project, given: str | None, platform: str, site: Site, *, refresh: bool) -> Base:
    """Return the base that is named, else that of the project's lock, else one that fits its Python."""
    choice = given or os.environ.get(SETTING) or None
    row = None if choice else _locked_base(project, platform)
    wanted = choice_of(row) if row is not None else choice
    found = find_base(wanted, project.python_version, _architecture(platform), site, refresh=refresh)
    site.progress.done(f"Base {found.name}, Python {found.python_version}{' of cog.lock' if row else ''}")
    if row is not None and differs(found, row):
        site.progress.warn(
            f"the base {found.name} is not the one of cog.lock any more; `cog lock --upgrade` takes it"
        )
    return found


def _locked_base(project: Project, platform: str) -> Mapping[str, str] | None:
    kept = environment.read_lock(project)
    if kept is None or kept.own.get("asked", {}).get("python") != project.python_version:
        return None
    return kept.base(platform)


def _plan(
    project: Project, base: Base, lock: environment.Lock, server: environment.Lock, platform: str
) -> Plan:
    major, minor = (int(part) for part in base.python_version.split("."))
    machine = Machine(python=(major, minor), architecture=base.architecture, glibc=base.glibc)
    here = os.uname().sysname == "Linux" and platform == local_platform()
    return make_plan(
        project,
        base,
        model=select(lock.text, machine, local_builds=here),
        server=select(server.text, machine, local_builds=here),
        files=source_files(project),
    )


def _make(
    plan: Plan, base: Base, site: Site, *, lock: str, schema: bytes, epoch: int, refresh: bool
) -> list[MadeLayer]:
    with (
        Downloader(site.cache / "downloads") as downloader,
        ThreadPoolExecutor(_AT_ONCE) as pool,
        downloader.ending(),
    ):
        maker = LayerMaker(site.store, site.cache, base, downloader, lock=lock, schema=schema, epoch=epoch)

        def make(planned: PlannedLayer) -> MadeLayer | None:
            if planned.kind == "system":
                return _system(planned, base, site, refresh=refresh)
            return maker.make(planned, site.progress.detail)

        made = []
        for layer in pool.map(make, plan.layers):
            if layer is not None:
                made.append(layer)
                site.progress.done(_line(layer))
    return made


def _system(planned: PlannedLayer, base: Base, site: Site, *, refresh: bool) -> MadeLayer | None:
    from cogyard.image.bases.debian.base import add_system

    added = add_system(base, planned.system_packages, site, refresh=refresh)
    if added is None:
        return None
    assembled, made = added
    descriptor = Descriptor(
        media_type=assembled.layer.media_type,
        digest=assembled.layer.digest,
        size=assembled.layer.size,
        annotations={KIND: "system", "run.cog.layer.title": planned.title},
    )
    return MadeLayer(
        kind="system", title=planned.title, descriptor=descriptor, diff_id=assembled.diff_id, made=made
    )


def _line(layer: MadeLayer) -> str:
    size = layer.descriptor.size
    amount = f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
    return f"{layer.kind.capitalize()} {layer.title} ({amount}{'' if layer.made else ', unchanged'})"


def _refuse(project: Project) -> None:
    if project.run:
        raise BuildNotPossibleError(
            f"cog.yaml has build steps of its own (run: {project.run[0].command[:60]!r}), which need a Docker builder, "
            "and this release does not have it yet",
            hint="Install Debian packages with system_packages and Python packages with python_packages instead.",
        )


def _architecture(platform: str) -> str:
    system, _, architecture = platform.partition("/")
    if system != "linux" or architecture not in MACHINES:
        possible = " and ".join(f"linux/{each}" for each in MACHINES)
        raise BuildNotPossibleError(f"images are built for {possible}, not for {platform!r}")
    return architecture


def _schema(project: Project, given: Mapping[str, Any] | None) -> bytes:
    import msgspec

    if given is None:
        from cogyard.project.schema import static_schema

        given = static_schema(project)
    return msgspec.json.encode(given)


def _version() -> str:
    from importlib.metadata import version

    return version("cogyard")
