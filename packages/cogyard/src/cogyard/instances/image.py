"""What an instance needs to know of an image: its layers by kind, environment, labels. Contract: spec/image.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.limits import MOST_SLOTS
from cogyard.instances.work import VersionSource
from cogyard.oci.errors import InvalidDocumentError
from cogyard.oci.manifest import Manifest, decode

#: Tells what a layer is for, in the manifest's annotations of that layer.
LAYER_KIND = "run.cog.layer"
#: Tells the same in the config's labels, a JSON object by diffID: Docker keeps those, and no annotations.
LAYER_KINDS = "run.cog.layers"
#: The module that an image of this project runs.
OUR_SERVER = "cog_server"
#: Set in `environment` of cog.yaml (which Cog knows too) by a model that needs the network while it runs.
NETWORK = "COGYARD_NETWORK"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer of an image. `kind` is what `run.cog.layer` says, empty for layers that are not ours."""

    digest: str
    size: int
    media_type: str
    kind: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A version's image, read from its manifest and config."""

    version: str
    layers: tuple[Layer, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    cog_config: Mapping[str, Any] = field(default_factory=dict)
    #: What a container of the image runs, its entrypoint included, and where.
    command: tuple[str, ...] = ()
    working_dir: str = "/"

    def of_kind(self, *kinds: str) -> tuple[Layer, ...]:
        """List the layers of these kinds, in the image's order."""
        return tuple(layer for layer in self.layers if layer.kind in kinds)

    @property
    def python_version(self) -> str | None:
        """`3.11`, when the image says so."""
        value = self.labels.get("run.cog.python_version")
        if value is None:
            build = self.cog_config.get("build")
            value = build.get("python_version") if isinstance(build, Mapping) else None
        return str(value) if value else None

    @property
    def ref(self) -> str | None:
        """Where the predictor is, such as `predict.py:Predictor`."""
        value = self.cog_config.get("predict") or self.env.get("COG_PREDICT_TYPE_STUB")
        return str(value) if value else None

    @property
    def train_ref(self) -> str | None:
        """Where the training function is, such as `train.py:train`; None when the model cannot be trained."""
        value = self.cog_config.get("train") or self.env.get("COG_TRAIN_TYPE_STUB")
        return str(value) if value else None

    @property
    def is_ours(self) -> bool:
        """Whether this project's model server is inside; else it is one that Cog made."""
        return OUR_SERVER in self.command

    @property
    def asks_for_network(self) -> bool:
        """Whether the author says that the model needs the network."""
        return self.env.get(NETWORK, "").lower() in {"1", "true", "yes"}

    @property
    def schema(self) -> Mapping[str, Any]:
        """The model's OpenAPI document; empty when it can't be read."""
        return _object(self.labels.get("run.cog.openapi_schema", "{}"))

    @property
    def slots(self) -> int:
        """How many predictions one instance runs at once: `concurrency.max` of cog.yaml, else 1."""
        concurrency = self.cog_config.get("concurrency")
        top = concurrency.get("max") if isinstance(concurrency, Mapping) else None
        return top if isinstance(top, int) and 1 <= top <= MOST_SLOTS else 1


async def find_image(versions: VersionSource, version: str) -> Image:
    """Return a version's image; raise ImageRefusedError when it is not there or can't be read."""
    try:
        manifest, config = await versions.manifest(version)
    except KeyError as error:
        raise ImageRefusedError(
            f"Version {version} is not in the registry.", hint="Push the image again."
        ) from error
    return read_image(version, manifest, config)


async def find_runnable(versions: VersionSource, version: str) -> Image:
    """Return the image of a version that starts by itself; raise ImageRefusedError where it cannot."""
    image = await find_image(versions, version)
    if not image.command:
        raise ImageRefusedError(
            f"Version {version} does not say how its model server is started: it has no command.",
            hint="Build the image with `cog build`; only a runtime without isolation starts such a version.",
        )
    return image


def read_image(version: str, manifest: bytes, config: Mapping[str, Any]) -> Image:
    """Read a manifest and an image config, both as strangers wrote them; raise ImageRefusedError."""
    try:
        parsed = decode(manifest, Manifest, what=f"the manifest of version {version}")
    except InvalidDocumentError as error:
        raise ImageRefusedError(
            f"Version {version} cannot run: {error.message}.",
            hint="A version is the image of one platform, not a list of images.",
        ) from error
    labels = _strings(_section(config).get("Labels"))
    kinds = _kinds(config, labels)
    if len(kinds) != len(parsed.layers):
        kinds = [""] * len(parsed.layers)
    return Image(
        version=version,
        layers=tuple(
            Layer(
                digest=layer.digest,
                size=layer.size,
                media_type=layer.media_type,
                kind=(layer.annotations or {}).get(LAYER_KIND, kind),
            )
            for layer, kind in zip(parsed.layers, kinds, strict=True)
        ),
        labels=labels,
        env=_environment(_section(config).get("Env")),
        command=_words(_section(config).get("Entrypoint")) + _words(_section(config).get("Cmd")),
        working_dir=_folder(_section(config).get("WorkingDir")),
        cog_config=_object(labels.get("run.cog.config", "{}")),
    )


def _section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    section = config.get("config")
    return section if isinstance(section, Mapping) else {}


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(key): item for key, item in value.items() if isinstance(item, str)}


def _kinds(config: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return what the labels say of each layer, lowest first; empty text for those that are not ours."""
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, Mapping) else None
    told = _strings(_object(labels.get(LAYER_KINDS, "{}")))
    return [told.get(str(each), "") for each in diff_ids] if isinstance(diff_ids, list) else []


def _environment(value: Any) -> dict[str, str]:
    pairs = [str(item).partition("=") for item in value] if isinstance(value, list) else []
    return {name: text for name, equals, text in pairs if name and equals and "\0" not in name + text}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(word).replace("\0", "") for word in value) if isinstance(value, list) else ()


def _folder(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith("/") and "\0" not in value else "/"


def _object(text: str) -> Mapping[str, Any]:
    try:
        parsed = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return parsed if isinstance(parsed, Mapping) else {}
