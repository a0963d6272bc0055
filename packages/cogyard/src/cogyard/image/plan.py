"""What the layers of a model's image are. Pure: the same project, locks and base give the same plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.bases.debian.releases import RELEASES
from cogyard.image.steps.dockerfile import Steps
from cogyard.image.wheels.layout import Layout
from cogyard.image.wheels.selected import Selected
from cogyard.project import Project
from cogyard.project.ignore import SourceFile
from cogyard.project.observability import trace_variables
from cogyard.weights import EXPECTED

#: The annotation that says what a layer holds (spec/image.md).
KIND = "run.cog.layer"
#: The label that says the same, a JSON object by diffID (spec/image.md).
KINDS = "run.cog.layers"

MODEL_ROOT = "opt/cog/model"
SERVER_ROOT = "opt/cog/server"
LOCK_PATH = "opt/cog/pylock.toml"
SOURCE_ROOT = "src"
SCHEMA_PATH = "src/.cog/openapi_schema.json"

#: A wheel from this size on is a layer of its own: it changes alone, and other images share it.
LARGE_WHEEL = 8 << 20
#: At most so many of them, the largest first: runtimes allow 127 layers, and each costs a request.
MOST_LARGE = 16
#: Small wheels gather in layers up to this size.
GROUP = 64 << 20
#: At most so many of those: beyond, the layers grow.
MOST_GROUPS = 16
#: A weights file from this size on is a layer of its own.
LARGE_WEIGHTS = 64 << 20
#: At most so many of them, the largest; the others share one.
MOST_WEIGHTS = 32
#: What containerd can mount of an image, its base included.
MOST_LAYERS = 127

#: Debian's package of the init, and where it is.
INIT, _TINI = "tini", "/usr/bin/tini"
_SDK = "cogyard-sdk"
_SERVER = "cogyard-model-server"


class PlannedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: `kind` as in spec/image.md, and what goes into it."""

    kind: str
    title: str
    layout: Layout | None = None
    wheels: tuple[Selected, ...] = ()
    own: str | None = None
    """The distribution of ours whose wheel goes in, with the environment's skeleton."""
    files: tuple[SourceFile, ...] = ()
    system_packages: tuple[str, ...] = ()
    documents: tuple[tuple[str, bytes], ...] = ()
    """What else is written into it, by path."""
    steps: Steps | None = None
    """What an engine runs over the layers below; each step becomes a layer."""

    @property
    def size(self) -> int:
        """The bytes of what goes in, as far as they are known."""
        return sum(each.size or 0 for each in self.wheels) + sum(each.size for each in self.files)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The layers above the base, lowest first, and how a container starts."""

    layers: tuple[PlannedLayer, ...]
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]

    def describe(self) -> str:
        """Return the plan as lines for people and snapshots."""
        lines = [f"{layer.kind:9} {layer.title}" for layer in self.layers]
        return "\n".join([*lines, *(f"env       {each}" for each in self.env)])


def make_plan(
    project: Project,
    base: Base,
    *,
    model: Sequence[Selected],
    server: Sequence[Selected],
    files: Iterable[SourceFile],
    tools: Sequence[Selected] = (),
    engine: bool = False,
    expects: bytes = b"",
    init: bool = True,
) -> Plan:
    """Say what the layers are: what changes seldom below, what changes with every edit on top.

    `tools` are packages that only the commands of `run` need; `engine` lets an engine install the system packages;
    `expects` says which weights come beside the image; `init` lets a base without an init get Debian's.
    """
    in_model = Layout(root=MODEL_ROOT, python=base.python_version)
    in_server = Layout(root=SERVER_ROOT, python=base.python_version)
    layers: list[PlannedLayer] = []
    wishes = _wishes(project, base, init=init and not engine)
    if wishes and not engine:
        layers.append(PlannedLayer(kind="system", title=" ".join(wishes), system_packages=wishes))
    layers.append(
        PlannedLayer(
            kind="server", title=_count(len(server) + 1), layout=in_server, wheels=tuple(server), own=_SERVER
        )
    )
    layers.extend(_packages(model, in_model))
    layers.append(PlannedLayer(kind="sdk", title=_SDK, layout=in_model, own=_SDK))
    if tools:
        names = " ".join(each.name for each in tools)
        layers.append(PlannedLayer(kind="packages", title=names, layout=in_model, wheels=tuple(tools)))
    layers = [made for each in layers for made in _with_bytecode(each)]
    steps = _steps(project, base, wishes if engine else ())
    if steps.titles():
        title = _count(len(steps.titles()), "step")
        layers.append(PlannedLayer(kind="run", title=title, steps=steps))
    documents = ((EXPECTED, expects),) if expects else ()
    layers.append(PlannedLayer(kind="lock", title=f"/{LOCK_PATH}", documents=documents))
    listed = sorted(files, key=lambda each: each.name)
    layers.extend(_weights([each for each in listed if each.is_weights]))
    source = tuple(each for each in listed if not each.is_weights)
    layers.append(
        PlannedLayer(
            kind="source", title=_count(sum(not each.is_folder for each in source), "file"), files=source
        )
    )
    return Plan(
        layers=tuple(layers),
        env=_environment(project, base),
        entrypoint=(_TINI, "--") if base.has_tini or INIT in wishes else (),
        cmd=(in_server.interpreter, "-m", "cog_server"),
    )


def _wishes(project: Project, base: Base, *, init: bool) -> tuple[str, ...]:
    """Return the system packages to install; with them an init where the base has none.

    Where the base's release is one we install from ourselves, and `init` allows it, also without any other.
    """
    wishes = set(project.system_packages)
    known = base.status is not None and (bool(wishes) or (init and base.codename in RELEASES))
    if known and not base.has_tini:
        wishes.add(INIT)
    return tuple(sorted(wishes))


def _steps(project: Project, base: Base, wishes: tuple[str, ...]) -> Steps:
    # An assembled base of Ubuntu has no apt; where there is one, it knows best what its own lists say.
    by_dpkg = base.codename in RELEASES or (base.ubuntu is not None and not has_apt(base.status or ""))
    return Steps(dpkg=wishes if by_dpkg else (), apt=() if by_dpkg else wishes, commands=project.run)


def has_apt(status: str) -> bool:
    """Say whether dpkg's list has apt."""
    return re.search(r"^Package: apt$", status, re.MULTILINE) is not None


def _packages(wheels: Sequence[Selected], layout: Layout) -> list[PlannedLayer]:
    by_size = sorted(wheels, key=lambda each: (-(each.size or 0), each.name))
    large = [each for each in by_size if (each.size or 0) >= LARGE_WHEEL][:MOST_LARGE]
    layers = [
        PlannedLayer(
            kind="package", title=f"{each.name} {each.version or ''}".strip(), layout=layout, wheels=(each,)
        )
        for each in large
    ]
    group: list[Selected] = []
    small = sorted(set(wheels) - set(large), key=lambda one: one.name)
    # Any two groups that follow each other hold more than this, so there are at most twice as many as go into it.
    most = max(GROUP, sum(each.size or 0 for each in small) // (MOST_GROUPS // 2 - 1))
    for each in small:
        if group and sum(one.size or 0 for one in group) + (each.size or 0) > most:
            layers.append(_group(group, layout))
            group = []
        group.append(each)
    return [*layers, _group(group, layout)] if group else layers


def _with_bytecode(layer: PlannedLayer) -> Iterator[PlannedLayer]:
    """Yield a layer, and above one of packages their bytecode: it depends on Python, the packages' layer does not."""
    yield layer
    if layer.layout is not None:
        yield msgspec.structs.replace(layer, kind="bytecode", title=f"of {layer.kind} {layer.title}")


def _group(wheels: list[Selected], layout: Layout) -> PlannedLayer:
    return PlannedLayer(kind="packages", title=_count(len(wheels)), layout=layout, wheels=tuple(wheels))


def _weights(files: list[SourceFile]) -> list[PlannedLayer]:
    by_size = sorted(files, key=lambda each: (-each.size, each.name))
    large = {each for each in by_size[:MOST_WEIGHTS] if each.size >= LARGE_WEIGHTS}
    layers = [PlannedLayer(kind="weights", title=each.name, files=(each,)) for each in files if each in large]
    small = tuple(each for each in files if each not in large)
    if small:
        layers.append(PlannedLayer(kind="weights", title=_count(len(small), "file"), files=small))
    return layers


def _environment(project: Project, base: Base) -> tuple[str, ...]:
    values = dict(each.partition("=")[::2] for each in base.run.env or [])
    path = values.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    values["PATH"] = f"/{MODEL_ROOT}/bin:{path}"
    values["PYTHONUNBUFFERED"] = "1"
    values["COG_PYTHON"] = f"/{MODEL_ROOT}/bin/python"
    values["COG_PROJECT"] = f"/{SOURCE_ROOT}"
    values.update(_references(project))
    if project.gpu:
        # What the NVIDIA container runtime reads to hand the driver in; harmless without it.
        values.setdefault("NVIDIA_VISIBLE_DEVICES", "all")
        values.setdefault("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")
    if project.config.concurrency.max > 1:
        values["COG_MAX_CONCURRENCY"] = str(project.config.concurrency.max)
    values.update(project.environment)
    values.update(trace_variables(project.config.observability))
    return tuple(f"{name}={value}" for name, value in values.items())


def _references(project: Project) -> Mapping[str, str]:
    found = {"COG_PREDICT_TYPE_STUB": project.ref, "COG_TRAIN_TYPE_STUB": project.train_ref}
    return {name: value for name, value in found.items() if value is not None}


def _count(number: int, noun: str = "package") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
