"""images, inspect, diff, pull, save, load, rmi and gc as people call them, over images that no build made."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference

from tests.docker import Docker
from tests.integration.registry.conftest import Running, registry

__all__ = ["registry"]

COG = Path(sys.executable).parent / "cog"
TEXT = {"type": "string"}


@dataclass(frozen=True)
class Machine:
    """A person's machine: a store of images, and the command."""

    home: Path

    @property
    def store(self) -> ImageStore:
        """The images of it."""
        return ImageStore(self.home / "cache" / "images")

    def cog(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run cog."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("COG", "DOCKER", "XDG"))
        }
        own = {"HOME": str(self.home), "COGYARD_CACHE_DIR": str(self.home / "cache"), "NO_COLOR": "1"}
        return subprocess.run(
            [COG, *arguments],
            input=stdin,
            cwd=self.home,
            env={**kept, **own},
            capture_output=True,
            timeout=120,
            check=False,
        )

    def done(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """Run cog, which must go well; return what it printed."""
        ended = self.cog(*arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    def failed(self, *arguments: str | Path, stdin: bytes = b"", status: int = 1) -> str:
        """Run cog, which must refuse in words; return them."""
        ended = self.cog(*arguments, stdin=stdin)
        assert ended.returncode == status, ended.stderr.decode()
        assert (b"Traceback" in ended.stderr, ended.stdout) == (False, b"")
        return ended.stderr.decode()

    def add(
        self,
        name: str,
        layers: list[bytes],
        inputs: dict[str, Any],
        freeze: str = "",
        created: str | None = None,
    ) -> str:
        """Keep an image under a name; return its digest."""
        store = self.store
        schemas = {"Input": {"type": "object", "properties": inputs}, "Output": TEXT}
        labels = {
            "run.cog.openapi_schema": json.dumps({"components": {"schemas": schemas}}),
            "run.cog.pip_freeze": freeze,
            "run.cog.version": "0.1",
        }
        data = encode(
            ImageConfig(
                architecture="amd64",
                os="linux",
                created=created,
                config=RunConfig(labels=labels, cmd=["/serve"]),
                rootfs=RootFs(diff_ids=[of(each) for each in layers]),
            )
        )
        found = [
            Descriptor(
                media_type=LAYER,
                digest=store.write(each),
                size=len(each),
                annotations={"run.cog.layer": "source", "run.cog.layer.title": "code"},
            )
            for each in layers
        ]
        own = Descriptor(media_type=CONFIG, digest=store.write(data), size=len(data))
        descriptor, manifest = describe(
            Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=found), MANIFEST
        )
        store.write(manifest)
        store.tag(Reference.parse(name), descriptor)
        return descriptor.digest


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine with two images of a model."""
    machine = Machine(tmp_path)
    week = (datetime.now(UTC) - timedelta(days=7, hours=1)).isoformat()
    machine.add(
        "model:v1",
        [b"base" * 500, b"old"],
        {"steps": {"type": "integer", "maximum": 9}},
        "numpy==1.0\n",
        week,
    )
    machine.add(
        "model:v2",
        [b"base" * 500, b"newer"],
        {"steps": {"type": "integer", "maximum": 5}, "more": TEXT},
        "numpy==2.0\npillow==11\n",
    )
    return machine


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Give an empty machine."""
    return Machine(tmp_path_factory.mktemp("other"))


def test_images_are_listed_with_size_and_age(machine: Machine, other: Machine) -> None:
    """For people, for machines and for scripts; an image without a time of its own says none."""
    lines = machine.done("images").splitlines()
    assert lines[0].split() == ["NAME", "DIGEST", "SIZE", "CREATED"]
    assert [line.split()[0] for line in lines[1:]] == ["model:v1", "model:v2"]
    assert lines[1].endswith("7 days ago")
    assert lines[2].endswith("-")
    found = json.loads(machine.done("images", "--json"))
    assert {"name", "digest", "size", "created"} == set(found[0])
    assert machine.done("images", "--quiet").split() == ["model:v1", "model:v2"]
    assert other.done("images") == ""


def test_an_image_is_inspected(machine: Machine) -> None:
    """How it starts, layers with sizes, labels with long ones counted, inputs and output; its schema alone."""
    text = machine.done("inspect", "model:v1")
    for words in (
        "starts /serve",
        "2 layers",
        "2.0 kB",
        "run.cog.version  0.1",
        "steps: integer, optional",
        "Output",
    ):
        assert words in text
    assert (
        json.loads(machine.done("inspect", "model:v1", "--schema"))["components"]["schemas"]["Output"] == TEXT
    )
    whole = json.loads(machine.done("inspect", "model:v1", "--json"))
    assert whole["config"]["config"]["Labels"]["run.cog.version"] == "0.1"
    assert "cog images" in machine.failed("inspect", "nothing")


def test_two_images_are_compared(machine: Machine) -> None:
    """What breaks callers and why, packages by version, layers by size; --strict is for scripts."""
    text = machine.done("diff", "model:v1", "model:v2")
    assert "Schema: breaks callers" in text
    assert "✗ input steps: maximum 9, now 5" in text
    assert "· input more: added" in text
    assert "Packages: 1 added, 0 removed, 1 changed" in text
    assert "~ numpy 1.0, now 2.0" in text
    assert "Layers: 1 shared (2.0 kB), 1 new (5 bytes), 1 gone (3 bytes)" in text
    assert machine.cog("diff", "model:v1", "model:v2", "--strict").returncode == 1
    assert machine.cog("diff", "model:v2", "model:v2", "--strict").returncode == 0
    found = json.loads(machine.done("diff", "model:v1", "model:v2", "--json"))
    assert (found["breaking"], len(found["schema"]), len(found["layers"]["added"])) == (True, 2, 1)


def test_a_saved_image_is_loaded_elsewhere(machine: Machine, other: Machine, tmp_path: Path) -> None:
    """By a file and through a pipe, with its digest; by another name where one is given."""
    piped = machine.cog("save", "model:v1")
    assert other.done("load", stdin=piped.stdout).split() == ["model:v1"]
    machine.done("save", "model:v2", "-o", tmp_path / "image.tar")
    assert other.done("load", "-i", tmp_path / "image.tar", "-t", "mine").split() == ["mine:latest"]
    digests = {each["name"]: each["digest"] for each in json.loads(other.done("images", "--json"))}
    expected = {each["name"]: each["digest"] for each in json.loads(machine.done("images", "--json"))}
    assert digests == {"model:v1": expected["model:v1"], "mine:latest": expected["model:v2"]}
    broken = tmp_path / "broken.tar"
    broken.write_bytes((tmp_path / "image.tar").read_bytes()[:1500])
    assert "Error: stdin: the archive holds no image" in other.failed("load", stdin=b"\0" * 10240)
    assert f"Error: {broken}: the archive " in other.failed("load", "-i", broken)
    assert "cannot be read" in other.failed("load", "-i", "nothing.tar", status=2)
    assert "cannot be written" in machine.failed("save", "model:v1", "-o", "/nowhere/x.tar", status=2)


def test_a_removed_image_gives_its_own_layers_back(machine: Machine) -> None:
    """Shared layers stay for the other image; one wrong name removes nothing."""
    assert "nothing" in machine.failed("rmi", "model:v1", "nothing")
    assert len(machine.done("images", "--quiet").split()) == 2
    ended = machine.cog("rmi", "model:v1")
    assert b"Removed model:v1" in ended.stderr
    assert b"came free" in ended.stderr
    assert machine.done("images", "--quiet").split() == ["model:v2"]
    kept = machine.store.image(Reference.parse("model:v2")).manifest
    assert all(machine.store.has(each) for each in [kept.config, *kept.layers])
    assert not machine.store.path(of(b"old")).exists()


def test_garbage_is_removed_and_images_stay(machine: Machine) -> None:
    """Blobs without an image, unpacked layers without one, and downloads when asked."""
    machine.store.write(b"left by a build that was stopped")
    cache = machine.home / "cache"
    used = of(b"old").replace(":", "-")
    for name in (used, f"sha256-{'0' * 64}"):
        (cache / "layers" / name / "sub").mkdir(parents=True)
        (cache / "layers" / name / "sub" / "file").write_text("x" * 100)
    (cache / "layers" / f"sha256-{'0' * 64}" / "sub").chmod(0o500)
    (cache / "downloads").mkdir()
    (cache / "downloads" / "wheel").write_text("x")
    with machine.store.working():
        assert "another command works" in machine.failed("gc")
    assert b"132 bytes came free" in machine.cog("gc").stderr
    assert [each.name for each in (cache / "layers").iterdir()] == [used]
    assert (cache / "downloads" / "wheel").exists()
    assert b"1 bytes came free" in machine.cog("gc", "--downloads").stderr
    assert len(machine.done("images", "--quiet").split()) == 2


@pytest.fixture
def pushed(registry: Running, machine: Machine) -> str:
    """Give the name of an image that is in a registry, and that the machine may pull."""
    name = f"{registry.host}/alice/model"
    machine.done("login", registry.host, "--token-stdin", stdin=b"cyd_alice\n")
    machine.store.tag(Reference.parse(name), machine.store.image(Reference.parse("model:v1")).descriptor)
    program = (
        "import asyncio, sys; from cogyard.image.build import local_store; from cogyard.image.push import push;"
        "from cogyard.oci.reference import Reference; r = Reference.parse(sys.argv[1]);"
        "asyncio.run(push(local_store(), r, r))"
    )
    environment = {**os.environ, "HOME": str(machine.home), "COGYARD_CACHE_DIR": str(machine.home / "cache")}
    environment.pop("DOCKER_CONFIG", None)
    subprocess.run([sys.executable, "-c", program, name], env=environment, check=True)
    return name


def test_an_image_is_pulled_and_looked_at_from_afar(pushed: str, machine: Machine, other: Machine) -> None:
    """By tag and by digest; a stranger is told to log in; what is only looked at is not fetched."""
    assert "cog login" in other.failed("pull", pushed)
    assert "cog login" in other.failed("inspect", pushed)
    other.done("login", pushed.partition("/")[0], "--token-stdin", stdin=b"cyd_alice\n")
    assert "steps: integer" in other.done("inspect", pushed)
    assert other.done("images") == ""
    digest = other.done("pull", pushed).strip()
    assert digest == machine.store.image(Reference.parse("model:v1")).descriptor.digest
    assert other.done("pull", f"{pushed}@{digest}").strip() == digest
    found = other.store.image(Reference.parse(pushed))
    assert other.store.path(found.manifest.layers[1].digest).read_bytes() == b"old"
    assert "has no" in other.failed("pull", f"{pushed}:nothing")
    assert "linux/amd64" in other.failed("pull", pushed, "--platform", "windows/x", status=2)
    assert "its registry has none either" in other.failed("inspect", f"{pushed}:nothing")


def test_what_is_pushed_is_compared_with_what_is_here(pushed: str, machine: Machine) -> None:
    """With one name: the registry's image is the old one."""
    machine.store.tag(Reference.parse(pushed), machine.store.image(Reference.parse("model:v2")).descriptor)
    assert "✗ input steps: maximum 9, now 5" in machine.done("diff", pushed)


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_docker_s_own_archive_is_loaded_and_ours_loaded_by_docker(
    docker: Docker, machine: Machine, other: Machine, tmp_path: Path
) -> None:
    """Both ways, with the same configuration and so the same image."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        info = tarfile.TarInfo("predict.py")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    machine.add("cog-saved:v1", [layer.getvalue()], {"a": TEXT})
    machine.done("save", "cog-saved:v1", "-o", tmp_path / "ours.tar")
    loaded = docker("load", "-i", str(tmp_path / "ours.tar"))
    assert loaded.returncode == 0, loaded.stderr
    try:
        theirs = docker("save", "cog-saved:v1")
        assert theirs.returncode == 0, theirs.stderr
        assert other.done("load", stdin=theirs.stdout).split() == ["cog-saved:v1"]
    finally:
        docker("rmi", "cog-saved:v1")
    ours, back = (each.store.image(Reference.parse("cog-saved:v1")) for each in (machine, other))
    assert back.config.rootfs == ours.config.rootfs
    assert back.config.labels == ours.config.labels
    assert "a: string, optional" in other.done("inspect", "cog-saved:v1")
