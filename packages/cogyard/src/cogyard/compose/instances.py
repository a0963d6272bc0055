"""The instances' side of the platform: the runtime that this machine has, and the fleet that uses it."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher

from cogyard.compose.datadir import DataDir
from cogyard.compose.gates import UnixGates
from cogyard.compose.given import GivenImages
from cogyard.compose.keeping import KeptOutputs
from cogyard.compose.machine import gpu_pools, instance_memory, machine
from cogyard.compose.parts import Kept, make_work
from cogyard.compose.registry import PushedImages
from cogyard.compose.runtimes import Choice, Offer, choose
from cogyard.compose.settings import Settings, SettingsError
from cogyard.compose.skus import gpu_kinds, too_large
from cogyard.engine import Client, EngineError, find
from cogyard.features.services import Services
from cogyard.fleet.local import LocalFleet
from cogyard.instances.cgroups import Cgroups
from cogyard.instances.docker import DockerImages, DockerOptions, DockerRuntime, end_orphans, unfit
from cogyard.instances.engine_info import EngineInfo, read_info
from cogyard.instances.environments import UvEnvironments
from cogyard.instances.gate import App, Gate, Offers
from cogyard.instances.gpus import find_gpus
from cogyard.instances.host import HostOptions
from cogyard.instances.layers import LayerCache
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.probe import SandboxSupport, probe_sandbox
from cogyard.instances.process import ProcessOptions, ProcessRuntime
from cogyard.instances.quiet import Quiet, QuietRuntime
from cogyard.instances.sandbox import SandboxOptions, SandboxRuntime
from cogyard.instances.server import HttpModelServer
from cogyard.instances.unpack import AsRoot
from cogyard.instances.weights import WeightsCache
from cogyard.weights.files import WeightFiles

_log = logging.getLogger("cogyard.instances")

#: The model server says itself when setup() took too long, with its logs; the host's own limit is a backstop.
_BACKSTOP = 15.0


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a runtime is built on."""

    kept: Kept
    services: Services
    settings: Settings
    folder: DataDir
    #: Where model servers on this machine's network reach the platform.
    base: str
    #: The platform's own application.
    application: App
    #: When something that is unpacked may go.
    quiet: Quiet = field(default_factory=Quiet)

    @property
    def images(self) -> PushedImages:
        """Where runtimes find what they run."""
        return PushedImages(self.services.versions.store, self.kept.repositories, self.kept.images)

    @property
    def weights(self) -> WeightsCache:
        """What gives runtimes the weights beside an image."""
        return WeightsCache(WeightFiles(self.folder.weights), self.kept.images, self.images)

    @property
    def input_hosts(self) -> tuple[str, ...]:
        """List the private addresses that inputs may name: the platform's own, by all its names, and the operator's."""
        port = self.base.rpartition(":")[2]
        public = urlsplit(self.settings.public_url).netloc if self.settings.public_url else ""
        ours = (urlsplit(self.base).netloc, f"localhost:{port}", public)
        return tuple(dict.fromkeys(host for host in (*ours, *self.settings.input_hosts) if host))


def make_fleet(ground: Ground) -> tuple[LocalFleet, Choice]:
    """Choose a runtime and make the fleet over it. Blocks a moment; raises RuntimeMissingError and SettingsError."""
    kinds = gpu_pools(find_gpus(ground.settings.cdi_spec_dirs), gpu_kinds(ground.settings.hardware))
    if lack := too_large(ground.settings.hardware, machine(kinds)):
        raise SettingsError(
            f"hardware: {lack} that this machine has for models.",
            hint="Make the kind smaller, or leave it out: an instance of it could never start.",
        )
    choice = choose(
        ground.settings.runtime,
        {
            "sandbox": partial(_sandbox_offer, ground),
            "docker": partial(_docker_offer, ground),
            "process": lambda: Offer(make=partial(_process, ground)),
        },
    )
    choice = replace(choice, runtime=QuietRuntime(choice.runtime, ground.quiet))
    fleet = LocalFleet(
        runtime=choice.runtime,
        work=make_work(ground.kept, ground.services, ground.folder, quota=ground.settings.registry_quota),
        options=HostOptions(setup_timeout=ground.settings.setup_timeout + _BACKSTOP),
        connect=HttpModelServer,
        gpus=kinds,
    )
    return fleet, choice


def make_given(ground: Ground, fleet: LocalFleet, choice: Choice) -> GivenImages | None:
    """Return what takes images back from Docker, where instances run in it."""
    client = find("docker") if choice.name == "docker" else None
    if client is None:
        return None
    return GivenImages(
        images=DockerImages(client=client, mark=ground.folder.mark),
        versions=ground.services.versions.store,
        quiet=ground.quiet,
        running=fleet.deployables,
    )


def _process(ground: Ground) -> ProcessRuntime:
    folder, settings = ground.folder, ground.settings
    groups = Cgroups.find() if settings.hardware else None
    if groups is not None:
        groups.clean(folder.mark)
    elif settings.hardware:
        _log.warning("processes_not_limited", extra={"reason": "no control groups can be made here"})
    options = ProcessOptions(
        root=folder.instances,
        sockets=folder.sockets,
        home=folder.home,
        mark=folder.mark,
        base=ground.base,
        input_hosts=ground.input_hosts,
        setup_timeout=settings.setup_timeout,
        gpus=find_gpus(settings.cdi_spec_dirs),
        cgroups=groups,
    )
    return ProcessRuntime(
        options,
        ground.images,
        LayerCache(folder.layers, ground.kept.images),
        UvEnvironments(),
        ground.weights,
    )


def _sandbox_offer(ground: Ground) -> Offer:
    support = probe_sandbox()
    return Offer(reason=support.reason, make=partial(_sandbox, ground, support))


def _sandbox(ground: Ground, support: SandboxSupport) -> SandboxRuntime:
    folder, settings = ground.folder, ground.settings
    offers = Offers()
    fetcher = Fetcher(AddressRule.parse(",".join(settings.input_hosts)))
    groups = Cgroups.find()
    if groups is not None:
        groups.clean(folder.mark)
    if unfiltered := support.unfiltered or ("" if settings.sandbox_seccomp else "sandbox_seccomp is off"):
        _log.warning("sandboxes_unfiltered", extra={"reason": unfiltered})
    gpus = find_gpus(settings.cdi_spec_dirs)
    for line in (*([gpus.problem] if gpus.problem else []), *gpus.left_out):
        _log.warning("gpus_incomplete", extra={"reason": line})
    options = SandboxOptions(
        wholes=folder.roots,
        sockets=folder.sockets,
        mark=folder.mark,
        base=ground.base,
        offer=offers.add,
        keep=KeptOutputs(ground.application).keep,
        user=support.user,
        overlay=support.overlay,
        network=settings.sandbox_network,
        input_hosts=ground.input_hosts,
        setup_timeout=settings.setup_timeout,
        limits=instance_limits(settings),
        cgroups=groups,
        filter=support.filter if settings.sandbox_seccomp else b"",
        gpus=gpus,
        bubblewrap=support.bubblewrap,
    )
    layers = LayerCache(folder.image_layers, ground.kept.images, as_root=AsRoot(owner=support.user))
    gates = UnixGates(Gate(offers, fetcher, ground.application))
    return SandboxRuntime(options, ground.images, layers, gates, ground.weights)


def _docker_offer(ground: Ground) -> Offer:
    try:
        client = find("docker")
        reason = "there is no Docker engine" if client is None else unfit(client, os.environ)
    except EngineError as error:
        client, reason = None, error.message
    return Offer(reason=reason, make=lambda: _docker(ground, cast("Client", client)))


def _docker(ground: Ground, client: Client) -> DockerRuntime:
    folder, settings = ground.folder, ground.settings
    with suppress(EngineError):
        end_orphans(client, folder.mark)
    offers = Offers()
    fetcher = Fetcher(AddressRule.parse(",".join(settings.input_hosts)))
    options = DockerOptions(
        client=client,
        sockets=folder.sockets,
        scratch=folder.instances,
        mark=folder.mark,
        offer=offers.add,
        keep=KeptOutputs(ground.application).keep,
        network=settings.sandbox_network,
        input_hosts=ground.input_hosts,
        setup_timeout=settings.setup_timeout,
        limits=instance_limits(settings),
        gpus=settings.docker_gpus,
        names=find_gpus(settings.cdi_spec_dirs).names,
        info=_info(client),
    )
    gates = UnixGates(Gate(offers, fetcher, ground.application))
    return DockerRuntime(options, ground.images, ground.kept.images, gates, ground.weights)


def _info(client: Client) -> EngineInfo:
    """Ask an engine about itself; one that does not say gets nothing asked of it."""
    with suppress(EngineError, ValueError, OSError):
        said = json.loads(client.call("info", "--format", "{{json .}}").stdout)
        return read_info(said, Path("/proc/self/mounts").read_text("utf-8", "replace"))
    return EngineInfo()


def instance_limits(settings: Settings) -> InstanceLimits:
    """Return what one instance may use: this machine's share, unless the operator says otherwise."""
    return InstanceLimits(
        memory=instance_memory(settings.max_instances),
        cpus=float(os.cpu_count() or 1),
        scratch=settings.sandbox_scratch,
    )
