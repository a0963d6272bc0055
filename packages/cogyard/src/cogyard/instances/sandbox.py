"""The sandbox runtime: a version's own image, in namespaces made by bubblewrap.

Theory of operation: the image's layers are unpacked once each and shared; an instance sees them as one root, by
overlayfs, with what it writes in memory. It has processes, users, names and a network of its own, and that network
leads nowhere: predictions come in over a socket that is handed to its first process, files over the gate (`gate.py`).
Nothing of the machine is to be seen. No root is needed, and root's power is given up before anything of the image runs
(`enclose.py`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.cgroups import Cgroups, Group
from cogyard.instances.devices import Access
from cogyard.instances.enclose import NODES, ROOT, SHARED, Enclosure
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpus import Gpus
from cogyard.instances.image import Image, find_runnable
from cogyard.instances.inside import GATE_BASE, GATE_SOCKET, RELAY, RELAY_FILE, arrange
from cogyard.instances.layers import Layers
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.orphans import MARK, kill_marked
from cogyard.instances.reach import DirectReach, GatedReach, Keep, Reach, file_inputs
from cogyard.instances.running import RunningProcess
from cogyard.instances.runtime import Progress, silent
from cogyard.instances.server import shut_down
from cogyard.instances.weights import NoWeights, Placed, WeightsOf
from cogyard.instances.whole import compose
from cogyard.instances.work import VersionSource

#: Folders that models write to, where the root itself can't be written.
_WRITABLE = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - inside
_RESOLVER = ("/etc/resolv.conf", "/etc/resolv.conf")
_BACKLOG = 128


class GateKeeper(Protocol):
    """Opens gates: sockets behind which the platform's `gate.Gate` answers."""

    async def open(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Listen on a Unix socket; what is returned closes it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxOptions:
    """Where instances keep their files, and what they may use."""

    #: Whole roots, where there is no overlayfs.
    wholes: Path
    #: A folder with a short path, for sockets.
    sockets: Path
    #: Says whose processes these are; see `orphans`.
    mark: str
    #: Where a model server with a network reaches the platform.
    base: str
    #: Makes an address elsewhere a path behind the gate.
    offer: Callable[[str], str]
    #: Stores what a server answers with as data URLs.
    keep: Keep
    #: Who root becomes, who owns the unpacked layers; None when we are not root.
    user: int | None = None
    overlay: bool = True
    #: Whether the operator lets models that ask have the machine's network.
    network: bool = False
    input_hosts: tuple[str, ...] = ()
    setup_timeout: float = 600.0
    limits: InstanceLimits = field(default_factory=InstanceLimits)
    cgroups: Cgroups | None = None
    #: What decides over system calls inside (`seccomp.sandbox_filter`); empty for nothing.
    filter: bytes = b""
    #: What of them instances may be given.
    gpus: Gpus = field(default_factory=Gpus)
    bubblewrap: str = "/usr/bin/bwrap"
    interpreter: Path = field(default_factory=lambda: Path(sys.executable))


class SandboxRuntime:
    """Run versions in sandboxes."""

    name = "sandbox"
    isolated = True

    def __init__(
        self,
        options: SandboxOptions,
        versions: VersionSource,
        layers: Layers,
        gates: GateKeeper,
        weights: WeightsOf | None = None,
    ) -> None:
        self._options = options
        self._versions = versions
        self._layers = layers
        self._gates = gates
        self._weights = weights or NoWeights()

    async def prepare(self, version: str, *, progress: Progress = silent) -> PreparedSandbox:
        """Unpack the layers that are not here yet. Raises ImageRefusedError or PrepareFailedError."""
        image = await find_runnable(self._versions, version)
        networked = image.asks_for_network and self._options.network
        if image.asks_for_network and not networked:
            progress("the model asks for the network, which the operator does not allow: it runs without")
        weights = await self._weights.place(image, progress)
        progress("unpacking layers")
        # One after another: unpacking is processor work, and the first ones are usually here.
        folders = [await self._layers.folder(layer) for layer in image.layers]
        if not self._options.overlay:
            progress("putting the root together")
            folders = [await self._whole(version, folders, [each.target for each in weights])]
        return PreparedSandbox(
            options=self._options,
            image=image,
            folders=tuple(folders),
            networked=networked,
            gates=self._gates,
            weights=weights,
        )

    async def _whole(self, version: str, folders: list[Path], places: list[str]) -> Path:
        target = self._options.wholes / version
        try:
            await asyncio.to_thread(compose, folders, target, places)
        except OSError as error:
            raise PrepareFailedError(
                f"The root of version {version} could not be put together: {error.strerror}."
            ) from error
        return target


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedSandbox:
    """A version whose layers are here."""

    options: SandboxOptions
    image: Image
    folders: tuple[Path, ...]
    networked: bool
    gates: GateKeeper
    weights: tuple[Placed, ...] = ()

    @property
    def slots(self) -> int:
        """How many predictions one instance runs at once."""
        return self.image.slots

    @property
    def reach(self) -> Reach:
        """How its model servers reach the platform: through a gate, unless they have a network."""
        if self.networked:
            return DirectReach(self.options.base)
        keep = None if self.image.is_ours else self.options.keep
        return GatedReach(GATE_BASE, self.options.offer, file_inputs(self.image.schema), keep)

    async def start(self, instance: str, grant: Grant = UNCOUNTED) -> RunningProcess:
        """Start a model server in a sandbox of its own, with just the GPUs it was given. Raises PrepareFailedError."""
        access = await self._access(grant)
        limits = self.options.limits.within(grant)
        left = _Left(self.options, instance)
        try:
            self.options.sockets.mkdir(parents=True, exist_ok=True)
            if self.options.cgroups is not None:
                left.group = self.options.cgroups.make(left.name, limits)
            if not self.networked:
                left.close_gate = await self.gates.open(left.gate)
            with closing(_listening(left.inlet)) as listening:
                process = await self._spawn(listening, left, limits, access)
        except BaseException as error:
            await left.tidy()
            if isinstance(error, OSError):
                raise PrepareFailedError(
                    f"The sandbox of instance {instance} could not be started: {error.strerror}."
                ) from error
            raise
        address = f"unix:{left.inlet}"
        return RunningProcess(process, address=address, ask=partial(shut_down, address), tidy=left.tidy)

    async def _access(self, grant: Grant) -> Access:
        if not grant.devices:
            return Access()
        if not self.options.overlay:
            raise PrepareFailedError(
                "This model's hardware has GPUs, and their libraries can't be shown where there is no overlayfs.",
                hint="The operator may start the platform as root, or with `--runtime docker`.",
            )
        return await asyncio.to_thread(self.options.gpus.access, grant.devices)

    async def _spawn(
        self, listening: socket.socket, left: _Left, limits: InstanceLimits, access: Access
    ) -> asyncio.subprocess.Process:
        options = self.options
        handle = listening.fileno()
        inside = arrange(
            self.image,
            listen=f"fd:{handle}",
            gated=not self.networked,
            input_hosts=options.input_hosts,
            limits=limits.for_process(grouped=left.group is not None),
            setup_timeout=options.setup_timeout,
            mark=left.mark,
            home="/root" if options.overlay else "/tmp",  # noqa: S108 - inside
        )
        shown = [*access.shown, *((str(each.folder), each.target) for each in self.weights)]
        shown += [(str(RELAY_FILE), RELAY)]
        shown += [_RESOLVER] if self.networked else [(str(left.gate), GATE_SOCKET)]
        enclosure = Enclosure(
            parent=os.getpid(),
            layers=tuple(str(folder) for folder in self.folders),
            overlay=options.overlay,
            scratch=min(limits.scratch, limits.memory),
            shown=tuple(shown),
            nodes=tuple(outside for outside, _ in access.nodes),
            links=access.links,
            members=access.groups,
            writable=_WRITABLE,
            user=options.user,
            groups=left.group.procs if left.group is not None else (),
            filter=options.filter.hex(),
            program=options.bubblewrap,
            command=inside.command,
            arguments=bubblewrap(
                access.variables(inside.environment),
                folder=self.image.working_dir,
                networked=self.networked,
                nodes=tuple(inside for _, inside in access.nodes),
            ),
        )
        return await spawn(enclosure, options.interpreter, keep=(handle,), mark=left.mark)


class _Left:
    """What an instance leaves outside of its sandbox: two sockets, a gate, a control group, its mark."""

    def __init__(self, options: SandboxOptions, instance: str) -> None:
        self.mark = f"{options.mark}/{instance}"
        self.name = f"{options.mark}-{instance}"
        self.inlet = options.sockets / f"{instance}.sock"
        self.gate = options.sockets / f"{instance}.gate"
        self.group: Group | None = None
        self.close_gate: Callable[[], Awaitable[None]] | None = None

    async def tidy(self) -> None:
        """Remove it; may be called twice."""
        await asyncio.to_thread(kill_marked, self.mark)
        if self.close_gate is not None:
            await self.close_gate()
        if self.group is not None:
            await asyncio.to_thread(self.group.remove)
        self.inlet.unlink(missing_ok=True)
        self.gate.unlink(missing_ok=True)


def bubblewrap(
    environment: Mapping[str, str],
    *,
    folder: str,
    networked: bool,
    nodes: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return bubblewrap's arguments for a root at `enclose.ROOT`; `nodes` are devices, in the order of `NODES`."""
    words = ["--bind", str(ROOT), "/", "--proc", "/proc", "--dev", "/dev"]
    for number, inside in enumerate(nodes):
        words += ["--dev-bind", str(NODES / str(number)), inside]
    # A part of what the model may write in all; else it could fill the machine's memory there.
    words += ["--bind", str(SHARED), "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - inside
    words += ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if networked else ["--unshare-net"]
    words += ["--disable-userns", "--uid", "0", "--gid", "0", "--cap-drop", "ALL", "--hostname", "model"]
    words += ["--die-with-parent", "--new-session", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return (*words, "--chdir", folder)


async def spawn(
    enclosure: Enclosure, interpreter: Path, *, keep: tuple[int, ...] = (), mark: str
) -> asyncio.subprocess.Process:
    """Start a process that becomes the sandbox; `keep` are descriptors that it gets. Raises OSError."""
    with os.fdopen(os.memfd_create("enclosure"), "w+b") as document:
        document.write(enclosure.dump())
        document.flush()
        document.seek(0)
        return await asyncio.create_subprocess_exec(
            str(interpreter), "-I", "-m", "cogyard.instances.enclose", str(document.fileno()),
            pass_fds=(document.fileno(), *keep),
            # Nothing of ours, and nothing of the image's either: it would speak to programs that run outside.
            env={MARK: mark, "PATH": os.defpath},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def _listening(path: Path) -> socket.socket:
    """Listen at a path; connections that come before the model server does wait there."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
