"""The process runtime: a version as ordinary processes of this machine.

Theory of operation: the image's `source` and `weights` layers become a project folder, its lock becomes an
environment made by uv, and our own interpreter runs the model server over both. Nothing of the image's base is
used, so it runs on any machine where the lock installs. It is **not isolated**: the model runs as the operator's
user and sees what that user sees. It is for one's own machine and one's own models.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import cog_server

from cogyard.domain.capacity import NOTHING, UNCOUNTED, Grant
from cogyard.instances.cgroups import Cgroups, Group
from cogyard.instances.errors import ImageRefusedError, PrepareFailedError
from cogyard.instances.gpus import Gpus
from cogyard.instances.image import Image, find_image
from cogyard.instances.layers import Layers
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.orphans import MARK, kill_marked
from cogyard.instances.places import Places
from cogyard.instances.reach import DirectReach, Reach
from cogyard.instances.running import RunningProcess
from cogyard.instances.runtime import Progress, silent
from cogyard.instances.tree import assemble, share
from cogyard.instances.weights import NoWeights, Placed, WeightsOf
from cogyard.instances.work import VersionSource
from cogyard.weights.paths import in_project

#: Where the lock stands in an image (spec/image.md).
LOCK = "opt/cog/pylock.toml"

#: Of our own environment, what a model needs to reach the network and its GPUs; never our settings or secrets.
_PASSED_ON = (
    "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
#: Of the image's environment, what speaks of the image's own file system or of settings given as arguments.
_IMAGE_ONLY = frozenset({"PATH", "HOME", "TMPDIR", "HOST", "PORT", "PYTHONHOME", "VIRTUAL_ENV", MARK})
_KEPT_COG = frozenset({"COG_WEIGHTS", "COG_LOG_LEVEL"})

#: Linux's limit for a Unix socket's path is 108 bytes with its end.
MAX_SOCKET_PATH = 104


class Environments(Protocol):
    """Makes the Python environment of a lock."""

    def make(self, lock: str, *, python: str, platform: str | None, progress: Progress) -> Path:
        """Return the environment's Python; takes long the first time. Runs in a thread."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessOptions:
    """Where instances keep their files, and what their model servers may reach."""

    #: Each instance has a folder below it while it lives.
    root: Path
    #: A folder with a short path, for sockets.
    sockets: Path
    #: HOME of the models, shared, so that what one downloads is there for the next.
    home: Path
    #: Says whose processes these are; see `orphans`.
    mark: str
    #: Where model servers reach the platform, such as `http://127.0.0.1:8000`.
    base: str
    #: `host:port` of private addresses that inputs may name; the platform's own among them.
    input_hosts: tuple[str, ...] = ()
    setup_timeout: float = 600.0
    #: What there is to be granted.
    gpus: Gpus = field(default_factory=Gpus)
    #: What holds an instance to what it was granted; without it nothing does.
    cgroups: Cgroups | None = None
    interpreter: Path = field(default_factory=lambda: Path(sys.executable))


class ProcessRuntime:
    """Run versions as processes of the operator's user."""

    name = "process"
    isolated = False

    def __init__(
        self,
        options: ProcessOptions,
        versions: VersionSource,
        layers: Layers,
        environments: Environments,
        weights: WeightsOf | None = None,
    ) -> None:
        self._options = options
        self._versions = versions
        self._layers = layers
        self._environments = environments
        self._weights = weights or NoWeights()

    async def prepare(self, version: str, *, progress: Progress = silent) -> PreparedProcess:
        """Unpack what is needed and make the environment; both are shared and kept.

        Raises ImageRefusedError or PrepareFailedError.
        """
        image = await find_image(self._versions, version)
        locks = image.of_kind("lock")
        if not locks:
            raise ImageRefusedError(
                f"Version {version} has no lock of its Python environment, so it can't run without containers.",
                hint="Build and push it with this project's `cog build`, or use the sandbox or docker runtime.",
            )
        weights = await self._weights.place(image, progress)
        for each in weights:
            if in_project(each.target) is None:
                raise ImageRefusedError(
                    f"Version {version} has its weights {each.name} at {each.target}, and an ordinary process "
                    "has no such folder of its own.",
                    hint="Use the sandbox or docker runtime, or a target below /src in cog.yaml.",
                )
        progress("unpacking layers")
        lock_folder = await self._layers.folder(locks[-1])
        parts = [
            (await self._layers.folder(layer), layer.kind == "weights")
            for layer in image.of_kind("source", "weights")
        ]
        python = await asyncio.to_thread(self._environment, image, lock_folder / LOCK, progress)
        return PreparedProcess(
            options=self._options, image=image, parts=tuple(parts), python=python, weights=weights
        )

    def _environment(self, image: Image, lock: Path, progress: Progress) -> Path:
        if lock.is_symlink() or not lock.is_file():
            raise ImageRefusedError(f"The lock layer of version {image.version} holds no {LOCK}.")
        if image.python_version is None:
            raise ImageRefusedError(f"Version {image.version} does not say which Python it needs.")
        return self._environments.make(
            lock.read_text("utf-8", errors="replace"),
            python=image.python_version,
            platform=None,
            progress=progress,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedProcess:
    """A version whose files and environment are here."""

    options: ProcessOptions
    image: Image
    parts: tuple[tuple[Path, bool], ...]
    python: Path
    weights: tuple[Placed, ...] = ()

    @property
    def slots(self) -> int:
        """How many predictions one instance runs at once."""
        return self.image.slots

    @property
    def reach(self) -> Reach:
        """How its model servers reach the platform: over the network, as whatever else."""
        return DirectReach(self.options.base, places(self.options, self.python))

    async def start(self, instance: str, grant: Grant = UNCOUNTED) -> RunningProcess:
        """Start a model server in a folder of its own. Raises PrepareFailedError."""
        folder = self.options.root / instance
        socket = self.options.sockets / f"{instance}.sock"
        if len(os.fsencode(socket)) > MAX_SOCKET_PATH:
            raise PrepareFailedError(f"The socket's path {socket} is longer than {MAX_SOCKET_PATH} bytes.")
        group: Group | None = None
        try:
            await asyncio.to_thread(self._lay_out, folder)
            group = self._group(instance, grant)
            process = await asyncio.create_subprocess_exec(
                *self._command(folder / "project", socket, group),
                cwd=folder / "project",
                env={**self._environ(folder, instance), **_devices(grant, self.options.gpus)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if group is not None:
                group.remove()
            if isinstance(error, OSError):
                raise PrepareFailedError(
                    f"The model server of instance {instance} could not be started: {error.strerror}."
                ) from error
            raise
        return RunningProcess(
            process,
            address=f"unix:{socket}",
            tidy=partial(asyncio.to_thread, self._tidy, folder, socket, instance, group),
        )

    def _group(self, instance: str, grant: Grant) -> Group | None:
        """Make the control group that holds an instance to its kind of hardware; none where nothing is counted."""
        if self.options.cgroups is None or grant.resources == NOTHING:
            return None
        return self.options.cgroups.make(f"{self.options.mark}-{instance}", InstanceLimits().within(grant))

    def _tidy(self, folder: Path, socket: Path, instance: str, group: Group | None) -> None:
        # The workers lead groups of their own and end when the server does; what they started may not.
        kill_marked(f"{self.options.mark}/{instance}")
        if group is not None:
            group.remove()
        shutil.rmtree(folder, ignore_errors=True)
        socket.unlink(missing_ok=True)

    def _lay_out(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "tmp").mkdir()
        self.options.home.mkdir(parents=True, exist_ok=True)
        self.options.sockets.mkdir(parents=True, exist_ok=True)
        assemble(self.parts, folder / "project")
        for each in self.weights:
            share(each.folder, folder / "project", in_project(each.target) or "")

    def _command(self, project: Path, socket: Path, group: Group | None) -> list[str]:
        options, groups = self.options, os.pathsep.join(group.procs if group is not None else ())
        command = [
            str(options.interpreter), "-I", "-m", "cogyard.instances.launcher", str(os.getpid()), groups,
            "--uds", str(socket), "--exit-on-stdin-close",
            "--project", str(project), "--python", str(self.python),
            "--setup-timeout", f"{options.setup_timeout:g}",
        ]  # fmt: skip
        if self.image.ref:
            command += ["--ref", self.image.ref]
        if self.image.train_ref:
            command += ["--train-ref", self.image.train_ref]
        if self.slots > 1:
            command += ["--concurrency", str(self.slots)]
        if options.input_hosts:
            command += ["--input-hosts", ",".join(options.input_hosts)]
        return command

    def _environ(self, folder: Path, instance: str) -> Mapping[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            **passed,
            **{name: value for name, value in self.image.env.items() if _for_model(name)},
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.options.home),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONUNBUFFERED": "1",
            # The platform itself is never behind a proxy of the operator's.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), _no_proxy()),
            MARK: f"{self.options.mark}/{instance}",
        }


def places(options: ProcessOptions, python: Path) -> Places:
    """Return what this machine's folders are called before callers: the places that they have in an image."""
    environment, interpreter = python.parent.parent, python.resolve().parent.parent
    named = [
        (options.root / "*" / "project", "/src"),
        (options.root / "*" / "tmp", "/tmp"),  # noqa: S108 - inside
        (options.home, "/root"),
        (environment, "/opt/cog/model"),
        (Path(cog_server.__file__).parent, "/opt/cog/server/cog_server"),
    ]
    if not interpreter.is_relative_to("/usr"):  # There the machine's own is, and an image's too.
        named.append((interpreter, "/usr/local"))
    # A traceback may have either path where a folder above is a link.
    both = [(str(real), name) for path, name in named for real in (path.absolute(), path.resolve())]
    return Places(tuple(dict.fromkeys(both)))


def _devices(grant: Grant, gpus: Gpus) -> dict[str, str]:
    """Say which GPUs are the instance's; where kinds are listed, one without any is told that it has none."""
    return {} if grant.resources == NOTHING else {"CUDA_VISIBLE_DEVICES": gpus.visible(grant.devices)}


def _no_proxy() -> str:
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return ",".join(part for part in (given, "127.0.0.1", "localhost", "::1") if part)


def _for_model(name: str) -> bool:
    """Say whether a variable of the image concerns the model and not the image's file system."""
    if name in _IMAGE_ONLY or name.startswith("LD_"):
        return False
    return not name.startswith("COG_") or name in _KEPT_COG
