"""Put the made layers together: configuration, labels and manifest. Pure but for the documents' digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.plan import KINDS, SOURCE_ROOT, Plan
from cogyard.oci.config import History, ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, MANIFEST, Descriptor
from cogyard.oci.manifest import Manifest

PORT = "5000/tcp"


def labels(
    *,
    version: str,
    config: Mapping[str, Any],
    schema: bytes,
    freeze: str,
    base: Base,
    has_init: bool,
    kinds: Mapping[str, str],
) -> dict[str, str]:
    """Return the image's labels, as Cog writes and reads them; `kinds` says of a diffID what the layer is for."""
    found = {
        "run.cog.version": version,
        "run.cog.config": json.dumps(config, separators=(",", ":"), ensure_ascii=False),
        "run.cog.openapi_schema": schema.decode(),
        "run.cog.pip_freeze": freeze,
        "run.cog.python_version": base.python_version,
        # Docker keeps labels but no annotations: an image that went through it can still be run without containers.
        KINDS: json.dumps(kinds, separators=(",", ":")),
        "org.opencontainers.image.base.name": base.name,
    }
    if has_init:
        found["run.cog.has_init"] = "true"
    if base.digest is not None:
        found["org.opencontainers.image.base.digest"] = base.digest
    return found


def image_config(
    base: Base, plan: Plan, layers: Sequence[tuple[str, str]], labels: Mapping[str, str], *, epoch: int
) -> ImageConfig:
    """Return the configuration; `layers` are (title, diffID) above the base."""
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    below = [(each.created_by or base.name, each.diff_id) for each in base.layers]
    every = [*below, *layers]
    return ImageConfig(
        architecture=base.architecture,
        os="linux",
        created=created,
        config=msgspec.structs.replace(
            base.run,
            env=list(plan.env),
            entrypoint=list(plan.entrypoint) or None,
            cmd=list(plan.cmd),
            working_dir=f"/{SOURCE_ROOT}",
            exposed_ports={**(base.run.exposed_ports or {}), PORT: {}},
            labels={**_inherited(base.run), **labels},
            user="",
        ),
        rootfs=RootFs(diff_ids=[diff_id for _, diff_id in every]),
        history=[History(created=created, created_by=title) for title, _ in every],
    )


def image_manifest(config: Descriptor, base: Base, layers: Sequence[Descriptor]) -> Manifest:
    """Return the manifest over the base's layers and ours."""
    below = [each.descriptor for each in base.layers]
    return Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[*below, *layers])


def describe_config(digest: str, size: int) -> Descriptor:
    """Return the descriptor of a configuration document."""
    return Descriptor(media_type=CONFIG, digest=digest, size=size)


def _inherited(run: RunConfig) -> dict[str, str]:
    return {name: value for name, value in (run.labels or {}).items() if not name.startswith("run.cog.")}
