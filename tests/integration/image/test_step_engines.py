"""Docker's two builders and podman run steps, and images made with and without them agree."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cogyard.engine import Client, builder_of
from cogyard.image.build import BuiltImage, build, order_of
from cogyard.image.make import Making
from cogyard.image.plan import MODEL_ROOT
from cogyard.image.platforms import local_platform
from cogyard.image.prepare import prepare
from cogyard.image.site import Site
from cogyard.image.steps.context import describe, write_context
from cogyard.image.steps.engine import Means, StepEngine
from cogyard.image.steps.layers import Below
from cogyard.oci.layout import ImageStore
from cogyard.project import load_project
from cogyard.testing.steps import StepEngineContract

from tests.docker import Docker
from tests.integration.image.conftest import CONFIG, PREDICT, Built

pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("images"),
]

#: Settings with which podman runs where cgroups are not to be had, as inside another container.
_CONTAINERS = """[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc = ["/usr/sbin/runc", "/usr/bin/runc"]
"""
ENGINES = ["buildkit", "older", "podman"]
Engines = Callable[[str], StepEngine]


@pytest.fixture
def engines(docker: Docker, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Engines:
    """Give a function from one of ENGINES to an engine, which skips where there is none."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.config))

    def find(name: str) -> StepEngine:
        if name == "podman":
            return builder_of(request.getfixturevalue("podman_with_store"), os.environ)
        # Debian's own command builds with BuildKit by itself; a newer one first in PATH may lack its plugin.
        program = Path("/usr/bin/docker") if Path("/usr/bin/docker").exists() else shutil.which("docker")
        client = Client(name="docker", program=Path(str(program)))
        found = builder_of(client, {"DOCKER_BUILDKIT": "1" if name == "buildkit" else "0"})
        if name == "buildkit" and builder_of(client, {}).mounts is False:
            pytest.skip("this docker command has no BuildKit")
        return replace(found, network="host")

    return find


@pytest.fixture(scope="module")
def podman_with_store() -> Iterator[Client]:
    """Give podman with a store that a module's tests share, as they share docker's: filling one takes seconds."""
    # Not below pytest's folder: what podman mounts there would stay in the way of later runs.
    with (
        tempfile.TemporaryDirectory(prefix="cogyard-podman-") as folder,
        pytest.MonkeyPatch.context() as patch,
        podman_client(Path(folder), patch) as client,
    ):
        yield client


@contextmanager
def podman_client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Give podman with a store in `folder` and settings that work where much is not to be had."""
    program = shutil.which("podman")
    if program is None or os.geteuid() != 0 or shutil.which("runc") is None:
        pytest.skip("podman and runc are not installed, or this is not root")
    (folder / "containers.conf").write_text(_CONTAINERS)
    monkeypatch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
    client = Client(name="podman", program=Path(program))
    try:
        for driver in ("overlay", "vfs"):  # the second works anywhere, and copies everything
            storage = f'driver = "{driver}"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/{driver}"\n'
            (folder / "storage.conf").write_text(f"[storage]\n{storage}")
            done = client.call("info")
            if done.returncode == 0:
                yield client
                return
        pytest.skip(f"podman does not work here: {done.stderr[-300:]}")
    finally:
        # It mounts its folder over itself, which nobody could remove otherwise.
        subprocess.run(["umount", str(folder / "overlay" / "overlay")], check=False, capture_output=True)
        subprocess.run(["umount", str(folder / "overlay")], check=False, capture_output=True)


@pytest.mark.parametrize("name", ENGINES)
class TestStepEngines(StepEngineContract):
    @pytest.fixture
    def engine(self, engines: Engines, name: str) -> StepEngine:
        """Give the engine."""
        return engines(name)

    @pytest.fixture
    def site(self, built: Built, tmp_path: Path) -> Site:
        """Work in the store that holds the base, and remember elsewhere."""
        return Site(store=built.store, cache=tmp_path)

    @pytest.fixture
    def below(self, built: Built) -> Below:
        """Stand on the base."""
        base = built.image.base
        layers = [(each.descriptor, each.diff_id) for each in base.layers]
        return Below(architecture=base.architecture, layers=layers, env=base.run.env or [])


@pytest.fixture
def project(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the small project in a folder of its own, with the caches of the session."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "cog.yaml").write_text(CONFIG)
    (tmp_path / "hello" / "predict.py").write_text(PREDICT)
    yield tmp_path / "hello"
    ImageStore(built.cache / "images").prune()


def test_the_builders_agree(built: Built, project: Path, engines: Engines, docker: Docker) -> None:
    """Built directly, with each engine, and by docker from the Dockerfile: the same labels and the same prediction."""
    config = CONFIG.replace("  python_packages", "  system_packages: [libmagic1]\n  python_packages")
    (project / "cog.yaml").write_text(config)
    images = {"direct": build(load_project(project), base="assemble", tag="agree-direct")}
    for name in ENGINES[:2]:
        engine = engines(name)
        means = Means(builder="docker", find=lambda _, found=engine: found)  # type: ignore[misc] # mypy and defaults
        shutil.rmtree(built.cache / "steps", ignore_errors=True)  # each engine is to run them itself
        images[name] = build(load_project(project), base="assemble", tag=f"agree-{name}", means=means)
    labels = {name: _labels(built.store, image) for name, image in images.items()}
    assert labels["buildkit"] == labels["older"] == labels["direct"]
    kinds = {name: sorted(layer.kind for layer in image.layers) for name, image in images.items()}
    assert kinds["buildkit"] == kinds["older"] == kinds["direct"]
    answers = [_predicted(docker, built.store, images[name]) for name in ("direct", "buildkit")]
    assert answers == ["hello &lt;you&gt;"] * 2


@pytest.mark.parametrize("name", ["buildkit", "older"])
def test_a_dockerfile_alone_makes_the_image(
    built: Built, project: Path, engines: Engines, docker: Docker, name: str
) -> None:
    """What `cog debug -o` writes is built by docker without us: the same labels and the same prediction."""
    (project / "cog.yaml").write_text(
        CONFIG.replace("  python_packages", '  run: ["echo made > /made"]\n  python_packages')
    )
    engine, folder = engines(name), project.parent / "context"
    site = Site(store=built.store, cache=built.cache)
    order = order_of(load_project(project), base="assemble", platform=local_platform())
    ready = prepare(order, site, engine=False)
    making = Making(base=ready.base, lock=ready.lock.text, schema=order.schema, epoch=0)
    write_context(folder, describe(order, ready, mounts=engine.mounts), ready, making, site)
    command = [
        "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker",
        "build",
        "--tag",
        "debug-alone",
    ]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if name == "buildkit" else "0"}
    # The one label of several lines is given beside the file, as its first line says.
    freeze = ready.lock.freeze()
    command += ["--network", "host", "--label", f"run.cog.pip_freeze={freeze}", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    config = json.loads(docker("image", "inspect", "debug-alone").stdout)[0]["Config"]
    expected = ready.labels(order, {})
    expected.pop("run.cog.layers")
    assert config["Labels"] == expected
    assert config["Env"] == list(ready.plan.env)
    assert (config["Entrypoint"], config["Cmd"]) == (list(ready.plan.entrypoint), list(ready.plan.cmd))
    try:
        assert _asked(docker, "debug-alone") == "hello &lt;you&gt;"
    finally:
        docker("rmi", "--force", "debug-alone")


@pytest.mark.parametrize("name", ["buildkit", "podman"])
def test_a_secret_is_read_and_stays_out(
    built: Built, project: Path, engines: Engines, tmp_path: Path, name: str
) -> None:
    """A step reads the mounted file; no layer holds it, and neither do labels nor what the build says."""
    secret = "open-sesame-8461"
    (tmp_path / "token").write_text(secret)
    step = '{command: "sha256sum < /run/token > /proof", mounts: [{type: secret, id: token, target: /run/token}]}'
    (project / "cog.yaml").write_text(
        CONFIG.replace("  python_packages", f"  run: [{step}]\n  python_packages")
    )
    engine, heard = engines(name), Heard()
    shutil.rmtree(built.cache / "steps", ignore_errors=True)
    means = Means(find=lambda _: engine, secrets={"token": tmp_path / "token"})
    image = build(load_project(project), base="assemble", tag="secret", means=means, progress=heard)
    whole = b"".join(_plain(built.store, layer.descriptor.digest) for layer in image.layers)
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in whole
    assert secret.encode() not in whole
    assert secret not in json.dumps(_labels(built.store, image)) + "".join(heard.lines)


def test_an_edit_runs_no_step_again(built: Built, project: Path, engines: Engines) -> None:
    """Steps are below the source: an edited line is a new source layer, and the engine is not asked for anything."""
    (project / "cog.yaml").write_text(
        CONFIG.replace("  python_packages", '  run: ["echo made > /made"]\n  python_packages')
    )
    engine = engines("older")
    first = build(load_project(project), base="assemble", tag="edit", means=Means(find=lambda _: engine))
    (project / "predict.py").write_text(PREDICT + "\n# edited\n")
    gone = replace(engine, client=Client(name="docker", program=Path("/nowhere")))  # type: ignore[type-var] # a Builder
    second = build(load_project(project), base="assemble", tag="edit", means=Means(find=lambda _: gone))
    assert [layer.kind for layer in second.layers if layer.made] == ["source"]
    runs = [[layer.diff_id for layer in each.layers if layer.kind == "run"] for each in (first, second)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 1


@pytest.mark.parametrize("name", ENGINES)
def test_what_a_step_installs_is_counted(built: Built, project: Path, engines: Engines, name: str) -> None:
    """By its records in the layer that the engine gives back, as are packages that a step removed."""
    place = f"{MODEL_ROOT}/lib/python3.11/site-packages"
    record = "Metadata-Version: 2.1\\nName: Extra-Words\\nVersion: 1.5\\n"
    steps = [
        f"mkdir -p /{place}/extra_words-1.5.dist-info",
        f"printf '{record}' > /{place}/extra_words-1.5.dist-info/METADATA",
        f"rm -r /{place}/docutils-0.21.2.dist-info",
    ]
    lines = "".join(f"    - {json.dumps(step)}\n" for step in steps)
    (project / "cog.yaml").write_text(
        CONFIG.replace("  python_packages", f"  run:\n{lines}  python_packages")
    )
    engine = engines(name)
    shutil.rmtree(built.cache / "steps", ignore_errors=True)
    shutil.rmtree(built.cache / "installed", ignore_errors=True)
    image = build(load_project(project), base="assemble", tag="counted", means=Means(find=lambda _: engine))
    frozen = _labels(built.store, image)["run.cog.pip_freeze"].splitlines()
    assert "extra-words==1.5" in frozen
    assert "markupsafe==3.0.2" in frozen
    assert not any(line.startswith("docutils") for line in frozen)


class Heard:
    """Progress that is written down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def done(self, text: str) -> None:
        """Take a line."""
        self.lines.append(text)

    detail = warn = done


def _labels(store: ImageStore, image: BuiltImage) -> dict[str, str]:
    labels = dict(store.image(image.reference).config.labels)
    labels.pop("run.cog.layers")  # diffIDs of layers that an engine made
    return labels


def _plain(store: ImageStore, digest: str) -> bytes:
    import gzip

    return gzip.decompress(store.path(digest).read_bytes())


def _predicted(docker: Docker, store: ImageStore, image: BuiltImage) -> str:
    from cogyard.image.archive import write_archive

    client = Client(name="docker", program=Path(shutil.which("docker") or ""))
    stored = store.image(image.reference)
    client.load(lambda out: write_archive(store, stored, out))
    try:
        return _asked(docker, stored.name)
    finally:
        docker("rmi", "--force", stored.name)


def _asked(docker: Docker, name: str) -> str:
    code = (
        "import json, time, urllib.request as u\n"
        "body = json.dumps({'input': {'text': '<you>'}}).encode()\n"
        "call = u.Request('http://127.0.0.1:5000/predictions', body, {'Content-Type': 'application/json'})\n"
        "for _ in range(300):\n"
        "    try:\n"
        "        print(json.load(u.urlopen(call))['output'])\n"
        "        break\n"
        "    except OSError:\n"
        "        time.sleep(0.1)\n"
    )
    started = docker("run", "--detach", "--network", "none", name)
    assert started.returncode == 0, started.stderr
    container = started.stdout.decode().strip()
    try:
        done = docker("exec", container, "python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()
    finally:
        docker("rm", "--force", container)
