"""Build a model's image: base, locks, plan, layers, documents. A container engine only for what needs one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cogyard import environment
from cogyard.image.assemble import describe_config, image_config, image_manifest
from cogyard.image.attach import attach
from cogyard.image.bases.base import Base
from cogyard.image.errors import BuildNotPossibleError, DebianError, DownloadError, NeedsScriptsError
from cogyard.image.expected import keep
from cogyard.image.layers import MadeLayer
from cogyard.image.make import Making, make_layers
from cogyard.image.plan import MOST_LAYERS
from cogyard.image.platforms import local_platform, read_platforms
from cogyard.image.prepare import Order, prepare
from cogyard.image.progress import Progress, Silent
from cogyard.image.site import Site
from cogyard.image.steps.engine import AUTO, DIRECT, Means, StepEngine
from cogyard.image.steps.installed import installed_by_steps
from cogyard.oci.descriptor import INDEX, MANIFEST, Descriptor, Platform
from cogyard.oci.layout import ImageStore, on_disk
from cogyard.oci.manifest import Index, describe, encode
from cogyard.oci.reference import Reference
from cogyard.project import Project
from cogyard.project.ignore import IGNORE_NAME, left_out, source_files

if TYPE_CHECKING:
    from cogyard.weights.artifact import Artifact

#: What an engine's images of half a build are called; the host's name keeps them from ever being pulled or pushed.
_STEPS = "localhost/cogyard"


class PlatformImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the local store for one platform. `size` is what a registry would hold of it, in bytes."""

    platform: str
    descriptor: Descriptor
    size: int
    layers: tuple[MadeLayer, ...]
    base: Base


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """What a name means after a build: one image, or an index over one for each platform."""

    reference: Reference
    digest: str
    images: tuple[PlatformImage, ...]

    @property
    def size(self) -> int:
        """The bytes of all images, as a registry holds them; what they share counts for each."""
        return sum(each.size for each in self.images)

    @property
    def layers(self) -> tuple[MadeLayer, ...]:
        """The layers above the base, of the first platform."""
        return self.images[0].layers

    @property
    def base(self) -> Base:
        """The base of the first platform."""
        return self.images[0].base


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


def steps_name(project: Project) -> str:
    """Return what an engine's images of half a build are called: of this folder, not of another of the same name."""
    place = hashlib.sha256(os.fsencode(project.root)).hexdigest()[:8]
    return f"{_STEPS}/{default_name(project)}-{place}"


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
    means: Means | None = None,
    attest: bool = True,
) -> BuiltImage:
    """Build the project's image into the store and name it.

    `base` names another base; `platform` is `linux/amd64`, `linux/arm64` or both with a comma, which gives an index;
    `schema` stands for the one read from the source; `refresh` asks registries and indexes again; `means` says who
    runs what only a container engine can; `attest` attaches an SPDX document and provenance. Raises CogyardError
    subclasses; nothing is named then.
    """
    reference = Reference.parse(tag if tag is not None else project.image or default_name(project))
    means = means or Means()
    platforms = read_platforms(platform)
    _refuse_passwords(project)
    if (lost := left_out(project)) is not None:
        raise BuildNotPossibleError(
            f"{IGNORE_NAME} leaves {lost} out, which cog.yaml names as the model's code",
            hint=f"A line `!{lost}` at its end takes it back.",
        )
    weights = _weights(project)
    engine = means.engine(project)
    _check_steps(project, means, platforms)
    site = Site(store=store or local_store(), cache=environment.cache_dir(), progress=progress or Silent())
    with on_disk(site.cache), site.store.working():
        images = []
        for each in platforms:
            order = order_of(
                project,
                base=base,
                platform=each,
                schema=schema,
                refresh=refresh,
                means=means,
                engine=engine,
                attest=attest,
            )
            images.append(_build(order, site))
        if len(images) == 1 and not weights:
            name = images[0].descriptor
        else:
            name = _index(images, site.store, keep(site.store, weights))
        site.store.tag(reference, name)
    return BuiltImage(reference=reference, digest=name.digest, images=tuple(images))


def order_of(
    project: Project,
    *,
    base: str | None,
    platform: str,
    schema: Mapping[str, Any] | None = None,
    refresh: bool = False,
    means: Means | None = None,
    engine: StepEngine | None = None,
    attest: bool = False,
) -> Order:
    """Return what one image is built from; the schema is read from the source unless it is given.

    Raises ProjectError; NotImportedError for weights that were not.
    """
    if schema is None:
        from cogyard.project.schema import static_schema

        schema = static_schema(project)
    return Order(
        project=project,
        base=base,
        platform=platform,
        schema=msgspec.json.encode(schema),
        refresh=refresh,
        means=means or Means(),
        engine=engine,
        weights=_weights(project),
        attest=attest,
    )


def _build(order: Order, site: Site) -> PlatformImage:
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    by_engine = order.means.builder not in {AUTO, DIRECT}
    ready = prepare(order, site, engine=by_engine)
    making = Making(
        base=ready.base, lock=ready.lock.text, schema=order.schema, epoch=epoch, refresh=order.refresh,
        login=ready.lock.credentials.find,
        engine=order.engine, steps_name=steps_name(order.project), secrets=order.means.secrets,
    )  # fmt: skip
    try:
        layers = make_layers(ready.plan, making, site)
    except NeedsScriptsError as why:
        if order.platform != local_platform():
            raise
        engine = order.means.for_packages(why)
        site.progress.warn(f"{why.message}; {engine.name} installs the system packages instead")
        ready = prepare(order, site, engine=True)
        layers = make_layers(ready.plan, msgspec.structs.replace(making, engine=engine), site)
    except (DebianError, DownloadError) as why:
        if order.project.system_packages or not any(each.system_packages for each in ready.plan.layers):
            raise
        # An init is good to have, and nobody asked for it.
        site.progress.warn(f"{why.message}; the image goes without an init")
        ready = prepare(order, site, engine=by_engine, init=False)
        layers = make_layers(ready.plan, making, site)
    if (count := len(ready.base.layers) + len(layers)) > MOST_LAYERS:
        raise BuildNotPossibleError(
            f"the image would have {count} layers, and containers can be made of {MOST_LAYERS} at most",
            hint="Join commands of `run` with &&: each makes a layer.",
        )
    changed = installed_by_steps(layers, site)
    described = ready.labels(order, {each.diff_id: each.kind for each in layers}, changed)
    made = [(each.title, each.diff_id) for each in layers]
    config = encode(image_config(ready.base, ready.plan, made, described, epoch=epoch))
    own = describe_config(site.store.write(config), len(config))
    manifest = image_manifest(own, ready.base, [each.descriptor for each in layers])
    descriptor, data = describe(manifest, MANIFEST)
    site.store.write(data)
    if order.attest:
        name = default_name(order.project)
        attach(descriptor, name, site, order=order, ready=ready, layers=layers, epoch=epoch)
    return PlatformImage(
        platform=order.platform,
        descriptor=descriptor,
        size=manifest.size,
        layers=tuple(layers),
        base=ready.base,
    )


def _index(images: Sequence[PlatformImage], store: ImageStore, weights: list[Descriptor]) -> Descriptor:
    entries = []
    for each in images:
        system, _, architecture = each.platform.partition("/")
        where = Platform(os=system, architecture=architecture)
        entries.append(msgspec.structs.replace(each.descriptor, platform=where))
    descriptor, data = describe(
        Index(schema_version=2, media_type=INDEX, manifests=[*entries, *weights]), INDEX
    )
    store.write(data)
    return descriptor


def _weights(project: Project) -> tuple[Artifact, ...]:
    """Return the weights that come beside the image. Raises NotImportedError."""
    if not project.config.weights:
        return ()
    from cogyard.weights.kept import imported

    return tuple(each.artifact for each in imported(project))


def _refuse_passwords(project: Project) -> None:
    if not project.exposed:
        return
    shown = {file.name for file in source_files(project)} | {project.config_file.name}
    exposed = [one for one in project.exposed if one.file in shown]
    if exposed:
        raise BuildNotPossibleError(
            f"{exposed[0].place}: {exposed[0].message}, and everybody who has the image would see it",
            hint=exposed[0].hint,
        )


def _check_steps(project: Project, means: Means, platforms: Sequence[str]) -> None:
    """Refuse steps for a machine that is not this one: an engine runs them on its own processor."""
    foreign = [each for each in platforms if each != local_platform()]
    by_engine = project.run or (project.system_packages and means.builder not in {AUTO, DIRECT})
    if by_engine and foreign:
        what = f"the step {project.run[0].command[:60]!r}" if project.run else "installing system packages"
        raise BuildNotPossibleError(
            f"{what} runs in a container of this machine, {local_platform()}, and not for {foreign[0]}",
            hint=f"Build for {foreign[0]} on such a machine, or do without `run`.",
        )
