"""System packages on a base of Ubuntu, from its own archive by its own keys: as a layer, and by its own apt."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pysequoia
import pytest
from cogyard.engine import Client
from cogyard.engine.errors import BuildFailedError
from cogyard.image.archive import write_archive
from cogyard.image.build import BuiltImage, build
from cogyard.image.errors import BuildNotPossibleError, DebianError
from cogyard.image.platforms import local_platform
from cogyard.image.steps.engine import Means
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.plain import open_plain
from cogyard.oci.reference import Reference
from cogyard.project import load_project
from cogyard.testing.steps import make_tar

from tests.docker import Docker
from tests.integration.image.conftest import CONFIG as PROJECT
from tests.integration.image.conftest import PREDICT, Built
from tests.integration.image.test_step_engines import Engines, engines
from tests.integration.image.ubuntu import Offered, make_archive, serving

__all__ = ["engines"]
pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("images"),
]
WITH_TOOL = PROJECT.replace("  python_packages", "  system_packages: [tool]\n  python_packages")
PACKAGES = [
    Offered(name="tool", version="1.0-1", script="exit 3", depends="helper"),
    Offered(
        name="tool", version="1.0-1ubuntu0.1", script="exec helper", depends="helper", pocket="noble-updates"
    ),
    Offered(name="helper", version="2.4", script="echo from noble", component="universe"),
    Offered(name="scripted", version="1", script="true", postinst="adduser --system scripted"),
    Offered(name="tini", version="0.19.0-1", script='shift; exec "$@"', component="universe"),
]
PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
KINDS = {"base", "system"}
OS_RELEASE = 'NAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'


@pytest.fixture
def key() -> pysequoia.Tsk:
    """Give the key that signs the archive."""
    return pysequoia.Tsk.generate("Ubuntu Archive Automatic Signing Key (tests)")


@pytest.fixture
def archive(tmp_path: Path, key: pysequoia.Tsk) -> Iterator[str]:
    """Serve the archive; give its address."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    folder = tmp_path / "ubuntu"
    make_archive(folder, key, PACKAGES, architecture=local_platform().partition("/")[2])
    with serving(folder) as url:
        yield url


def as_noble(
    built: Built, below: Sequence[Descriptor], folder: Path, url: str, trusted: pysequoia.Cert
) -> Path:
    """Save an image that is Ubuntu's as far as apt and we can tell: Debian's programs, under its name."""
    status, diff_ids = "", []
    for each in below:
        with open_plain(built.store.path(each.digest)) as plain:
            data = plain.read()
        diff_ids.append(of(data))
        status = _member(data, "var/lib/dpkg/status") or status
    above = make_tar(
        {
            "usr/bin/.wh.tini": b"",
            "etc/apt/.wh..wh..opq": b"",
            "var/lib/dpkg/status": re.sub(r"(?m)^Package: tini\n(?:.+\n)*\n?", "", status).encode(),
            "usr/lib/os-release": OS_RELEASE.encode(),
            "usr/share/keyrings/ubuntu-archive-keyring.gpg": bytes(trusted),
            "etc/apt/sources.list.d/ubuntu.sources": (
                f"Types: deb\nURIs: {url}/\nSuites: noble noble-updates\n"
                "Components: main universe restricted multiverse\n"
                "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
            ).encode(),
        }
    )
    packed = gzip.compress(above, mtime=0)
    layers = [*below, Descriptor(media_type=LAYER_GZIP, digest=built.store.write(packed), size=len(packed))]
    data = encode(
        ImageConfig(
            architecture=local_platform().partition("/")[2],
            os="linux",
            rootfs=RootFs(diff_ids=[*diff_ids, of(above)]),
            config=RunConfig(env=[PATH]),
        )
    )
    own = Descriptor(media_type=CONFIG, digest=built.store.write(data), size=len(data))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=layers), MANIFEST
    )
    built.store.write(data)
    reference = Reference.parse("noble")
    built.store.tag(reference, descriptor)
    with (folder / "noble.tar").open("wb") as out:
        write_archive(built.store, built.store.image(reference), out)
    return folder / "noble.tar"


def with_apt(built: Built, means: Means, folder: Path) -> list[Descriptor]:
    """Return the layers of an assembled base with apt, which an engine has installed."""
    config = PROJECT.replace("  python_packages", "  system_packages: [apt]\n  python_packages")
    (folder / "cog.yaml").write_text(config)
    image = build(load_project(folder), base="assemble", tag="with-apt", means=means)
    layers = built.store.image(image.reference).manifest.layers
    return [each for each in layers if (each.annotations or {}).get("run.cog.layer", "base") in KINDS]


@pytest.fixture
def project(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a small project."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (tmp_path / "predict.py").write_text(PREDICT)
    return tmp_path


@pytest.fixture
def direct(built: Built, archive: str, project: Path) -> Callable[[pysequoia.Cert, str], BuiltImage]:
    """Give what builds a project without an engine, on a base that trusts a key, with a system package."""
    below = [each.descriptor for each in built.image.images[0].base.layers]

    def build_it(trusted: pysequoia.Cert, package: str) -> BuiltImage:
        base = as_noble(built, below, project, archive, trusted)
        (project / "cog.yaml").write_text(WITH_TOOL.replace("[tool]", f"[{package}]"))
        return build(load_project(project), base=str(base), tag="on-noble", means=Means(builder="direct"))

    return build_it


def test_packages_of_ubuntu_become_a_layer(
    built: Built, direct: Callable[[pysequoia.Cert, str], BuiltImage], key: pysequoia.Tsk
) -> None:
    """Without an engine; updates and other components count, zstd is read, and an init comes along."""
    image = direct(key.extract_certificate(), "tool")
    (layer,) = [each for each in image.layers if each.kind == "system"]
    with open_plain(built.store.path(layer.descriptor.digest)) as plain:
        data = plain.read()
    assert "exec helper" in _member(data, "usr/bin/tool")
    assert "from noble" in _member(data, "usr/bin/helper")
    assert "Package: tool\nStatus: install ok installed\nVersion: 1.0-1ubuntu0.1\n" in _member(
        data, "var/lib/dpkg/status"
    )
    stored = built.store.image(image.reference)
    config = json.loads(built.store.read(stored.manifest.config.digest))["config"]
    assert config["Labels"]["run.cog.has_init"] == "true"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]


def test_what_cannot_be_had_of_ubuntu_is_said(
    direct: Callable[[pysequoia.Cert, str], BuiltImage], key: pysequoia.Tsk
) -> None:
    """An archive by another key, a package that is none, and one whose script an engine must run."""
    own, other = key.extract_certificate(), pysequoia.Tsk.generate("somebody else").extract_certificate()
    direct(own, "tool")  # what is kept of it is not for who trusts another
    with pytest.raises(DebianError, match="Ubuntu noble's index"):
        direct(other, "tool")
    with pytest.raises(DebianError, match="Ubuntu has no package 'nothing'"):
        direct(own, "nothing")
    with pytest.raises(BuildNotPossibleError, match="'adduser --system scripted'"):
        direct(own, "scripted")


class ByApt(Protocol):
    """Builds a project with system packages, with an engine, on a base that trusts a key."""

    def __call__(
        self, trusted: pysequoia.Cert, packages: str = "tool", builder: str = "docker"
    ) -> BuiltImage:
        """Return the image."""
        ...


@pytest.fixture
def by_apt(built: Built, engines: Engines, archive: str, project: Path) -> ByApt:
    """Give what builds with an engine."""
    engine = engines("older")

    def build_it(trusted: pysequoia.Cert, packages: str = "tool", builder: str = "docker") -> BuiltImage:
        means = Means(builder=builder, find=lambda _: engine)
        base = as_noble(built, with_apt(built, means, project), project, archive, trusted)
        (project / "cog.yaml").write_text(WITH_TOOL.replace("[tool]", f"[{packages}]"))
        return build(load_project(project), base=str(base), tag="on-noble", means=means)

    return build_it


def test_apt_installs_from_ubuntu_s_archive(
    built: Built, by_apt: ByApt, docker: Docker, key: pysequoia.Tsk
) -> None:
    """Updates and other components count, packages packed with zstd are read, and an init comes along."""
    image = by_apt(key.extract_certificate())
    stored = built.store.image(image.reference)
    config = json.loads(built.store.read(stored.manifest.config.digest))["config"]
    assert config["Labels"]["run.cog.has_init"] == "true"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert _run(docker, built, image, "tool") == "from noble"


def test_apt_takes_over_where_a_script_must_run(
    built: Built, by_apt: ByApt, docker: Docker, key: pysequoia.Tsk
) -> None:
    """Nobody has to say so, where there is an engine."""
    image = by_apt(key.extract_certificate(), "scripted, tool", "auto")
    assert _run(docker, built, image, "tool") == "from noble"
    assert _run(docker, built, image, "id", "-un", "scripted") == "scripted"


def test_an_archive_by_another_key_is_refused(by_apt: ByApt) -> None:
    """Apt's words say so, and there is no image."""
    other = pysequoia.Tsk.generate("somebody else").extract_certificate()
    with pytest.raises(BuildFailedError, match=r"NO_PUBKEY|not signed"):
        by_apt(other)


def _run(docker: Docker, built: Built, image: BuiltImage, *command: str) -> str:
    stored = built.store.image(image.reference)
    client = Client(name="docker", program=Path(shutil.which("docker") or ""))
    client.load(lambda out: write_archive(built.store, stored, out))
    try:
        done = docker("run", "--rm", "--network", "none", stored.name, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()
    finally:
        docker("rmi", "--force", stored.name)


def _member(layer: bytes, path: str) -> str:
    """Return a file of a layer as text; empty where it has none of that name."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for member in archive:
            if member.name.removeprefix("./") == path:
                return (archive.extractfile(member) or io.BytesIO()).read().decode()
    return ""
