"""The docker runtime: a version's image as a container of this machine's Docker engine; GPUs by its NVIDIA runtime.

Theory of operation: the engine is given the image from our own storage, once. A container has no network, no capability
and the instance's limits; predictions come in and files go out by Unix sockets in folders that are mounted, through the
same relay as in a sandbox. The client runs attached: its output is the container's, its end the container's end. Its
stdin is a pipe of ours, which closes when the platform is gone: then the relay ends everything. What outlives even that
carries a label, by which the next platform finds it.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cogyard.domain.blobs import BlobStore
from cogyard.domain.capacity import NOTHING, UNCOUNTED, Grant
from cogyard.engine import Client, EngineError
from cogyard.engine.client import last_line
from cogyard.instances.disk import overrun
from cogyard.instances.engine_info import EngineInfo
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.image import Image, find_runnable
from cogyard.instances.inside import FOLDER, GATE_BASE, GATE_SOCKET, RELAY, RELAY_FILE, arrange
from cogyard.instances.layers import blob_file
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.orphans import MARK, kill_marked
from cogyard.instances.reach import GatedReach, Keep, Reach, file_inputs
from cogyard.instances.running import RunningProcess
from cogyard.instances.runtime import Progress, silent
from cogyard.instances.sandbox import GateKeeper
from cogyard.instances.weights import NoWeights, Placed, WeightsOf
from cogyard.instances.work import VersionSource

#: Tells whose a container is: `<platform>/<instance>`.
LABEL = "run.cog.instance"
#: What images are called in the engine; the tag is the version, and whose it is: several platforms may share an engine.
NAME = "cogyard/version"
_INLET = f"{FOLDER}/in"
_SOCKET = "model.sock"
#: Of an image's environment the engine takes care; these are ours to say.
_SAID = frozenset({"PYTHONUNBUFFERED", "PORT", "COG_INPUT_HOSTS", MARK})


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerOptions:
    """Where instances keep their sockets, and what they may use."""

    client: Client
    sockets: Path
    #: Where parts of an image are while it is given to the engine; the next platform empties it.
    scratch: Path
    mark: str
    offer: Callable[[str], str]
    keep: Keep
    network: bool = False
    input_hosts: tuple[str, ...] = ()
    setup_timeout: float = 600.0
    limits: InstanceLimits = field(default_factory=InstanceLimits)
    #: What `--gpus` says for kinds of machine that are not listed, such as `all`; None for none.
    gpus: str | None = None
    #: What the engine calls the machine's GPUs; where it is not known, by their places.
    names: tuple[str, ...] = ()
    info: EngineInfo = field(default_factory=EngineInfo)
    #: Seconds between two looks at what a container has written, where the engine does not limit it.
    disk_pause: float = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerImages:
    """The images that a platform of this mark has given to an engine."""

    client: Client
    mark: str

    def name(self, version: str) -> str:
        """Return what a version's image is called."""
        return f"{NAME}:{version}-{self.mark}"

    def given(self) -> frozenset[str]:
        """Return the versions whose images the engine has from us. Blocks; raises EngineError."""
        listed = self.client.call("image", "ls", "--format", "{{.Tag}}", NAME)
        if listed.returncode != 0:
            raise EngineError(f"{self.client.name} did not list its images: {last_line(listed.stderr)}")
        parts = [tag.rpartition("-") for tag in listed.stdout.split()]
        return frozenset(version for version, _, mark in parts if version and mark == self.mark)

    def take_back(self, version: str) -> bool:
        """Remove a version's image; False where a container alone still has it. Blocks; raises EngineError."""
        return self.client.call("image", "rm", self.name(version)).returncode == 0


class DockerRuntime:
    """Run versions in containers."""

    name = "docker"
    isolated = True

    def __init__(
        self,
        options: DockerOptions,
        versions: VersionSource,
        blobs: BlobStore,
        gates: GateKeeper,
        weights: WeightsOf | None = None,
    ) -> None:
        self._options = options
        self._versions = versions
        self._blobs = blobs
        self._gates = gates
        self._weights = weights or NoWeights()
        self._one_by_one = asyncio.Lock()

    async def prepare(self, version: str, *, progress: Progress = silent) -> PreparedDocker:
        """Give the engine the image unless it has it. Raises ImageRefusedError or PrepareFailedError."""
        image = await find_runnable(self._versions, version)
        weights = await self._weights.place(image, progress)
        client = self._options.client
        name = DockerImages(client=client, mark=self._options.mark).name(version)
        try:
            async with self._one_by_one:
                if await asyncio.to_thread(client.image, name) is None:
                    progress("giving the image to Docker")
                    await self._give(version, name, image)
        except EngineError as error:
            raise PrepareFailedError(
                f"Docker did not take the image of version {version}: {error.message}", hint=error.hint
            ) from error
        return PreparedDocker(
            options=self._options, image=image, name=name, gates=self._gates, weights=weights
        )

    async def _give(self, version: str, name: str, image: Image) -> None:
        manifest, _ = await self._versions.manifest(version)
        config = str(json.loads(manifest)["config"]["digest"])
        with tempfile.TemporaryDirectory(prefix="giving-", dir=self._options.scratch) as folder:
            digests = dict.fromkeys([config, *(layer.digest for layer in image.layers)])
            files = {digest: await blob_file(self._blobs, digest, Path(folder)) for digest in digests}
            layers = [layer.digest for layer in image.layers]
            await asyncio.to_thread(
                self._options.client.load, lambda out: _archive(out, name, config, layers, files)
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedDocker:
    """A version whose image the engine has."""

    options: DockerOptions
    image: Image
    name: str
    gates: GateKeeper
    weights: tuple[Placed, ...] = ()

    @property
    def slots(self) -> int:
        """How many predictions one instance runs at once."""
        return self.image.slots

    @property
    def reach(self) -> Reach:
        """How its model servers reach the platform: always through a gate."""
        keep = None if self.image.is_ours else self.options.keep
        return GatedReach(GATE_BASE, self.options.offer, file_inputs(self.image.schema), keep)

    async def start(self, instance: str, grant: Grant = UNCOUNTED) -> RunningProcess:
        """Start a model server in a container of its own. Raises PrepareFailedError."""
        left = _Left(self.options, instance)
        try:
            await asyncio.to_thread(left.make)
            left.close_gate = await self.gates.open(left.gate)
            process = await asyncio.create_subprocess_exec(
                str(self.options.client.program),
                *self.arguments(left, grant),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException as error:
            await left.tidy()
            if isinstance(error, OSError):
                raise PrepareFailedError(
                    f"The container of instance {instance} could not be started: {error.strerror}."
                ) from error
            raise
        limit = self.options.limits.within(grant).scratch
        watched = not self.options.info.limits_disk
        return RunningProcess(
            process,
            address=f"unix:{left.socket}",
            ask=left.ask,
            tidy=left.tidy,
            fault=overrun(left.written, limit, pause=self.options.disk_pause) if watched else None,
        )

    def _names(self, grant: Grant) -> list[str]:
        names = self.options.names
        return [names[place] if place < len(names) else str(place) for place in grant.devices]

    def arguments(self, left: _Left, grant: Grant = UNCOUNTED) -> list[str]:
        """Return the words after `docker`."""
        options, limits = self.options, self.options.limits.within(grant)
        # Where kinds of machine are listed, one without GPUs has none: they may be another instance's.
        uncounted = grant.resources == NOTHING and options.gpus is not None
        gpus = ["--gpus", str(options.gpus)] if uncounted else options.info.gpus(self._names(grant))
        inside = arrange(
            self.image,
            listen=f"{_INLET}/{_SOCKET}",
            gated=True,
            input_hosts=options.input_hosts,
            # By the relay: an engine refuses to start what asks for more than it has itself.
            limits={"nofile": limits.files, "core": 0},
            setup_timeout=options.setup_timeout,
            mark=left.mark,
            tied=True,
        )
        networked = options.network and self.image.asks_for_network
        words = ["run", "--rm", "--interactive", "--name", left.name, "--label", f"{LABEL}={left.mark}"]
        words += ["--network", "bridge" if networked else "none"]
        words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pull", "never"]
        words += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)]
        # What it prints is kept by us, as much as is wanted; the engine's own copy would grow without end.
        words += ["--log-driver", "none", *options.info.disk(limits.scratch)]
        words += ["--pids-limit", str(limits.processes)]
        words += ["--shm-size", str(min(limits.scratch, 1 << 30))]
        words += ["--cpus", f"{limits.cpus:g}"] if limits.cpus is not None else []
        words += gpus
        words += ["--volume", f"{left.folder}:{_INLET}", "--volume", f"{left.gate}:{GATE_SOCKET}"]
        words += ["--volume", f"{RELAY_FILE}:{RELAY}:ro"]
        for each in self.weights:
            words += ["--volume", f"{each.folder}:{each.target}:ro"]
        for name, value in inside.environment.items():
            words += ["--env", f"{name}={value}"] if name in _SAID else []
        program, *rest = inside.command
        return [*words, "--entrypoint", program, self.name, *rest]


class _Left:
    """What an instance leaves outside of its container: the container itself, sockets, a gate."""

    def __init__(self, options: DockerOptions, instance: str) -> None:
        self._client = options.client
        self.mark = f"{options.mark}/{instance}"
        self.name = f"cogyard-{options.mark}-{instance}"
        self.folder = options.sockets / f"{instance}.in"
        self.socket = self.folder / _SOCKET
        self.gate = options.sockets / f"{instance}.gate"
        self.close_gate: Callable[[], Awaitable[None]] | None = None

    def make(self) -> None:
        """Make the folder of the inlet, where a container's user may write, whoever that is."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir()
        self.folder.chmod(0o777)

    async def written(self) -> int | None:
        """Return how many bytes the container has written to its own layer; None while the engine does not know."""
        with suppress(EngineError, ValueError):
            said = await asyncio.to_thread(
                self._client.call, "container", "inspect", "--size", "--format", "{{.SizeRw}}", self.name
            )
            return int(said.stdout)
        return None

    async def ask(self) -> None:
        """Ask the container to end: the relay passes the signal on."""
        with suppress(EngineError):
            await asyncio.to_thread(self._client.call, "kill", "--signal", "TERM", self.name)

    async def tidy(self) -> None:
        """Remove it all; may be called twice."""
        with suppress(EngineError):
            await asyncio.to_thread(self._client.call, "rm", "--force", self.name)
        await asyncio.to_thread(kill_marked, self.mark)
        if self.close_gate is not None:
            await self.close_gate()
        self.gate.unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


def end_orphans(client: Client, mark: str) -> int:
    """Remove containers that an earlier platform of this mark left; return how many. Raises EngineError."""
    found = client.call("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}")
    ours = [each for each in found.stdout.split() if _label(client, each).startswith(f"{mark}/")]
    for each in ours:
        client.call("rm", "--force", each)
    return len(ours)


def unfit(client: Client, environment: Mapping[str, str]) -> str | None:
    """Say why a client's engine can't run instances, or None: it must be on this machine, to share its sockets."""
    host = (
        environment.get("DOCKER_HOST")
        or client.call("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
    )
    return None if host.startswith("unix://") else f"its engine is on another machine ({host or 'unknown'})"


def _label(client: Client, container: str) -> str:
    said = client.call("inspect", "--format", '{{index .Config.Labels "' + LABEL + '"}}', container)
    return said.stdout.strip()


def _archive(out: IO[bytes], name: str, config: str, layers: list[str], files: Mapping[str, Path]) -> None:
    """Write what `docker load` reads: a list of one image, its config, its layers as they are."""
    entry = {"Config": _place(config), "RepoTags": [name], "Layers": [_place(layer) for layer in layers]}
    with tarfile.open(fileobj=out, mode="w|") as archive:
        document = json.dumps([entry]).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(document)
        archive.addfile(info, io.BytesIO(document))
        for digest, path in files.items():
            info = tarfile.TarInfo(_place(digest))
            info.size = os.path.getsize(path)  # noqa: PTH202 - the same, shorter
            with path.open("rb") as content:
                archive.addfile(info, content)


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
