"""From a manifest to the image it stands for, for whoever wants to know what was pushed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cogyard.domain.blobs import BlobStore
from cogyard.domain.values import Account
from cogyard.registry.errors import ManifestInvalidError
from cogyard.registry.manifests import PLATFORM, ParsedManifest, parse_manifest
from cogyard.registry.ports import Manifests, Push

MAX_CONFIG = 16 << 20
"""Bytes of an image's configuration, which holds the model's schema and package list."""

SCHEMA_LABEL = "run.cog.openapi_schema"


class _RunConfig(msgspec.Struct, rename={"labels": "Labels"}):
    labels: dict[str, str] | None = None


class _Config(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    config: _RunConfig | None = None


async def image_content(
    repositories: Manifests, blobs: BlobStore, repository: str, digest: str
) -> tuple[bytes, Mapping[str, Any]]:
    """Return (manifest bytes, config) of an image, for those who run it. Raises KeyError when there is none."""
    stored = await repositories.manifest(repository, digest)
    parsed = parse_manifest(stored.content, stored.media_type) if stored else None
    if parsed is None or parsed.config is None:
        raise KeyError(digest)
    config: Mapping[str, Any] = msgspec.json.decode(await read_config(blobs, parsed))
    return parsed.content, config


async def describe_push(
    blobs: BlobStore,
    parsed: ParsedManifest,
    *,
    repository: str,
    account: Account,
    tag: str | None,
    index: str | None = None,
) -> Push | None:
    """Read what an image says of itself; None for what is no image. All its blobs must be there.

    Raises ManifestInvalidError for what cannot be read, so that nothing unusable becomes visible.
    """
    if not parsed.is_image:
        return None
    data = await read_config(blobs, parsed)
    try:
        config = msgspec.json.decode(data, type=_Config)
        plain = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalidError(f"The image's config is not valid: {error}.") from error
    labels = (config.config.labels if config.config else None) or {}
    _check_schema(labels)
    return Push(
        repository=repository,
        account=account,
        digest=parsed.digest,
        media_type=parsed.media_type,
        manifest=parsed.json,
        config=plain,
        labels=labels,
        size=parsed.size,
        platform=f"{config.os}/{config.architecture}",
        tag=tag,
        index=index,
    )


def worth_telling(push: Push) -> bool:
    """Whether a push is for our hosts or has a name.

    The parts of an index come before it, by digest and without a tag; those for other machines stay silent.
    """
    return push.tag is not None or push.platform == "/".join(PLATFORM)


async def read_config(blobs: BlobStore, parsed: ParsedManifest) -> bytes:
    """Return the configuration that a manifest names. Raises ManifestInvalidError; KeyError when it is not there."""
    config = parsed.config
    if config is None:
        raise ManifestInvalidError("An image manifest must have a config.")
    if config.size > MAX_CONFIG:
        raise ManifestInvalidError(f"The image's config has {config.size} bytes; the limit is {MAX_CONFIG}.")
    return b"".join([chunk async for chunk in blobs.read(config.digest)])


def _check_schema(labels: Mapping[str, str]) -> None:
    text = labels.get(SCHEMA_LABEL)
    if text is None:
        return
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ManifestInvalidError(f"The image's label {SCHEMA_LABEL} is not JSON: {error}.") from error
    if not isinstance(schema, dict):
        raise ManifestInvalidError(f"The image's label {SCHEMA_LABEL} is not a JSON object.")
