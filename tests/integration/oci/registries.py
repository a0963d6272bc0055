"""Registries that really listen, and an image to send there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference

from tests.integration.registry.conftest import registry

__all__ = ["registry"]
CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def distribution(tmp_path: Path) -> Iterator[str]:
    """Run CNCF Distribution's registry; give its HOST:PORT."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        configuration = tmp_path / "config.yml"
        configuration.write_text(CONFIGURATION.format(folder=tmp_path / "registry", port=port))
        process = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if _listening(process, port):
                yield f"127.0.0.1:{port}"
                return
        finally:
            process.terminate()
            process.wait(20)
    pytest.fail("docker-registry did not start")


def _listening(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


@pytest.fixture(params=["distribution", "ours"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give HOST:PORT of a registry without the referrers API, and of one with it."""
    if request.param == "ours":
        yield request.getfixturevalue("registry").host
    else:
        yield request.getfixturevalue("distribution")


def client(host: str) -> RegistryClient:
    """Connect as alice; who that is, only ours wants to know."""
    return RegistryClient(host, credential=Credential(username="alice", password="cyd_alice"))


def put_image(store: ImageStore, name: str = "hello", *, content: bytes | None = None) -> StoredImage:
    """Keep an image of two layers under a name; the first has this content, or some megabytes."""
    contents = [content or os.urandom(3 << 20), b"small"]
    layers = [
        Descriptor(media_type=LAYER_GZIP, digest=store.write(each), size=len(each)) for each in contents
    ]
    config = encode(
        ImageConfig(
            architecture="amd64",
            os="linux",
            rootfs=RootFs(diff_ids=[of(each) for each in contents]),
            config=RunConfig(labels={"run.cog.openapi_schema": json.dumps({"openapi": "3.0.2"})}),
        )
    )
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=layers), MANIFEST
    )
    store.write(data)
    store.tag(Reference.parse(name), descriptor)
    return store.image(Reference.parse(name))
