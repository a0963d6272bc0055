"""A sandbox runtime for tests, where this machine allows one."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import pytest
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher
from cogyard.compose.gates import UnixGates
from cogyard.instances.cgroups import Cgroups
from cogyard.instances.gate import App, Gate, Offers
from cogyard.instances.gpus import Gpus
from cogyard.instances.layers import LayerCache
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.probe import SandboxSupport, probe_sandbox
from cogyard.instances.reach import Keep
from cogyard.instances.sandbox import SandboxOptions, SandboxRuntime
from cogyard.instances.unpack import AsRoot
from cogyard.instances.weights import WeightsOf
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import TestImage, TestVersions

from tests.marks import mark_of

support = functools.cache(probe_sandbox)
groups = functools.cache(Cgroups.find)
#: What images are made of is the same for all tests, and large.
_BLOBS = MemoryBlobs()
_kept: set[str] = set()


def supported() -> SandboxSupport:
    """Return what this machine allows, or skip the test with the reason."""
    found = support()
    if found.reason is not None:
        pytest.skip(f"no sandboxes here: {found.reason}")
    return found


async def sandbox_runtime(
    folder: Path,
    *images: TestImage,
    layers: Path | None = None,
    overlay: bool = True,
    network: bool = False,
    limits: InstanceLimits | None = None,
    grouped: bool = True,
    platform: App | None = None,
    input_hosts: tuple[str, ...] = (),
    keep: Keep | None = None,
    weights: WeightsOf | None = None,
    filtered: bool = True,
    gpus: Gpus | None = None,
) -> SandboxRuntime:
    """Make one over blobs in memory; `platform` answers behind its gates."""
    found = supported()
    if overlay and not found.overlay:
        pytest.skip("this kernel lets nobody mount an overlay")
    for image in images:
        if image.digest not in _kept:
            await image.put(_BLOBS)
            _kept.add(image.digest)
    layers = layers or folder / "layers"
    roots = layers.with_name(f"{layers.name}-roots")
    for each in (folder, layers, roots):
        _make(each)
    offers = Offers()
    options = SandboxOptions(
        wholes=roots,
        sockets=folder / "s",
        mark=mark_of(folder),
        base="http://127.0.0.1:1",
        offer=offers.add,
        keep=keep or keep_nothing,
        user=found.user,
        overlay=overlay,
        network=network,
        setup_timeout=30,
        limits=limits or replace(InstanceLimits(), memory=2 << 30, scratch=256 << 20),
        cgroups=groups() if grouped else None,
        filter=found.filter if filtered else b"",
        gpus=gpus or Gpus(),
        bubblewrap=found.bubblewrap,
    )
    fetcher = Fetcher(AddressRule.parse(",".join(input_hosts)))
    gates = UnixGates(Gate(offers, fetcher, platform or nothing))
    cache = LayerCache(layers, _BLOBS, as_root=AsRoot(owner=found.user))
    return SandboxRuntime(options, TestVersions(*images), cache, gates, weights)


def _make(folder: Path) -> None:
    folder.mkdir(exist_ok=True)


async def nothing(scope: object, receive: object, send: object) -> None:
    """Answer nobody."""
    raise AssertionError("nobody asks the platform in this test")


async def keep_nothing(lease: str, url: str) -> str:
    """Keep no file."""
    raise AssertionError(f"{url[:40]} was to be kept for {lease}")
