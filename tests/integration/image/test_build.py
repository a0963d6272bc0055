"""A real build: the same bytes twice, one layer for an edit, what installers would install, and it runs."""

from __future__ import annotations

import asyncio
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path, PurePosixPath

import pytest
import uv
from cogyard.image.archive import write_archive
from cogyard.image.engine import Engine
from cogyard.image.push import push
from cogyard.oci.digest import of_file
from cogyard.oci.errors import StoreFullError
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference

from tests.docker import Docker
from tests.integration.image.conftest import Built
from tests.integration.oci.registries import distribution
from tests.small_disk import small_disk

__all__ = ["distribution"]

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.xdist_group("images")]
SITE = PurePosixPath("opt/cog/model/lib/python3.11/site-packages")


def unpacked(built: Built, *kinds: str) -> dict[str, bytes]:
    """Return the files of the layers of these kinds."""
    found: dict[str, bytes] = {}
    for layer in built.image.layers:
        if layer.kind in kinds:
            data = gzip.decompress(built.store.path(layer.descriptor.digest).read_bytes())
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                found.update(
                    {each.name: file.read() for each in archive if (file := archive.extractfile(each))}
                )
    return found


def test_the_manifest_is_what_the_page_says(built: Built) -> None:
    """Every layer of ours says what it holds; paths, labels and configuration are those of spec/image.md."""
    image = built.store.image(built.image.reference)
    kinds = [(layer.annotations or {}).get("run.cog.layer") for layer in image.manifest.layers]
    assert kinds == [
        None, "server", "bytecode", "packages", "bytecode", "sdk", "bytecode", "lock", "source",
    ]  # fmt: skip
    assert image.config.config is not None
    assert image.config.config.cmd == ["/opt/cog/server/bin/python", "-m", "cog_server"]
    assert image.config.config.working_dir == "/src"
    assert image.config.config.exposed_ports == {"5000/tcp": {}}
    labels = image.config.labels
    assert json.loads(labels["run.cog.config"])["build"]["python_version"] == "3.11"
    schema = json.loads(labels["run.cog.openapi_schema"])
    assert schema["components"]["schemas"]["Input"]["properties"]["text"]["type"] == "string"
    assert labels["run.cog.pip_freeze"] == "docutils==0.21.2\nmarkupsafe==3.0.2"
    files = unpacked(built, "source", "lock")
    assert json.loads(files["src/.cog/openapi_schema.json"]) == schema
    assert set(files) == {
        "src/.cog/openapi_schema.json",
        "src/cog.yaml",
        "src/predict.py",
        "opt/cog/pylock.toml",
    }


def test_the_same_input_gives_the_same_image(built: Built, tmp_path: Path) -> None:
    """An empty store and cache elsewhere, with only the fetched files at hand, end in the same digest."""
    for name in ("debian", "downloads", "locks"):
        shutil.copytree(built.cache / name, tmp_path / name)
    assert built.again(tmp_path).digest == built.image.digest


def test_an_edit_makes_one_layer_quickly(built: Built) -> None:
    """A changed line is one small layer, in well under a second, and undoing it gives the first image again."""
    path = built.folder / "predict.py"
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    try:
        start = time.monotonic()
        edited = built.again()
        seconds = time.monotonic() - start
    finally:
        path.write_text(before)
    assert [layer.kind for layer in edited.layers if layer.made] == ["source"]
    assert edited.digest != built.image.digest
    assert seconds < 1.0 + os.getloadavg()[0]  # a busy machine may take longer, an idle one may not
    assert built.again().digest == built.image.digest


def test_packages_are_as_an_installer_installs_them(built: Built, tmp_path: Path) -> None:
    """The environment holds the files uv would put there, and RECORD lists them with their hashes."""
    target = tmp_path / "installed"
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    command = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "--no-deps",
        "--target",
        str(target),
        "--python-version",
        "3.11",
    ]
    command += ["--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:", "--link-mode", "copy"]
    command += ["--python", shutil.which("python3.11") or "python3", "markupsafe==3.0.2", "docutils==0.21.2"]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    ours = unpacked(built, "package", "packages")
    theirs = {
        str(SITE / path.relative_to(target).as_posix()): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
        and path.name not in {"RECORD", "INSTALLER", "REQUESTED", ".lock"}
        and "bin" not in path.relative_to(target).parts[:1]
    }
    mine = {path: data for path, data in ours.items() if path.startswith(f"{SITE}/")}
    assert {path for path in mine if PurePosixPath(path).name not in {"RECORD", "INSTALLER"}} == set(theirs)
    assert all(mine[path] == data for path, data in theirs.items())
    for path in [each for each in mine if each.endswith(".dist-info/RECORD")]:
        for name, digest, _ in csv.reader(io.StringIO(mine[path].decode())):
            data = ours[os.path.normpath(SITE / name)]
            assert not digest or digest == _record_hash(data)


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_umoci_unpacks_it_and_its_python_runs(built: Built, tmp_path: Path) -> None:
    """Another tool's reading of the layers is a root folder in which model and server import their packages."""
    if shutil.which("umoci") is None or os.geteuid() != 0:
        pytest.skip("umoci is not installed, or this is not root")
    bundle = tmp_path / "bundle"
    source = f"{built.store.root}:{built.image.reference.familiar}"
    subprocess.run(["umoci", "unpack", "--image", source, str(bundle)], check=True, capture_output=True)
    root = str(bundle / "rootfs")
    code = (
        "import importlib.metadata as m, markupsafe._speedups, docutils, cog, ssl, sqlite3\n"
        "assert ssl.create_default_context().get_ca_certs()\n"
        "print(sorted(d.name for d in m.distributions() if all(f.locate().exists() for f in d.files)))"
    )
    assert (
        _inside(root, "/opt/cog/model/bin/python", "-c", code)
        == "['MarkupSafe', 'cogyard-sdk', 'docutils']\n"
    )
    _inside(root, "/opt/cog/server/bin/python", "-c", "import cog_server, uvloop")
    assert _inside(root, "dpkg", "--audit") == ""
    assert "libssl.so" in _inside(root, "ldconfig", "-p")


def _inside(root: str, *command: str) -> str:
    done = subprocess.run(["chroot", root, *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.docker
def test_docker_runs_it(built: Built, docker: Docker, tmp_path: Path) -> None:
    """`docker load` takes the archive, and the container answers POST /predictions on port 5000."""
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        write_archive(built.store, built.store.image(built.image.reference), file)
    loaded = docker("load", "--input", str(archive))
    assert loaded.returncode == 0, loaded.stderr
    name = built.image.reference.familiar
    started = docker("run", "--detach", "--publish", "127.0.0.1::5000", name)
    assert started.returncode == 0, started.stderr
    container = started.stdout.decode().strip()
    try:
        address = docker("port", container, "5000/tcp").stdout.decode().split()[0]
        _ready(f"http://{address}")
        body = json.dumps({"input": {"text": "<you>"}}).encode()
        request = urllib.request.Request(
            f"http://{address}/predictions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["output"] == "hello &lt;you&gt;"
        assert docker("stop", "--time", "20", container).returncode == 0
        state = docker("inspect", container, "--format", "{{.State.ExitCode}}")
        assert state.stdout.strip() == b"0"
    finally:
        docker("rm", "--force", container)


@pytest.mark.docker
def test_docker_pulls_what_was_pushed(built: Built, docker: Docker, distribution: str) -> None:
    """An engine that has never seen the image pulls it from a registry and unpacks every layer."""
    target = Reference.parse(f"{distribution}/me/hello:v1")
    pushed = asyncio.run(push(built.store, built.image.reference, target))
    assert pushed.digest == built.image.digest
    docker("rmi", "--force", built.image.reference.familiar, target.familiar)
    pulled = docker("pull", target.familiar)
    assert pulled.returncode == 0, pulled.stderr
    assert built.image.digest.encode() in pulled.stdout
    code = "import markupsafe, cog; print('imported')"
    done = docker("run", "--rm", target.familiar, "python", "-c", code)
    docker("rmi", "--force", target.familiar)
    assert done.stdout == b"imported\n", done.stderr


@pytest.mark.docker
def test_docker_is_sent_only_what_it_lacks(built: Built, docker: Docker) -> None:
    """Loading the same image again does nothing; an edited one sends its own layer alone."""
    if not docker.host.startswith("unix://"):
        pytest.skip("the Docker engine is not on this machine")
    engine = Engine(socket=Path(docker.host.removeprefix("unix://")))
    image = built.store.image(built.image.reference)
    docker("rmi", "--force", image.name)
    assert engine.load(built.store, image)
    assert not engine.load(built.store, image)
    path = built.folder / "predict.py"
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    hidden = built.store.path(image.manifest.layers[0].digest)
    aside = hidden.with_suffix(".aside")
    try:
        edited = built.store.image(built.again().reference)
        hidden.rename(aside)  # the base's layer cannot be sent now
        assert engine.load(built.store, edited)
        shown = docker("inspect", edited.name, "--format", "{{.Id}}").stdout.decode().strip()
        assert shown == edited.manifest.config.digest
    finally:
        aside.rename(hidden)
        path.write_text(before)
        built.again()


def _ready(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health-check", timeout=5) as answer:
                if json.load(answer)["status"] == "READY":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("the container did not become ready in a minute")


def test_system_packages_are_a_layer(built: Built) -> None:
    """A package and what it needs come into a layer of their own, found by the linker and known to dpkg."""
    config = built.folder / "cog.yaml"
    before = config.read_text()
    config.write_text(
        before.replace("  python_packages", "  system_packages: [libmagic1]\n  python_packages")
    )
    try:
        image = built.again()
        again = built.again()
    finally:
        config.write_text(before)
    system = next(layer for layer in image.layers if layer.kind == "system")
    assert image.digest == again.digest
    assert not any(layer.made for layer in again.layers)
    path = built.store.path(system.descriptor.digest)
    assert of_file(path) == system.descriptor.digest
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as archive:
        names = set(archive.getnames())
        status = archive.extractfile("var/lib/dpkg/status")
        assert status is not None
        text = status.read().decode()
        cache = archive.extractfile("etc/ld.so.cache")
        assert cache is not None
        linked = cache.read()
    assert (
        "usr/lib/x86_64-linux-gnu/libmagic.so.1" in names
        or "usr/lib/aarch64-linux-gnu/libmagic.so.1" in names
    )
    assert "Package: libmagic1\n" in text
    assert "Package: libc6\n" in text
    assert b"libmagic.so.1\0" in linked
    assert b"libc.so.6\0" in linked


def test_a_full_disk_ends_the_build_cleanly(built: Built, tmp_path: Path) -> None:
    """No room is named as that, no half-written file stays, and with room the same build works."""
    with small_disk(tmp_path / "small", "size=24m") as small:
        for name in ("downloads", "locks"):
            shutil.copytree(built.cache / name, small / name)
        with pytest.raises(StoreFullError) as caught:
            built.again(small)
        assert "COGYARD_CACHE_DIR" in (caught.value.hint or "")
        assert ImageStore(small / "images").names() == {}
        assert list(small.rglob("*.part")) == []
        assert list((small / "images" / "tmp").iterdir()) == []
