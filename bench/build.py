"""Building and pushing an image, against docker build and docker push, alternating in one run on one machine.

    .venv/bin/python bench/build.py [--rounds 3] [--wheel torch-….whl]

Both push to CNCF Distribution's registry, which has the base already (one assembled from Debian's packages), and both
compile bytecode. Docker's Dockerfile is what people write for speed: requirements before source, a cache mount for pip.
Needs root, dockerd with BuildKit, docker-registry, a package index and a Debian mirror. Wall times; for ours also CPU
seconds of the command and its children.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cogyard.image.wheels import fetch
from cogyard.image.wheels.layer import write_wheels
from cogyard.image.wheels.layout import Layout
from cogyard.oci.layer import LayerWriter

COG = Path(sys.executable).parent / "cog"
#: Debian's own command has BuildKit in it; a newer one first in PATH may lack its plugin.
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
PACKAGES = ("numpy==2.2.6", "pillow==11.3.0", "scikit-learn==1.7.2")
NEW = "pandas==2.3.3"
CONFIG = 'build:\n  python_version: "3.11"\n  python_packages: {packages}\npredict: "predict.py:Predictor"\n'
SOURCE = """from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self, text: str) -> str:
        return text
"""
DOCKERFILE = """FROM {base}
COPY pip.whl requirements.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=ca \\
    PIP_CERT=/run/secrets/ca python3 /tmp/pip.whl/pip install --break-system-packages -r /tmp/requirements.txt
WORKDIR /src
COPY . /src
CMD ["python3", "predict.py"]
"""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass
class Side:
    """One of the two ways, and what it took."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, task: str, work: Callable[[], None]) -> None:
        """Do something, and write down what it took."""
        before, begun = os.times(), time.perf_counter()
        work()
        self.seconds.setdefault(task, []).append(time.perf_counter() - begun)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        self.cpu.setdefault(task, []).append(used)


class Place:
    """A folder with a project, caches, a registry and an engine."""

    def __init__(self, folder: Path, registry: str, engine: str) -> None:
        self.folder, self.registry, self.engine = folder, registry, engine
        self.project = folder / "project"
        self.cache = folder / "cache"
        self.project.mkdir()
        self.base = f"{registry}/bench/base:latest"

    def write(self, *packages: str, source: str = SOURCE) -> None:
        """Write the project, for both."""
        (self.project / "cog.yaml").write_text(CONFIG.format(packages=json.dumps(packages)))
        (self.project / "predict.py").write_text(source)
        (self.project / "requirements.txt").write_text("".join(f"{each}\n" for each in packages))
        (self.project / "Dockerfile").write_text(DOCKERFILE.format(base=self.base))
        (self.project / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")

    def cog(self, *arguments: str, cache: Path | None = None) -> str:
        """Run our command in the project."""
        cache = cache or self.cache
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("COG", "DOCKER"))
        }
        environment |= {
            "COGYARD_CACHE_DIR": str(cache), "UV_CACHE_DIR": str(cache / "uv"), "COGYARD_BASE": "assemble",
            "DOCKER_HOST": "unix:///nowhere", "UV_PYTHON_DOWNLOADS": "never",
        }  # fmt: skip
        # Our own modules have bytecode where they are installed.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return run([str(COG), *arguments], self.project, environment)

    def docker(self, *arguments: str) -> str:
        """Run docker in the project."""
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": self.engine}
        return run([DOCKER, *arguments], self.project, environment)

    def ship_ours(self) -> None:
        """Build and push with our command."""
        self.cog("push", f"{self.registry}/bench/ours")

    def ship_theirs(self, *options: str) -> None:
        """Build and push with docker."""
        name = f"{self.registry}/bench/theirs"
        secret = f"id=ca,src={CERTIFICATES}"
        self.docker("build", "--network", "host", "--secret", secret, "--tag", name, *options, ".")
        self.docker("push", name)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a command to its end, and stop the whole measurement when it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def prepare(place: Place) -> None:
    """Assemble the base, have it in the registry and in docker, and remember everything but a build's own work."""
    place.write()
    place.cog("build", "-o", str(place.folder / "base.tar"), "--no-attest")
    place.cog("push", f"{place.registry}/bench/base")
    run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{place.base}",
         f"docker-archive:{place.folder}/base-docker.tar:{place.base}"], place.folder, dict(os.environ))  # fmt: skip
    place.docker("load", "--input", str(place.folder / "base-docker.tar"))
    wheel = next(Path(place.cache).glob("downloads/*/*"), None)
    assert wheel is not None
    pip = ["download", "--no-deps", "--dest", str(place.folder / "pip"), "pip"]
    run([sys.executable, "-m", "uv", "run", "--no-project", "--with", "pip", "python", "-m", "pip", *pip],
        place.folder, dict(os.environ))  # fmt: skip
    shutil.copyfile(next((place.folder / "pip").glob("pip-*.whl")), place.project / "pip.whl")
    (place.project / ".dockerignore").write_text("Dockerfile\n")
    forget(place)
    shutil.copytree(place.cache, place.folder / "template", symlinks=True)


def forget(place: Place) -> None:
    """Forget all that builds made and fetched, but not the base."""
    names = (
        "layers",
        "downloads",
        "bytecode",
        "locks",
        "uv",
        "wheels",
        "built-wheels",
        "selected",
        "tested",
        "installed",
    )
    for name in names:
        shutil.rmtree(place.cache / name, ignore_errors=True)


def cold(place: Place) -> None:
    """Begin as after an installation: the base is here and in the registry, nothing else."""
    shutil.rmtree(place.cache)
    shutil.copytree(place.folder / "template", place.cache, symlinks=True)
    place.docker("builder", "prune", "--all", "--force")


def warm(place: Place) -> None:
    """Have the wheel of a package that is not part of the project yet, on both sides."""
    place.write(*PACKAGES, NEW)
    other = place.folder / "other"
    shutil.copytree(place.folder / "template", other, symlinks=True)
    place.cog("build", "--no-attest", cache=other)
    shutil.copytree(other / "downloads", place.cache / "downloads", dirs_exist_ok=True)
    shutil.copytree(other / "uv", place.cache / "uv", dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(other)
    place.ship_theirs()
    place.write(*PACKAGES)
    place.ship_theirs()


def measure(place: Place, ours: Side, theirs: Side, rounds: int, *, only_edits: bool) -> None:
    """Take turns at each task."""
    for number in range(rounds):
        if not only_edits:
            large(place, ours, theirs, number)
        edits(place, ours, theirs, number)


def large(place: Place, ours: Side, theirs: Side, number: int) -> None:
    """Measure what fetches and compiles packages."""
    place.write(*PACKAGES)
    place.project.joinpath("predict.py").write_text(f"{SOURCE}# cold {number}\n")
    cold(place)
    ours.measure("cold build", place.ship_ours)
    theirs.measure("cold build", lambda: place.ship_theirs("--no-cache"))
    warm(place)
    place.write(*PACKAGES, NEW, source=f"{SOURCE}# new {number}\n")
    ours.measure("new dependency", place.ship_ours)
    # Docker has built these requirements when its package cache was warmed.
    place.project.joinpath("requirements.txt").write_text(
        "".join(f"{each}\n" for each in (*PACKAGES, NEW)) + f"# {number} {time.time()}\n"
    )
    theirs.measure("new dependency", place.ship_theirs)


def edits(place: Place, ours: Side, theirs: Side, number: int) -> None:
    """Measure one-line edits, after a first build that is not measured."""
    place.write(*PACKAGES)
    for edit in range(11):
        place.project.joinpath("predict.py").write_text(f"{SOURCE}# edit {number} {edit}\n")
        if edit:
            ours.measure("one-line edit", place.ship_ours)
            theirs.measure("one-line edit", place.ship_theirs)
        else:
            place.ship_ours()
            place.ship_theirs()


class Nowhere:
    """Bytes that go nowhere."""

    def write(self, data: bytes) -> None:
        """Take them."""


def wheel_cpu(path: Path) -> None:
    """Tell the CPU seconds of a wheel becoming a layer, and of gzip -6 over the same files."""
    wheel, layout = fetch.local(path), Layout(root="opt/cog/model", python="3.11")
    results = {}
    diff_id: str | None = None
    for name in ("first time", "diffID known"):
        begun = time.process_time()
        layer = LayerWriter(Nowhere(), diff_id=diff_id)
        write_wheels(layer, layout, [wheel])
        summary = layer.finish()
        results[name] = time.process_time() - begun
        diff_id = summary.diff_id
    before = os.times()
    with subprocess.Popen(["gzip", "-6"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as gzip:
        assert gzip.stdin is not None
        with zipfile.ZipFile(path) as source, tarfile.open(fileobj=gzip.stdin, mode="w|") as out:
            for member in source.infolist():
                info = tarfile.TarInfo(member.filename)
                info.size = member.file_size
                out.addfile(info, io.BytesIO(source.read(member)))
        gzip.stdin.close()
    after = os.times()
    packed = after.children_user + after.children_system - before.children_user - before.children_system
    print(
        f"\n{path.name}: {summary.size / 1e6:.0f} MB, {summary.plain_size / 1e6:.0f} MB unpacked, CPU seconds"
    )
    print(f"| gzip -6 | {packed:.2f} | |")
    for name, seconds in results.items():
        print(f"| rewrapped, {name} | {seconds:.2f} | {seconds / packed:.3f}x |")


@contextlib.contextmanager
def services(folder: Path, running: str | None) -> Iterator[tuple[str, str]]:
    """Run a registry, and a Docker engine unless one is `running`; give HOST:PORT and the engine's address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "registry.yml").write_text(json.dumps(config))
    engine = running or f"unix://{folder}/d.sock"
    daemon = [
        "dockerd",
        "--data-root",
        str(folder / "data"),
        "--exec-root",
        str(folder / "exec"),
        "-H",
        engine,
    ]
    daemon += ["-p", str(folder / "d.pid"), "--insecure-registry", "127.0.0.0/8"]
    commands = [["docker-registry", "serve", str(folder / "registry.yml")], *([] if running else [daemon])]
    quiet = subprocess.DEVNULL
    processes = [subprocess.Popen(each, stdout=quiet, stderr=quiet) for each in commands]
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([DOCKER, "-H", engine, "version"], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise SystemExit("dockerd does not start; another one may run in this network namespace")
            time.sleep(0.3)
        yield f"127.0.0.1:{port}", engine
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


def find_wheel() -> Path | None:
    """Return a torch wheel of a folder that pip finds links in."""
    for place in os.environ.get("PIP_FIND_LINKS", "").split():
        for path in sorted(Path(place).glob("torch-*.whl")) if Path(place).is_dir() else ():
            return path
    return None


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wheel", type=Path, default=find_wheel())
    parser.add_argument(
        "--engine", help="the address of a Docker engine that runs, instead of one of our own"
    )
    parser.add_argument("--only-wheel", action="store_true")
    parser.add_argument("--only-edits", action="store_true")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    if not arguments.only_wheel:
        ours, theirs = Side("cogyard"), Side("docker")
        with tempfile.TemporaryDirectory(prefix="cogyard-bench-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with services(folder, arguments.engine) as (registry, engine):
                place = Place(folder, registry, engine)
                prepare(place)
                measure(place, ours, theirs, arguments.rounds, only_edits=arguments.only_edits)
        print(
            "| to pushed, s | cogyard | docker build + push | ratio | cogyard's CPU s |\n|---|---|---|---|---|"
        )
        for task, taken in ours.seconds.items():
            one, two = statistics.median(taken), statistics.median(theirs.seconds[task])
            cpu = statistics.median(ours.cpu[task])
            print(f"| {task} | {one:.2f} | {two:.2f} | {two / one:.1f}x | {cpu:.2f} |")
    if arguments.wheel is None:
        print("no large wheel: name one with --wheel")
    else:
        wheel_cpu(arguments.wheel)


if __name__ == "__main__":
    main()
