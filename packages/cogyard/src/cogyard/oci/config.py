"""An image's configuration: how it runs, its labels, and what its layers unpack to."""

from __future__ import annotations

import msgspec

from cogyard.oci.digest import Digest


class RunConfig(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "user": "User",
        "exposed_ports": "ExposedPorts",
        "env": "Env",
        "entrypoint": "Entrypoint",
        "cmd": "Cmd",
        "volumes": "Volumes",
        "working_dir": "WorkingDir",
        "labels": "Labels",
        "stop_signal": "StopSignal",
    },
):
    """What a container of the image starts with, unless it is told otherwise."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of the layers' tar streams, uncompressed, lowest first."""

    type: str = "layers"
    diff_ids: list[Digest] = []


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one layer came from, for people."""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool = False


class ImageConfig(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"os_version": "os.version"}
):
    """The configuration document of one image."""

    architecture: str
    os: str
    rootfs: RootFs
    created: str | None = None
    author: str | None = None
    variant: str | None = None
    os_version: str | None = None
    config: RunConfig | None = None
    history: list[History] | None = None

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels; empty when there are none."""
        return (self.config.labels if self.config else None) or {}
