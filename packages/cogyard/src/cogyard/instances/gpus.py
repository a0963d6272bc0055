"""Find this machine's GPUs, and what an instance needs to use some of them: by CDI specs, or by looking around.

Theory of operation: where a CDI spec has NVIDIA's devices, it says what they need. Where none has, the driver's nodes
in /dev and its libraries, which ldconfig knows, are taken. GPUs are numbered as the driver numbers them; an instance
gets whole ones, or whole slices of those that are cut into slices. Inside, CUDA counts only what it can open, so there
its devices are 0, 1, … whichever they are outside.
"""

from __future__ import annotations

import platform
import re
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cogyard.instances.cdi import Spec, SpecError, access, numbered, read_spec
from cogyard.instances.devices import Access
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpu_names import MODELS, Gpu, chosen, list_slices, read_models, read_slices, summary

#: The folders that CDI names; what is in the second goes before what is in the first.
SPEC_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
#: Where libraries are shown that no spec has a place for.
_LIBRARIES = "/run/cogyard-gpu/lib"
_ENDINGS = (".json", ".yaml", ".yml")
_NODE = re.compile(r"nvidia(\d+)")
_SHARED_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
#: The driver's own libraries for computing and video; those of CUDA itself are the image's.
_DRIVER = re.compile(r"lib(cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[a-z0-9-]+)\.so[.0-9]*")
_LISTED = re.compile(r"\s*(?P<name>\S+) \((?P<kind>[^)]*)\) => (?P<path>/\S+)")
_KINDS = {"x86_64": "x86-64", "aarch64": "AArch64"}
_LDCONFIG = ("/sbin/ldconfig", "/usr/sbin/ldconfig")
_SECONDS = 10.0
_GENERATE = "Make the spec again: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpus:
    """The GPUs of a machine, and the way that sandboxes get them."""

    #: In the order of their names; what is granted are places in it.
    all: tuple[Gpu, ...] = ()
    specs: tuple[Spec, ...] = ()
    found: Access = field(default_factory=Access)
    folder: Path = Path("/dev")
    #: Why there is something and it can't be used; empty when all is well.
    problem: str = ""

    @property
    def way(self) -> str:
        """Say how GPUs reach sandboxes; empty when there are none."""
        if not self.all:
            return ""
        names = sorted({spec.name for spec in self.specs if numbered([spec])})
        how = (
            f"the CDI spec {', '.join(names)}" if names else "the driver's nodes and libraries (no CDI spec)"
        )
        kinds = f" ({summary(self.all)})" if summary(self.all) else ""
        return f"{len(self.all)}{kinds} by {how}"

    @property
    def names(self) -> tuple[str, ...]:
        """The driver's names, which engines know too."""
        return tuple(gpu.name for gpu in self.all)

    def visible(self, places: Sequence[int]) -> str:
        """Return what CUDA_VISIBLE_DEVICES says to a process that could open all of them."""
        found = [self.all[place] if place < len(self.all) else Gpu(str(place)) for place in places]
        # CUDA counts in an order of its own, the fastest first, and does not count slices at all.
        named = all(gpu.uuid for gpu in found)
        return ",".join(gpu.uuid if named else gpu.name for gpu in found)

    @property
    def left_out(self) -> tuple[str, ...]:
        """List what the specs ask for and sandboxes do without, a line each."""
        every = [edits for spec in self.specs for edits in (spec.always, *spec.devices.values())]
        return tuple(dict.fromkeys(line for edits in every for line in edits.skipped))

    def access(self, places: Sequence[int]) -> Access:
        """Return what an instance with these GPUs needs; places in `all`. Blocks; raises PrepareFailedError."""
        try:
            given = [self.all[place] for place in places]
            names = [gpu.name for gpu in given]
            wanted = access(self.specs, names) if self.specs else self._looked_up(names)
        except (IndexError, SpecError) as error:
            raise PrepareFailedError(f"The GPUs can't be handed on: {error}.", hint=_GENERATE) from error
        wanted = wanted + Access(links=tuple(_sonames(wanted.shown)))
        if missing := next(_missing(wanted), None):
            raise PrepareFailedError(f"The GPUs can't be handed on: {missing}.", hint=_GENERATE)
        # Specs say `void` there, for an engine that would act on it; a model reads which ones it has.
        told = {"NVIDIA_VISIBLE_DEVICES": ",".join(names)}
        if any(gpu.is_slice for gpu in given):
            # Slices are counted by nobody: without their names CUDA takes the one that it can open.
            told |= {"CUDA_VISIBLE_DEVICES": self.visible(places)} if all(gpu.uuid for gpu in given) else {}
        else:
            told["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, range(len(given))))
        return replace(wanted, environment={**wanted.environment, **told})

    def _looked_up(self, names: Sequence[str]) -> Access:
        nodes = [(str(self.folder / f"nvidia{name}"), f"/dev/nvidia{name}") for name in names]
        return self.found + Access(nodes=tuple(nodes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """Where the driver tells of itself; a test has places of its own."""

    devices: Path = Path("/dev")
    models: Path = MODELS
    #: What `ldconfig -p` says.
    libraries: Callable[[], str] = lambda: _listing()  # noqa: PLW0108 - it stands below
    #: What `nvidia-smi -L` says.
    slices: Callable[[], str] = list_slices


def find_gpus(folders: Sequence[Path] = SPEC_FOLDERS, driver: Driver = Driver()) -> Gpus:
    """Look for CDI specs, then for the driver. Blocks a moment."""
    specs, problem = [], ""
    for folder in folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.suffix in _ENDINGS:
                try:
                    specs.append(read_spec(str(path), path.read_text("utf-8", "replace")))
                except (OSError, SpecError) as error:
                    problem = str(error)
    models = read_models(driver.models)
    if names := numbered(specs):
        slices = read_slices(driver.slices()) if any(":" in name for name in names) else {}
        found = tuple(slices.get(name) or _whole(name, specs, models) for name in names)
        return Gpus(all=found, specs=tuple(specs), problem=problem)
    nodes = (_NODE.fullmatch(path.name) for path in driver.devices.glob("nvidia*"))
    if not (here := chosen(match[1] for match in nodes if match)):
        return Gpus(problem=problem)
    return _without_spec(here, models, driver, problem)


def _without_spec(here: Sequence[str], models: Mapping[str, Gpu], driver: Driver, problem: str) -> Gpus:
    folder = driver.devices
    shared = [(str(folder / name), f"/dev/{name}") for name in _SHARED_NODES if (folder / name).exists()]
    libraries = driver_libraries(driver.libraries(), platform.machine())
    if "libcuda.so.1" not in libraries:
        problem = "the driver's libcuda.so.1 is not among the libraries that ldconfig lists"
    elif cut := read_slices(driver.slices()):
        problem = (
            f"a GPU is cut into slices ({', '.join(sorted(cut))}), which instances get by a CDI spec alone"
        )
    shown = [(path, f"{_LIBRARIES}/{name}") for name, path in sorted(libraries.items())]
    return Gpus(
        all=tuple(models.get(name, Gpu(name)) for name in here),
        found=Access(nodes=tuple(shared), shown=tuple(shown), libraries=(_LIBRARIES,)),
        folder=folder,
        problem=problem,
    )


def _whole(name: str, specs: Sequence[Spec], models: Mapping[str, Gpu]) -> Gpu:
    """Return a GPU of a spec with what the driver says of its node: the two may number them differently."""
    for _, inside in access(specs, [name]).nodes if ":" not in name else ():
        match = _NODE.fullmatch(Path(inside).name)
        if match and match[1] in models:
            return replace(models[match[1]], name=name)
    return Gpu(name)


def driver_libraries(listing: str, machine: str) -> dict[str, str]:
    """Return the driver's libraries for a kind of machine from what `ldconfig -p` says: name to path."""
    kind = _KINDS.get(machine, "")
    found: dict[str, str] = {}
    for line in listing.splitlines():
        match = _LISTED.fullmatch(line)
        if match and _DRIVER.fullmatch(match["name"]) and kind in match["kind"].split(","):
            found.setdefault(match["name"], match["path"])
    return found


def _listing() -> str:
    program = next((each for each in _LDCONFIG if Path(each).exists()), "ldconfig")
    try:
        done = subprocess.run(
            [program, "-p"], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _sonames(shown: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the links by which programs know a library (`libcuda.so.1`), as they lie beside it outside."""
    for outside, inside in shown:
        path = Path(outside)
        if ".so" not in path.name:
            continue
        for beside in path.parent.glob(f"{path.name.partition('.so')[0]}.so*"):
            if (
                beside.is_symlink()
                and beside.name != Path(inside).name
                and beside.resolve() == path.resolve()
            ):
                yield Path(inside).name, str(Path(inside).parent / beside.name)


def _missing(wanted: Access) -> Iterator[str]:
    for outside, _ in wanted.nodes:
        try:
            kind = Path(outside).stat().st_mode
        except OSError:
            yield f"the device {outside} is not here"
            continue
        if not stat.S_ISCHR(kind):
            yield f"{outside} is not a device"
    for outside, _ in wanted.shown:
        if not Path(outside).exists():
            yield f"{outside} is not here"
